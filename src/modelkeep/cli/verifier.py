"""modelkeep-verify: proves or refutes a journal, off-line, without any part of the server.

Exit codes: 0 all is well; 2 tampered with, and the first bad entry is named; 3 a signature is
missing or false; 4 nothing is wrong, but it is older than it may be; 64 wrong usage.

NOTE: src/modelkeep_verify.py is made of this module and of what it imports, by
`scripts/bundle_verifier.py`. It must import nothing but `domain`, Python's own library and, where
a signature is checked, `cryptography`.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from modelkeep.cli.client import plain
from modelkeep.domain.audit import BLIND_SPOTS, KINDS, Report, verify
from modelkeep.domain.errors import IntegrityFailure, InvalidInput
from modelkeep.domain.merkle import extends
from modelkeep.domain.notes import (
    LOG_KIND,
    WITNESS_KIND,
    Checkpoint,
    Note,
    PublicKey,
    decode64,
    opened,
)
from modelkeep.domain.receipts import Receipt
from modelkeep.domain.seals import Trust
from modelkeep.ed25519 import is_signed

TAMPERED, UNSIGNED, STALE, USAGE = 2, 3, 4, 64
_USAGE = """modelkeep-verify [export] [OPTIONS] FILE
                               a journal that was exported (- is standard input)
       modelkeep-verify receipt [OPTIONS] FILE
                               a receipt: that an entry is in a signed journal
       modelkeep-verify extends [OPTIONS] OLD NEW PROOF
                               that one checkpoint continues another"""
LOOK_LIMIT = 100  # lines among which there must be one of an export
_CODES = "Exit codes: 0 well, 2 tampered with, 3 a signature, 4 too old, 64 wrong usage."


def main() -> None:
    """The command. Exits."""
    kinds = {"export": _export, "receipt": _receipt, "extends": _extends}
    given = sys.argv[1:]
    kind = given.pop(0) if given and given[0] in kinds else "export"
    options = _parser(kind).parse_args(given)
    try:
        raise SystemExit(kinds[kind](options))
    except (OSError, InvalidInput) as error:
        print(f"modelkeep-verify: {plain(str(error))}", file=sys.stderr)
        raise SystemExit(USAGE) from None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"modelkeep-verify: {message}", file=sys.stderr)
        raise SystemExit(USAGE)


def _parser(kind: str) -> argparse.ArgumentParser:
    parser = _Parser(prog="modelkeep-verify", usage=_USAGE, description=_CODES)
    parser.add_argument("files", nargs=3 if kind == "extends" else 1, metavar="FILE")
    add = parser.add_argument
    log, witness = "a key of the log; may be repeated", "a key of a witness; may be repeated"
    add("--vkey", action="append", default=[], metavar="KEY", help=log)
    add("--witness", action="append", default=[], metavar="KEY", help=witness)
    add("-k", type=int, metavar="N", help="how many witnesses must have cosigned [all given]")
    if kind == "export":
        kept = "a file with a checkpoint that you kept; may be repeated"
        add("--since", action="append", default=[], metavar="FILE", help=kept)
        add("--max-age", type=int, metavar="SECONDS", help="how old the newest checkpoint may be")
    add("--json", action="store_true", help="print JSON")
    return parser


def trust_in(
    vkeys: list[str],
    witnesses: list[str],
    quorum: int | None,
    since: list[str],
    max_age_s: int | None,
) -> Trust:
    """What the options say. `since` are files. Raises InvalidInput and OSError."""
    keys = _keys(vkeys, LOG_KIND, "checkpoints")
    known = _keys(witnesses, WITNESS_KIND, "cosignatures")
    wanted = len(known) if quorum is None else quorum
    if not 0 <= wanted <= len(known):
        raise InvalidInput(f"{len(known)} witnesses were given; {wanted} of them cannot cosign.")
    kept = tuple(_text(file) for file in since)
    return Trust(is_signed, keys, known, wanted, kept, max_age_s, int(time.time()))


def _keys(vkeys: list[str], kind: int, purpose: str) -> tuple[PublicKey, ...]:
    keys = tuple(dict.fromkeys(map(PublicKey.parse, vkeys)))
    for key in keys:
        if key.kind != kind:
            raise InvalidInput(f"The key of {key.name} is not one for {purpose}.")
    return keys


# -- an export -----------------------------------------------------------------------------------


def _export(options: argparse.Namespace) -> int:
    (file,) = options.files
    trust = trust_in(options.vkey, options.witness, options.k, options.since, options.max_age)
    return settle(verify(lines_in(file), trust), options.json)


def lines_in(file: str) -> Iterator[dict[str, Any]]:
    """The lines of an export; one that is not JSON becomes one that no verifier can read.

    Raises InvalidInput for a file that has none among its first hundred: it is something else.
    """
    lines = _lines(file)
    first = list(islice(lines, LOOK_LIMIT))
    if not any(isinstance(line, dict) and line.get("kind") in KINDS for line in first):
        raise InvalidInput(
            f"{file}: not an export of a journal; `modelkeep audit export` makes one."
        )
    yield from first
    yield from lines


def _lines(file: str) -> Iterator[Any]:
    with sys.stdin if file == "-" else Path(file).open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if number == 1:
                line = line.removeprefix("\ufeff")  # some editors put it there
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                yield {"kind": f"line {number}, which is not JSON"}


def settle(report: Report, as_json: bool) -> int:
    """Prints a report; the exit code."""
    if as_json:
        print(json.dumps(report_json(report), indent=2))
    else:
        show_report(report)
    if not report.is_intact:
        return TAMPERED
    return UNSIGNED if report.unsigned else STALE if report.stale else 0


def report_json(report: Report) -> dict[str, Any]:
    return {
        "intact": report.is_intact,
        "entries": report.size,
        "root": report.root,
        "rows_compared": report.rows,
        "checkpoints": report.checkpoints,
        "signed_entries": report.signed_size,
        "cosigned_by": report.witnesses,
        "erased_texts": [{"index": index, "text": name} for index, name in report.erased],
        "forks": [{"index": index, "origin": name} for index, name in report.forks],
        "tables_not_compared": report.strange,
        "first_bad_entry": report.first_bad,
        "problems": [{"index": p.index, "message": p.message} for p in report.problems],
        "problems_not_listed": report.unlisted,
        "signature_problems": report.unsigned,
        "stale": report.stale,
        "cannot_see": list(BLIND_SPOTS),
    }


def show_report(report: Report) -> None:
    if report.is_intact:
        print(f"Intact: {report.size} entries, root {report.root}.")
        print(f"{report.rows} rows of the tables say the same as the journal.")
    else:
        print(f"TAMPERED WITH. {report.size} entries were read.")
        if report.first_bad is not None:
            print(f"The first bad entry is {report.first_bad}.")
        for problem in sorted(report.problems, key=lambda p: (p.index is None, p.index)):
            print(f"  {plain(problem.message)}")
        if report.unlisted:
            print(f"  and {report.unlisted} more")
    if report.strange:
        print(
            plain(
                f"NOT COMPARED: {', '.join(report.strange)}, of which this verifier knows nothing."
            )
        )
    _show_signatures(report)
    if report.erased:
        listed = ", ".join(f"{name} of entry {index}" for index, name in report.erased[:20])
        more = f" and {len(report.erased) - 20} more" if len(report.erased) > 20 else ""
        print(f"Erased, and so not compared: {listed}{more}. Their entries verify without them.")
    print("This cannot see: " + "; ".join(BLIND_SPOTS) + ".")


def _show_signatures(report: Report) -> None:
    by = f", cosigned by {', '.join(report.witnesses)}" if report.witnesses else ""
    left = report.size - report.signed_size
    rest = f" {left} entries are newer than that." if report.checkpoints and left > 0 else ""
    print(
        plain(
            f"{report.checkpoints} checkpoints, the newest of {report.signed_size} entries"
            f"{by}.{rest}"
        )
    )
    for index, name in report.forks:
        print(plain(f"At entry {index} the origin {name} was begun: see the reason in the entry."))
    for complaint in report.unsigned:
        print(plain(f"SIGNATURE: {complaint}"))
    if report.stale:
        print(f"STALE: {report.stale}.")


# -- a receipt, and two checkpoints ----------------------------------------------------------------


def _receipt(options: argparse.Namespace) -> int:
    receipt = Receipt.parse(_text(options.files[0]))
    trust = trust_in(options.vkey, options.witness, options.k, [], None)
    try:
        checkpoint = receipt.check()
    except IntegrityFailure as error:
        return _said(TAMPERED, error.message, options.json)
    names, why = _signed(receipt.note, trust)
    if why:
        return _said(UNSIGNED, why, options.json)
    facts = {
        "index": receipt.index,
        "leaf": json.loads(receipt.leaf),
        "origin": checkpoint.origin,
        "entries": checkpoint.size,
        "signed_by": names,
    }
    if options.json:
        print(json.dumps({"verified": True, **facts}, indent=2))
        return 0
    print(plain(f"Entry {receipt.index} of {checkpoint.origin}, which has {checkpoint.size}."))
    print(f"Signed by {plain(', '.join(names))}." if names else _UNNAMED)
    print(plain(json.dumps(facts["leaf"], indent=2, ensure_ascii=False)))
    return 0


_UNNAMED = "NOT KNOWN who signed it: give the log's key (--vkey)."


def _extends(options: argparse.Namespace) -> int:
    old_note, new_note, proof = map(_text, options.files)
    trust = trust_in(options.vkey, options.witness, options.k, [], None)
    old, new = (Checkpoint.parse(Note.parse(note).text) for note in (old_note, new_note))
    try:
        hashes = [decode64(text, "a hash of the proof") for text in json.loads(proof)["hashes"]]
    except (KeyError, TypeError, ValueError):
        raise InvalidInput('A proof is {"hashes": [base64, …]}.') from None
    if old.origin != new.origin or not extends(old.size, old.root, new.size, new.root, hashes):
        message = f"The {new.size} entries of {new.origin} do not begin with the {old.size}."
        return _said(TAMPERED, message, options.json)
    for note in (old_note, new_note):
        if why := _signed(note, trust)[1]:
            return _said(UNSIGNED, why, options.json)
    message = f"The {new.size} entries of {new.origin} begin with the {old.size}."
    return _said(0, message if trust.keys else f"{message} {_UNNAMED}", options.json)


def _signed(note: str, trust: Trust) -> tuple[list[str], str]:
    """Who of those that are trusted has signed; and what is missing."""
    try:
        names = [opened(note, trust.keys, is_signed).origin] if trust.keys else []
        names += sorted(key.name for key in Note.parse(note).signers(trust.witnesses, is_signed))
    except IntegrityFailure as error:
        return [], error.message
    cosigners = len(names) - bool(trust.keys)
    lacks = cosigners < trust.quorum
    return names, f"{cosigners} witnesses have cosigned; {trust.quorum} must." if lacks else ""


def _said(code: int, message: str, as_json: bool) -> int:
    verified = {"verified": code == 0, "message": message}
    print(json.dumps(verified, indent=2) if as_json else plain(message))
    return code


def _text(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_bytes().decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"{file}: not a text in UTF-8.") from None


if __name__ == "__main__":
    main()
