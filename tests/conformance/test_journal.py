"""The journal as others prove it: a real server, a real witness, and an auditor with one file."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelkeep.domain.notes import WITNESS_KIND, PublicKey
from tests.conftest import StartServer
from tests.support.cli import Outcome, modelkeep
from tests.support.office import NATIVE as API
from tests.support.server import Server
from tests.support.witness import Witness

VERIFIER = Path(__file__).parents[2] / "src" / "modelkeep_verify.py"
MLFLOW = "/api/2.0/mlflow"
LIMIT_S = 60.0  # far longer than signing takes


def audit(*args: str | Path, server: Server) -> Outcome:
    return modelkeep("audit", *args, url=server.url)


def create(server: Server, name: str) -> str:
    """Registers a model as MLflow does; the id of the request."""
    answer = httpx.post(
        f"{server.url}{MLFLOW}/registered-models/create", json={"name": name}, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["x-request-id"]


def get(server: Server, path: str) -> httpx.Response:
    return httpx.get(f"{server.url}{API}/journal/{path}", trust_env=False)


def keep(server: Server, file: Path) -> Path:
    """The newest checkpoint, in a file."""
    file.write_text(get(server, "checkpoint").text)
    return file


def key_of(server: Server) -> str:
    return status(server)["origin"]["vkey"]


def status(server: Server) -> dict[str, Any]:
    return get(server, "status").json()


def until(server: Server, reached: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """The journal's status once it is so."""
    end = time.monotonic() + LIMIT_S
    while not reached(found := status(server)):
        assert time.monotonic() < end, (found, server.log_text()[-4000:])
    return found


def signed(server: Server) -> dict[str, Any]:
    return until(server, lambda found: found["signed_entries"] == found["entries"] > 0)


def auditor(*args: str | Path) -> Outcome:
    """The file by itself: `-I` hides every module of ours."""
    ended = subprocess.run(
        [sys.executable, "-I", VERIFIER, *map(str, args)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def witness(server: Server, tmp_path: Path) -> Iterator[Witness]:
    """A witness of the server's journal."""
    create(server, "first")
    signed(server)
    found = Witness(tmp_path, audit("key", server=server).out.strip())
    yield found
    found.close()


def test_an_auditor_follows_a_journal_from_one_checkpoint_to_the_next(
    server: Server, tmp_path: Path
) -> None:
    create(server, "a")
    signed(server)
    key = key_of(server)
    old, new, dump, proof = (tmp_path / name for name in ("old", "new", "dump", "proof"))
    assert audit("checkpoint", "--file", old, server=server).code == 0
    request = create(server, "b")
    entries = signed(server)["entries"]
    assert audit("checkpoint", "--file", new, server=server).code == 0

    assert audit("export", dump, server=server).code == 0
    verified = auditor(dump, "--vkey", key, "--since", old, "--since", new, "--max-age", "600")
    assert (verified.code, verified.err) == (0, ""), verified.out
    assert "Intact: 2 entries" in verified.out
    assert auditor(dump, "--vkey", key, "--json").json["signed_entries"] == entries

    receipt = tmp_path / "b.tlog-proof"
    assert audit("receipt", "--request", request, "--file", receipt, server=server).code == 0
    shown = auditor("receipt", receipt, "--vkey", key, "--json")
    assert (shown.code, shown.json["leaf"]["act"]) == (0, "model:created")
    assert shown.json["leaf"]["req"] == request
    assert audit("receipt", str(shown.json["index"]), server=server).out == receipt.read_text()

    proof.write_text(audit("extends", "1", str(entries), server=server).out)
    assert auditor("extends", old, new, proof, "--vkey", key).code == 0
    assert auditor("extends", new, old, proof, "--vkey", key).code == 2
    assert audit("prove", "0", server=server).json["hashes"]

    # What is not so is told apart by the exit code.
    lines = dump.read_text().splitlines()
    dump.write_text(
        "\n".join(line.replace('"b"', '"x"').replace(r"\"b\"", r"\"x\"") for line in lines)
    )
    tampered = auditor(dump, "--vkey", key)
    assert (tampered.code, "The first bad entry is 1." in tampered.out) == (2, True)
    dump.write_text("\n".join(lines))
    stranger = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    assert auditor(dump, "--vkey", stranger).code == 3
    assert auditor(dump, "--vkey", key, "--max-age", "-1").code == 4
    assert auditor(dump, "--vkey", "no key").code == 64
    assert auditor(dump, "--nonsense").code == 64
    assert auditor(tmp_path / "nowhere").code == 64
    assert auditor("receipt", receipt, "--vkey", stranger).code == 3
    false = receipt.read_text().replace("index 1", "index 0")
    receipt.write_text(false)
    assert auditor("receipt", receipt, "--vkey", key).code == 2


def test_checkpoints_and_tiles_are_where_other_tools_look_for_them(server: Server) -> None:
    for name in ("a", "b", "c"):
        create(server, name)
    origin = signed(server)["origin"]["name"]
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        base = f"{API}/journal"
        checkpoint = http.get(f"{base}/checkpoint")
        assert checkpoint.text.startswith(f"{origin}\n3\n")
        assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
        assert checkpoint.headers["cache-control"] == "no-store"
        tile = http.get(f"{base}/tile/0/000.p/3")
        assert (tile.status_code, len(tile.content)) == (200, 96)
        assert "immutable" in tile.headers["cache-control"]
        bundle = http.get(f"{base}/tile/entries/000.p/3").content
        assert b'"act":"model:created"' in bundle[2 : 2 + int.from_bytes(bundle[:2], "big")]
        for path in ("0/000", "0/000.p/4", "1/000.p/1", "0/x000/001", "entries/000", "0/0", "",
                     "0/000.p/0", "0/000.p/257", "64/000.p/1", "a/000", "0/000.p/3/x"):  # fmt: skip
            assert http.get(f"{base}/tile/{path}").status_code == 404, path
        for query in ("index=3&size=3", "index=0&size=9", "index=-1&size=2", "index=a&size=1", ""):
            assert http.get(f"{base}/proofs/inclusion?{query}").status_code == 400, query
        for query in ("from=3&to=2", "from=0&to=9", "from=1", "from=1&to=1e3"):
            assert http.get(f"{base}/proofs/consistency?{query}").status_code == 400, query
        assert http.get(f"{base}/receipts/nobody").status_code == 404
        assert http.get(f"{base}/entries/99/receipt").status_code == 404
        assert http.post(f"{base}/fork", json={"reason": ""}).status_code == 400
        assert http.post(f"{base}/fork", json={"reason": "x", "origin": "a b"}).status_code == 400


def move(source: Path, target: Path) -> None:
    """Copies a database, its log included, in the place of another."""
    for file in target.glob("modelkeep.db*"):
        file.unlink()
    for file in source.glob("modelkeep.db*"):
        shutil.copy(file, target)


def test_a_database_restored_from_a_copy_is_not_signed_until_it_is_forked(
    server: Server, tmp_path: Path
) -> None:
    create(server, "a")
    signed(server)
    server.stop()
    copy = tmp_path / "copy"
    copy.mkdir()
    move(server.data_dir, copy)
    server.start()
    create(server, "b")
    create(server, "c")
    signed(server)
    key, kept = key_of(server), keep(server, tmp_path / "kept")
    server.stop()
    move(copy, server.data_dir)
    server.start()

    found = until(server, lambda found: found["objection"])
    assert "a checkpoint of 3 was signed" in found["objection"]
    create(server, "d")
    refused = audit("checkpoint", server=server)
    assert (refused.code, "an older copy was restored" in refused.err) == (1, True)
    assert audit("status", server=server).code == 1
    assert "no checkpoint is signed" in server.log_text()
    tampered = audit("verify", "--since", kept, server=server)
    assert (tampered.code, "The first bad entry is 2." in tampered.out) == (2, True)

    assert audit("fork", "--reason", "", server=server).code == 64
    assert audit("fork", "--reason", "restored the copy of Monday", server=server).code == 0
    assert signed(server)["origin"]["number"] == 2
    assert audit("checkpoint", server=server).code == 0
    assert audit("verify", server=server).code == 0
    assert audit("verify", "--vkey", key, server=server).code == 3  # of the new key, nobody knew
    both = ("--vkey", key, "--vkey", audit("key", server=server).out.strip())
    verified = audit("verify", *both, server=server)
    assert (verified.code, "/2 was begun" in verified.out) == (0, True)


def test_a_server_killed_between_a_commit_and_its_checkpoint_goes_on(
    server: Server, tmp_path: Path
) -> None:
    create(server, "a")
    signed(server)
    kept = [keep(server, tmp_path / "0")]
    for number in (1, 2, 3):
        create(server, f"m{number}")
        server.kill()
        server.start()
        assert signed(server)["entries"] == number + 1
        kept.append(keep(server, tmp_path / f"{number}"))
    since = [option for file in kept for option in ("--since", file)]
    assert audit("verify", *since, server=server).code == 0


def test_a_witness_cosigns_and_an_auditor_asks_for_it(
    server: Server, witness: Witness, start_server: StartServer, tmp_path: Path
) -> None:
    key, dump = key_of(server), tmp_path / "dump"
    server.stop()
    copy = tmp_path / "copy"
    shutil.copytree(server.data_dir, copy)
    again = start_server("--witness", witness.setting, data_dir=server.data_dir)
    create(again, "second")
    signed(again)
    until(again, lambda found: "w.example/1" in get(again, "checkpoint").text)
    assert audit("export", dump, server=again).code == 0
    trusted = ("--vkey", key, "--witness", witness.vkey)
    verified = auditor(dump, *trusted, "--max-age", "600")
    assert (verified.code, "cosigned by w.example/1" in verified.out) == (0, True), verified.out
    assert auditor(dump, *trusted, "-k", "2").code == 64
    assert auditor(dump, "--vkey", key, "--witness", key).code == 64
    other = PublicKey("w.example/2", WITNESS_KIND, bytes(32)).vkey
    assert auditor(dump, "--vkey", key, "--witness", other).code == 3
    assert status(again)["witnesses"] == [witness.vkey]
    again.stop()

    # All of the server's folder is put back; only the witness knows better.
    shutil.rmtree(server.data_dir)
    shutil.copytree(copy, server.data_dir)
    rewound = start_server("--witness", witness.setting, data_dir=server.data_dir)
    found = until(rewound, lambda found: found["objection"])
    assert "The witness w.example/1 has cosigned a tree of 2 entries" in found["objection"]


def test_a_witness_answers_as_the_protocol_has_it(
    server: Server, witness: Witness, tmp_path: Path
) -> None:
    def submit(text: str) -> tuple[int, str, str]:
        return witness.post("/add-checkpoint", text.encode())

    note = get(server, "checkpoint").text
    assert witness.post("/", b"")[0] == 404
    assert submit("")[0] == 400
    assert witness.post("/add-checkpoint", b"\xff" * 10)[0] == 400
    assert witness.post("/add-checkpoint", b"x" * (1 << 20))[0] == 413
    code, _, body = submit(f"old 0\n\n{note}")
    assert (code, body.startswith("— w.example/1 ")) == (200, True)
    assert submit(f"old 0\n\n{note}") == (409, "text/x.tlog.size", "1\n")
    assert submit(f"old 1\n\n{note}")[0] == 200
    create(server, "second")
    signed(server)
    note = get(server, "checkpoint").text
    assert submit(f"old 1\n{'A' * 43}=\n\n{note}")[0] == 422
    assert submit(f"old 1\n\n{note}")[0] == 422
    (proof,) = audit("extends", "1", "2", server=server).json["hashes"]
    assert submit(f"old 1\n{proof}\n\n{note}")[0] == 200
    false = note.replace("\n2\n", "\n3\n")
    assert submit(f"old 2\n\n{false}")[0] == 403


def test_a_key_that_is_none_does_not_start_a_server(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("no key")
    args = ("serve", "--port", "0", "--data-dir", tmp_path / "data")
    refused = modelkeep(*args, "--journal-key", key)
    assert (refused.code, "no private key in PEM" in refused.err) == (64, True)
    refused = modelkeep(*args, "--witness", "http://127.0.0.1:1")
    assert refused.code == 64
    refused = modelkeep(*args, "--journal-origin", "a b")
    assert (refused.code, "name has 1 to 256 characters" in refused.err) == (64, True)


def test_a_journal_is_signed_with_the_key_and_the_name_that_it_is_given(
    start_server: StartServer, tmp_path: Path
) -> None:
    key = tmp_path / "journal.pem"
    server = start_server("--journal-key", str(key), "--journal-origin", "log.example/1")
    create(server, "a")
    assert signed(server)["origin"]["name"] == "log.example/1"
    assert key.stat().st_mode & 0o777 == 0o600
    assert not (server.data_dir / "journal.key").exists()
