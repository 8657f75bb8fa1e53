"""Whether a process is ready: what it looks at, and how often."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from modelkeep.domain.errors import Conflict, Unavailable
from modelkeep.services import readiness
from modelkeep.services.readiness import Check, Readiness
from modelkeep.services.signing import Signing
from modelkeep.site import build
from modelkeep.storage.files import check_room
from tests.support.clock import MovedClock
from tests.support.core import Core


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "LIMIT_S", 60)  # however busy the machine is


def findings(core: Core) -> dict[str, str]:
    return asyncio.run(Readiness(core.running.checks()).findings())


def ready(core: Core) -> httpx.Response:
    door = build(core.running, core.settings, core.clock.now_ms).door

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(door, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return await http.get("/ready")

    return asyncio.run(ask())


def test_a_sound_core_is_ready(core: Core) -> None:
    core.model()
    asyncio.run(Signing(core.app, "a/b").turn())
    found = findings(core)
    shared = ("store",) if core.settings.database_url else ()  # others may have moved it
    assert found == dict.fromkeys(("database", "schema", "disk", "journal", *shared), "")


def test_tables_of_an_earlier_release_are_told_of(core: Core) -> None:
    def set_back(work) -> None:
        work.db.run("UPDATE alembic_version SET version_num = ?", "0001")

    head = core.read(lambda work: work.db.one("SELECT version_num FROM alembic_version"))[0]
    core.write(set_back)
    assert findings(core)["schema"].startswith("The database is at schema 0001, and this process")
    core.write(lambda work: work.db.run("UPDATE alembic_version SET version_num = ?", "9999"))
    assert findings(core)["schema"] == ""  # it only has more
    core.write(lambda work: work.db.run("UPDATE alembic_version SET version_num = ?", head))


def test_a_journal_that_must_not_be_signed_is_told_of(core: Core) -> None:
    asyncio.run(Signing(core.app, "a/b").turn())
    core.app.notary.object("a/b", "A witness has seen more")
    assert findings(core)["journal"] == "No checkpoint is signed: A witness has seen more."
    told = ready(core)
    assert told.json()["checks"]["journal"]["ok"] is False
    assert told.status_code == 200  # what is served is held against its digests all the same
    core.writer.close()
    assert ready(core).status_code == 503


def test_a_writer_that_has_stopped_is_told_of(core: Core) -> None:
    core.writer.close()
    assert "stopping" in findings(core)["database"]


def test_too_little_room_is_told_of(tmp_path: Path, clock: MovedClock) -> None:
    core = Core(tmp_path / "data", "", clock, min_free_bytes=1 << 60)
    try:
        assert "--min-free-bytes" in findings(core)["disk"]
    finally:
        core.close()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc to write to")
def test_a_folder_that_nobody_can_write_to_is_told_of() -> None:
    with pytest.raises(Unavailable, match="cannot be written to"):
        check_room(Path("/proc"), 0)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, with nothing left on it."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("A disk to be filled can be mounted by root alone.")
    try:
        with pytest.raises(OSError, match="No space"):
            (tmp_path / "filler").write_bytes(b"x" * (1 << 20))
        yield tmp_path
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_disk_is_told_of(full_disk: Path) -> None:
    with pytest.raises(Unavailable, match="No space left"):
        check_room(full_disk, 0)


class Look:
    """One that is over when it is let go on, and counted."""

    def __init__(self) -> None:
        self.count, self.go_on = 0, asyncio.Event()

    async def __call__(self) -> None:
        self.count += 1
        await self.go_on.wait()


def test_there_is_one_look_at_a_time_and_its_answer_holds_for_a_while() -> None:
    async def run() -> None:
        look = Look()

        async def finds_it_broken() -> None:
            await look()
            raise Conflict("It is broken.")

        ready = Readiness([Check("it", finds_it_broken, keep_s=3600)])
        asking = [asyncio.create_task(ready.findings()) for _ in range(50)]
        await asyncio.sleep(0)
        look.go_on.set()
        assert await asyncio.gather(*asking) == [{"it": "It is broken."}] * 50
        assert await ready.findings() == {"it": "It is broken."}
        assert look.count == 1

    asyncio.run(run())


def test_what_does_not_answer_is_not_asked_again_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readiness, "LIMIT_S", 0.01)

    async def run() -> None:
        look = Look()
        ready = Readiness([Check("it", look, keep_s=0)])
        for _ in range(3):
            assert "no answer" in (await ready.findings())["it"]
        assert look.count == 1
        look.go_on.set()
        await asyncio.sleep(0)  # the look that is over
        monkeypatch.setattr(readiness, "LIMIT_S", 10)
        assert await ready.findings() == {"it": ""}

    asyncio.run(run())


def test_what_does_not_answer_is_in_the_log_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(readiness, "LIMIT_S", 0.01)

    async def story() -> None:
        over = asyncio.Event()

        async def look() -> None:
            await over.wait()

        asked = Readiness([Check("store", look, keep_s=0)])
        for _ in range(3):
            assert "no answer" in (await asked.findings())["store"]
        over.set()
        for _ in range(5):  # turns of the loop, in which the look ends
            await asyncio.sleep(0)
        assert await asked.findings() == {"store": ""}

    asyncio.run(story())
    told = [record.getMessage() for record in caplog.records]
    assert told == ["store: not ready: There was no answer within 0.01 s.", "store: ready again"]
