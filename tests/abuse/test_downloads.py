"""What is downloaded is what was registered, lies where it should, and is whole or not there."""

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from modelkeep.cli.landing import Landing, State, WrongBytes
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.manifests import File, Manifest
from modelkeep.services.artifacts import SMALL_BYTES
from tests.support.cli import Outcome, modelkeep
from tests.support.server import Server

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
DONE, REFUSED, TAMPERED, UNREACHABLE = 0, 1, 2, 3
LARGE = os.urandom(3 << 20)
TREE = {"MLmodel": b"flavors: {}", "code/a.py": b"pass", "empty": b"", "weights.bin": LARGE}


@pytest.fixture
def registered(server: Server) -> Server:
    """A server with version `m/1`, made of TREE."""
    with httpx.Client(base_url=server.url, trust_env=False) as http:

        def post(path: str, **body: Any) -> Any:
            answer = http.post(f"{API}/{path}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        run_id = post("runs/create", experiment_id="0")["run"]["info"]["run_id"]
        for path, content in TREE.items():
            http.put(f"{FILES}/0/{run_id}/artifacts/m/{path}", content=content).raise_for_status()
        post("registered-models/create", name="m")
        post("model-versions/create", name="m", source=f"runs:/{run_id}/m", run_id=run_id)
    return server


def download(server: Any, folder: Path, *args: str) -> Outcome:
    return modelkeep("artifacts", "download", "m/1", folder, *args, url=server.url)


def held(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def damage(server: Server, content: bytes) -> None:
    """Changes a bit of what is stored, among the blobs or beside the rows."""
    sha256 = hashlib.sha256(content).hexdigest()
    changed = content[:-1] + bytes([content[-1] ^ 1])
    if len(content) <= SMALL_BYTES:
        with closing(sqlite3.connect(server.data_dir / "modelkeep.db")) as db, db:
            done = db.execute(
                "UPDATE small_blobs SET content = ? WHERE sha256 = ?", (changed, sha256)
            )
            assert done.rowcount == 1
        return
    blob = server.data_dir / "blobs" / sha256[:2] / sha256
    blob.chmod(0o600)
    blob.write_bytes(changed)


def test_a_download_can_be_repeated_and_overwrites_nothing_unasked(
    registered: Server, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    assert download(registered, folder).code == DONE
    assert held(folder) == TREE
    before = (folder / "weights.bin").stat()
    (folder / "empty").unlink()
    (folder / "mine.txt").write_bytes(b"mine")
    again = download(registered, folder)
    assert "1 file, 0 B downloaded, 3 there already" in again.out
    assert held(folder) == {**TREE, "mine.txt": b"mine"}
    assert (folder / "weights.bin").stat().st_ino == before.st_ino

    (folder / "MLmodel").write_bytes(b"another one")
    (folder / "empty").unlink()
    refused = download(registered, folder, "--json")
    assert refused.code == REFUSED
    assert json.loads(refused.err)["error"]["code"] == "already_exists"
    assert "'MLmodel'" in refused.err
    assert "'empty'" not in refused.err
    assert held(folder)["MLmodel"] == b"another one"
    assert not (folder / "empty").exists()  # nothing at all was written
    assert download(registered, folder, "--force").code == DONE
    assert held(folder) == {**TREE, "mine.txt": b"mine"}


@pytest.mark.parametrize("path", ["MLmodel", "weights.bin"], ids=["small", "large"])
def test_bytes_that_were_damaged_on_the_server_do_not_land(
    registered: Server, tmp_path: Path, path: str
) -> None:
    damage(registered, TREE[path])
    ended = download(registered, tmp_path / "d", "--jobs", "1")
    assert ended.code == TAMPERED, ended.err
    assert "damaged" in ended.err
    landed = held(tmp_path / "d")
    assert landed == {name: TREE[name] for name in landed}
    assert path not in landed


# -- the folder --------------------------------------------------------------------------------


def test_links_in_the_folder_lead_nowhere(registered: Server, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    victim = outside / "MLmodel"
    victim.write_bytes(b"keep me")

    on_the_way = tmp_path / "on-the-way"
    on_the_way.mkdir()
    (on_the_way / "code").symlink_to(outside)
    for args in ((), ("--force",)):
        ended = download(registered, on_the_way, *args)
        assert ended.code == REFUSED
        assert "'code/a.py'" in ended.err
    assert list(on_the_way.iterdir()) == [on_the_way / "code"]

    in_its_place = tmp_path / "in-its-place"
    in_its_place.mkdir()
    (in_its_place / "MLmodel").symlink_to(victim)
    assert download(registered, in_its_place).code == REFUSED
    assert download(registered, in_its_place, "--force").code == DONE
    assert not (in_its_place / "MLmodel").is_symlink()
    assert held(in_its_place) == TREE
    assert held(outside) == {"MLmodel": b"keep me"}

    named = tmp_path / "named"  # what the person names may be a link
    named.symlink_to(in_its_place)
    assert download(registered, named).code == DONE


def test_what_is_no_file_is_left_as_it_is(registered: Server, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    (folder / "MLmodel").mkdir(parents=True)
    (folder / "code").write_bytes(b"a file")
    os.mkfifo(folder / "empty")
    ended = download(registered, folder, "--force")
    assert ended.code == REFUSED
    for path in ("MLmodel", "code/a.py", "empty"):
        assert f"'{path}'" in ended.err
    assert held(folder) == {"code": b"a file"}
    (tmp_path / "file").write_bytes(b"")
    assert download(registered, tmp_path / "file").code == REFUSED


def of(content: bytes, path: str = "a/b") -> File:
    return File(path, hashlib.sha256(content).hexdigest(), len(content))


def test_a_file_lands_whole_or_not_at_all(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    file = of(b"right")

    def broken() -> Iterator[bytes]:
        yield b"rig"
        raise ConnectionError

    for chunks in ([b"wrong"], [b"righ"], [b"right", b"!"], []):
        with pytest.raises(WrongBytes):
            landing.land(file, chunks)
    with pytest.raises(ConnectionError):
        landing.land(file, broken())
    assert held(tmp_path) == {}
    assert landing.state(file) is State.ABSENT
    landing.land(file, [b"ri", b"", b"ght"])
    assert held(tmp_path) == {"a/b": b"right"}
    assert landing.state(file) is State.RIGHT
    with pytest.raises(WrongBytes):
        landing.land(of(b"other"), [b"wrong"])
    assert held(tmp_path) == {"a/b": b"right"}  # the one that was there stays
    assert landing.state(of(b"other")) is State.DIFFERENT
    landing.close()


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "d").mkdir()
    landing = Landing(tmp_path / "d")
    (tmp_path / "d" / "a").symlink_to(outside)
    with pytest.raises(OSError, match=r"directory|link"):
        landing.land(of(b"right"), [b"right"])
    assert held(outside) == {}
    landing.close()


# -- a server that means harm ------------------------------------------------------------------


class Hostile:
    """Answers as it pleases: `listing` to a list of files, `content` to a path."""

    def __init__(self, files: list[File], content: Callable[[str], bytes] = lambda _: b"x") -> None:
        self.files, self.content = files, content
        self.manifest = Manifest.of(files).digest
        self.next: str | None = None
        self.announced: int | None = None
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = hostile.answer(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(hostile.announced or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def answer(self, target: str) -> bytes:
        parts = urlsplit(target)
        if parts.path.endswith("/content"):
            return self.content(parse_qs(parts.query)["path"][0])
        files = [{"path": f.path, "sha256": f.sha256, "size_bytes": f.size_bytes}
                 for f in self.files]  # fmt: skip
        listing = {"model": "m", "version": 1, "manifest": self.manifest, "files": files}
        return json.dumps({**listing, "next": self.next}).encode()

    def __enter__(self) -> "Hostile":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.mark.parametrize("path", ["../../x", "/{}/x", "a/%2e%2e/%2e%2e/x"])
def test_no_path_of_a_servers_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "keep").write_bytes(b"")
    with Hostile([of(b"x", path.format(tmp_path))]) as hostile:
        ended = download(hostile, tmp_path / "deep" / "folder")
    assert (ended.code, held(tmp_path)) == (TAMPERED, {"keep": b""}), ended


def test_no_path_at_all_leads_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    landing = Landing(folder)
    for path in (
        *("../x", "a/../../x", "/tmp/x", str(tmp_path / "x"), "..", ".", "", "a//b", "a/", "./a"),
        *("..\\x", "a\\..\\..\\x", "C:\\x", "C:/x", "%2e%2e/x", "a/%2e%2e%2fx", "\uff0e\uff0e/x"),
        *("a\nb", "a\x00b", "..;/x", " ../x"),
    ):
        with pytest.raises(InvalidInput):
            landing.land(of(b"x", path), [b"x"])
        with pytest.raises(InvalidInput):
            landing.state(of(b"x", path))
        assert held(tmp_path) == {}, path
    landing.close()


def test_other_bytes_than_those_registered_are_not_kept(tmp_path: Path) -> None:
    right = of(b"right", "a")
    for content in (b"wrong", b"righ", b"x" * (5 << 20)):
        with Hostile([right], lambda _, content=content: content) as hostile:
            ended = download(hostile, tmp_path / "d")
        assert ended.code == TAMPERED, (content[:20], ended)
        assert held(tmp_path) == {}
    with Hostile([right], lambda _: b"right") as hostile:
        hostile.manifest = Manifest.of([of(b"other", "a")]).digest
        assert download(hostile, tmp_path / "d").code == TAMPERED
        assert held(tmp_path) == {}
        hostile.manifest, hostile.announced = Manifest.of([right]).digest, 10**6
        broken_off = download(hostile, tmp_path / "d")
        assert broken_off.code == UNREACHABLE
        hostile.announced = None
        assert download(hostile, tmp_path / "d").code == DONE
    assert held(tmp_path) == {"d/a": b"right"}


def test_a_list_that_never_ends_is_not_read_for_ever(tmp_path: Path) -> None:
    with Hostile([of(b"x", f"f{index}") for index in range(5000)]) as hostile:
        hostile.next = "more"
        ended = download(hostile, tmp_path / "d")
    assert (ended.code, held(tmp_path)) == (TAMPERED, {})
