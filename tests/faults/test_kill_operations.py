"""Backups, restores and collections that are killed, run out of room, or run beside writers."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from modelkeep import operations
from modelkeep.services import artifacts
from modelkeep.settings import Settings
from modelkeep.storage.blobs.checks import is_sha256
from tests.conftest import StartServer
from tests.services.test_backups import findings, problems, quiet
from tests.services.test_garbage import forget, put
from tests.support.cli import modelkeep
from tests.support.clock import MovedClock
from tests.support.core import Core

FILES = 60
FILE_BYTES = 400_000
UPLOADS = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def estate(tmp_path: Path, clock: MovedClock) -> Settings:
    """A data directory with many blobs, whose server has stopped."""
    core = Core(tmp_path / "data", "", clock)
    core.model()
    for number in range(FILES):
        put(core, f"a/{number}", os.urandom(FILE_BYTES))
    core.close()
    return core.settings


# Runs a command, and kills its process at the n-th call that has such an effect on a blob.
KILLED = """
import os, signal, sys
effect, left = sys.argv[1], int(sys.argv[2])
def count(event, args):
    global left
    if event == effect and "/blobs/" in str(args[0 if effect == "os.remove" else 1]):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
sys.argv = ["modelkeep", *sys.argv[3:]]
from modelkeep.cli.main import main
main()
"""


def killed_at(effect: str, count: int, *args: str | Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, effect, str(count), *map(str, args)],
        check=False,
        capture_output=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended


def damage(settings: Settings) -> list[str]:
    """What was found, but for blobs that nothing names."""
    return [found for found in findings(settings) if not found.startswith("orphans")]


def blobs_in(folder: Path) -> int:
    return len([file for file in (folder / "blobs").glob("??/*") if is_sha256(file.name)])


def test_a_backup_and_a_restore_that_are_killed_are_taken_up_again(
    estate: Settings, tmp_path: Path
) -> None:
    backup, partial = tmp_path / "backup", tmp_path / "backup.partial"
    here = ("--data-dir", estate.data_dir)
    killed_at("os.rename", FILES // 3, "backup", backup, *here)
    assert blobs_in(partial) == FILES // 3 - 1
    refused = modelkeep("backup", "verify", backup)
    assert (refused.code, "was never finished" in refused.err) == (64, True)
    done = modelkeep("backup", backup, *here, "--json")
    assert (done.code, done.json["blobs"], done.json["problems"]) == (0, FILES, [])

    there = tmp_path / "there"
    killed_at("os.rename", FILES // 3, "restore", backup, "--data-dir", there)
    refused = modelkeep("serve", "--port", "0", "--data-dir", there)
    assert (refused.code, "was not finished" in refused.err) == (1, True)
    assert modelkeep("restore", backup, "--data-dir", there).code == 0
    found = modelkeep("fsck", "--data-dir", there)
    assert (found.code, found.out) == (0, "All is well.\n")


def test_a_collection_that_is_killed_is_taken_up_again(estate: Settings, clock: MovedClock) -> None:
    core = Core(estate.data_dir, "", clock)
    for number in range(FILES // 2):
        forget(core, f"a/{number}")
    core.close()
    here = ("--data-dir", estate.data_dir)
    gc = ("gc", "--delete", "--grace-hours", "0", *here)
    assert modelkeep("gc", *here, "--json").json["new"]["count"] == FILES // 2
    first = modelkeep(*gc, "--json")
    assert (first.json["new"]["count"], first.json["due"]["count"]) == (FILES // 2, 0)
    killed_at("os.remove", FILES // 4, *gc)
    assert FILES // 2 < blobs_in(estate.data_dir) < FILES
    assert damage(estate) == []
    for _ in range(2):  # what was doomed begins anew
        assert modelkeep(*gc).code == 0
    assert blobs_in(estate.data_dir) == FILES // 2
    assert findings(estate) == []


def test_a_full_disk_is_said_and_leaves_no_backup(estate: Settings, tmp_path: Path) -> None:
    for target in ("backup", "backup.tar"):
        ended = subprocess.run(
            [
                *(sys.executable, "-m", "modelkeep", "backup", tmp_path / target),
                *("--data-dir", estate.data_dir),
            ],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1
        assert f"{target}" in ended.stderr
        assert "File too large" in ended.stderr
        assert not (tmp_path / target).exists()
    assert problems(_backed_up(estate, tmp_path / "backup")) == []


def _backed_up(settings: Settings, target: Path) -> Path:
    operations.back_up(settings, target, None, with_keys=False, tell=quiet)
    return target


def test_backups_beside_writers_are_each_of_one_moment(
    start_server: StartServer, database_url: str, tmp_path: Path, clock: MovedClock
) -> None:
    server = start_server(database_url=database_url)
    settings = Settings(data_dir=server.data_dir, database_url=database_url)
    stop, acknowledged = threading.Event(), [0]

    def write() -> None:
        with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
            for number in range(100_000):
                content = os.urandom(50_000) if number % 3 else b"small %d" % number
                assert http.put(f"{UPLOADS}/w/{number}", content=content).status_code == 200
                if number % 5 == 4:
                    assert http.delete(f"{UPLOADS}/w/{number - 2}").status_code == 200
                name = {"name": f"model-{number}"}
                http.post("/api/2.0/mlflow/registered-models/create", json=name)
                acknowledged[0] = number + 1
                if stop.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    backups, before = [], []
    for number in range(3):
        while acknowledged[0] < 10 * (number + 1):
            assert writer.is_alive()
            time.sleep(0.01)
        before.append(acknowledged[0])
        backups.append(_backed_up(settings, tmp_path / f"backup-{number}"))
    stop.set()
    writer.join()
    assert damage(settings) == []
    for backup, least in zip(backups, before, strict=True):
        assert problems(backup) == []
        there = Settings(data_dir=tmp_path / f"of-{backup.name}")
        operations.restore(there, backup, force=False, tell=quiet)
        assert findings(there) == []
        core = Core(there.data_dir, "", clock)
        assert core.verify().is_intact
        assert core.read(lambda work: work.journal.size()) >= least
        assert core.read(artifacts.listing, "w")
        core.close()
