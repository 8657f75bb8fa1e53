"""What the commands print: for a person, or with `--json` for a script."""

import json
from typing import Any

from modelkeep.cli.client import REFUSED, WAITING, plain


def settle(result: dict[str, Any], as_json: bool, done: tuple[str, ...] = ()) -> None:
    end = result["result"]
    if as_json:
        print(json.dumps(result, indent=2))
    else:
        version = result["version"]
        settled = f"{version['model']}/{version['version']} is in {version['stage']}"
        print(plain(result.get("detail") or result["message"] or settled))
        if end in ("moved", "unchanged"):
            print(f"{result['target']} is at epoch {result['epoch']}.")
    if end in ("moved", "unchanged", *done):
        return
    raise SystemExit(WAITING if end == "waiting" else REFUSED)


def show_table(
    head: tuple[str, ...], rows: list[list[Any]], found: Any, as_json: bool, empty: str
) -> None:
    if as_json:
        print(json.dumps(found, indent=2))
        return
    if not rows:
        print(empty)
        return
    lines = [head, *([plain(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        print("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())


def show_request(asked: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(asked, indent=2))
        return
    evidence = asked["evidence_bundle"]
    moves = f"{asked['model']}/{asked['version']}: {asked['source']} -> {asked['target']}"
    print(plain(f"Request {asked['id']}, {asked['status']}.  {moves}"))
    reason = f": {asked['reason']}" if asked["reason"] else ""
    print(plain(f"Asked by {asked['requested_by']} at {asked['created']}{reason}"))
    print(plain(f"Authors: {', '.join(asked['authors'])}.  Expires {asked['expires']}."))
    for barred in asked["barred"]:
        print(plain(f"  {barred['name']} may not vote: {barred['name']} {barred['why']}."))
    held = "" if asked["subject"].startswith("sha256:") else "not held here (unverified), only "
    print(f"Bytes: {held}{plain(asked['subject'])}")
    print(f"Evidence {asked['evidence']}, frozen when it was asked for:")
    if asked["status"] == "pending" and not asked["evidence_is_current"]:
        print("  Note: the version's tags or its run have changed since; see them before you vote.")
    for kind in ("metrics", "params", "tags", "run_tags"):
        for name, value in sorted(evidence[kind].items()):
            print(plain(f"  {kind:<8}  {name} = {value}"))
    for data in evidence["datasets"]:
        print(plain(f"  data set  {data['name']} {data['digest']}"))
    commit = f", commit {evidence['git_commit']}" if evidence["git_commit"] else ""
    print(plain(f"  run {evidence['run_id']}{commit}"))
    for vote in asked["votes"]:
        print(plain(f"{vote['at']}  {vote['voter']}: {vote['verdict']}  {vote['comment']}"))


def past_gates(stay: dict[str, Any]) -> str:
    """What marks a stay that began past the gates; nothing for any other."""
    found = stay["emergency"]
    return f" PAST ITS GATES (emergency {found['id']}, review {found['review']})" if found else ""


def show_sections(sections: list[dict[str, Any]]) -> None:
    for section in sections:
        mark = "enforced    " if section["enforced"] else "not enforced"
        print(f"  {mark}  {plain(section['path'])}: {plain(section['note'])}")
