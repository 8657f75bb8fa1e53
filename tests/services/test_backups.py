"""A backup is all of one moment, or it is none; what is restored is what was there."""

import asyncio
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelkeep import operations
from modelkeep.cli.client import TAMPERED
from modelkeep.domain.addresses import parse_target
from modelkeep.domain.errors import Conflict, IntegrityFailure, InvalidInput, Unavailable
from modelkeep.domain.webhooks import topic_of
from modelkeep.services import artifacts, audit, checkpoints, registry, signing, webhooks
from modelkeep.services.signing import Signing
from modelkeep.services.webhooks import Changes
from modelkeep.settings import Settings
from tests.services.test_garbage import LARGE, forget, put, stored, version_of
from tests.support.cli import modelkeep
from tests.support.clock import MovedClock
from tests.support.core import ANN, Core
from tests.support.postgres import Postgres

SMALL = b"a small file"


def quiet(what: str, done: int, total: int) -> None:
    """Says nothing."""


def back_up(
    core: Core, target: Path, since: Path | None = None, *, with_keys: bool = False
) -> Path:
    operations.back_up(core.settings, target, since, with_keys=with_keys, tell=quiet)
    return target


def problems(backup: Path) -> list[str]:
    return operations.verify_backup(backup, quiet).problems


def restore(settings: Settings, backup: Path, *, force: bool = False) -> None:
    operations.restore(settings, backup, force=force, tell=quiet)


def findings(settings: Settings) -> list[str]:
    return [f"{f.kind}: {f.what}" for f in operations.examine(settings, quiet, quick=False)]


def turn(core: Core) -> str:
    return asyncio.run(Signing(core.app, "log.example/1").turn())


@pytest.fixture
def story(core: Core) -> Core:
    """A registry with two versions, large and small files, and a signed journal."""
    core.model()
    for _ in range(2):
        version_of(core, os.urandom(LARGE))
    put(core, "a/small", SMALL)
    put(core, "a/large", os.urandom(3 * LARGE))
    core.promote(1, "Production")
    core.set_alias("champion", 2)
    assert turn(core) == ""
    return core


@pytest.fixture
def place(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> Iterator[Callable[[str], Settings]]:
    """Empty places: of this kind of database, or of the other one."""
    made: list[str] = []

    def new(kind: str) -> Settings:
        url = ""
        if kind == "postgresql" or (kind == "same" and database_url):
            server: Postgres = request.getfixturevalue("postgres")
            made.append(url := server.create_database())
        return Settings(data_dir=tmp_path / f"restored-{kind}", database_url=url)

    yield new
    for url in made:
        request.getfixturevalue("postgres").drop_database(url)


def export_of(settings: Settings) -> list[object]:
    return list(operations.open_export(settings.data_dir, settings.database_url))


@pytest.mark.parametrize("form", ["folder", "file.tar"])
def test_what_is_restored_is_what_was_backed_up(
    story: Core, place: Callable[[str], Settings], tmp_path: Path, clock: MovedClock, form: str
) -> None:
    expected = story.read(lambda work: list(audit.export(work)))
    backup = back_up(story, tmp_path / form)
    story.tag(1, "after", "the backup")
    forget(story, "a/large")
    assert problems(backup) == []
    there = place("same")
    restore(there, backup)
    assert export_of(there) == expected
    assert findings(there) == []
    again = Core(there.data_dir, there.database_url, clock)
    assert again.read(artifacts.fetch, "a/small").small == SMALL
    assert len(stored(again)) == 3
    assert again.get(2).aliases == ("champion",)
    fresh = version_of(again, os.urandom(LARGE))  # ids go on where they were
    assert (fresh, again.verify().is_intact) == (3, True)
    again.close()


def test_a_backup_of_one_kind_of_database_goes_into_the_other(
    story: Core, place: Callable[[str], Settings], tmp_path: Path
) -> None:
    expected = story.read(lambda work: list(audit.export(work)))
    other = place("sqlite" if story.settings.database_url else "postgresql")
    restore(other, back_up(story, tmp_path / "there"))
    assert export_of(other) == expected
    back = place("same")
    operations.back_up(other, tmp_path / "back", None, with_keys=False, tell=quiet)
    restore(back, tmp_path / "back")
    assert export_of(back) == expected


# -- incremental, and never half -----------------------------------------------------------------


def test_what_an_earlier_backup_has_is_linked(story: Core, tmp_path: Path) -> None:
    first = back_up(story, tmp_path / "first")
    put(story, "a/more", os.urandom(LARGE))
    second = back_up(story, tmp_path / "second", since=first)
    blobs = {path.name: path.stat().st_nlink for path in second.glob("blobs/*/*")}
    assert sorted(blobs.values()) == [1, 2, 2, 2]
    assert problems(second) == []


def test_a_backup_that_was_not_finished_is_none_and_the_next_try_goes_on_from_it(
    story: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "backup"
    seen = 0

    def die(what: str, done: int, total: int) -> None:
        nonlocal seen
        seen += what == "blobs"
        if seen == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        operations.back_up(story.settings, target, None, with_keys=False, tell=die)
    assert not target.exists()
    kept = inodes(target.with_name("backup.partial"))
    assert len(kept) == 2
    for name in ("backup", "backup.partial"):
        with pytest.raises(InvalidInput, match="was never finished"):
            operations.verify_backup(tmp_path / name, quiet)
    back_up(story, target)
    assert kept.items() <= inodes(target).items()
    with pytest.raises(Conflict, match="is there already"):
        back_up(story, target)


def inodes(backup: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in backup.glob("blobs/*/*")}


def test_every_file_of_a_backup_is_held_against_its_digest(story: Core, tmp_path: Path) -> None:
    backup = back_up(story, tmp_path / "backup", with_keys=True)
    whole = [path for path in backup.rglob("*") if path.is_file() and path.stat().st_size]
    files = [path for path in whole if path.name != "manifest.json"]
    assert any(path.parent.name == "keys" for path in files)
    for file in files:
        content = file.read_bytes()
        for damaged in (content[:-1], bytes([content[0] ^ 1]) + content[1:], None):
            file.unlink()
            if damaged is not None:
                file.write_bytes(damaged)
            assert problems(backup), file
        file.write_bytes(content)
    assert problems(backup) == []


def test_a_damaged_backup_leaves_a_place_that_no_server_takes_for_whole(
    story: Core, place: Callable[[str], Settings], tmp_path: Path, clock: MovedClock
) -> None:
    backup = back_up(story, tmp_path / "backup")
    rows = backup / "tables" / "versions.rows"
    content = rows.read_bytes()
    rows.write_bytes(content.replace(b"ann", b"bob"))
    there = place("same")
    with pytest.raises(IntegrityFailure, match=r"versions\.rows is damaged"):
        restore(there, backup)
    with pytest.raises(Unavailable, match="was not finished"):
        Core(there.data_dir, there.database_url, clock)
    rows.write_bytes(content)
    restore(there, backup)
    assert findings(there) == []


def test_a_tar_that_was_cut_off_is_no_backup(story: Core, tmp_path: Path) -> None:
    backup = back_up(story, tmp_path / "all.tar")
    assert backup.stat().st_mode & 0o077 == 0
    with tarfile.open(backup) as tar:
        end = tar.getmember("manifest.json").offset
    os.truncate(backup, end)
    with pytest.raises(InvalidInput, match="not whole"):
        operations.verify_backup(backup, quiet)


def test_blobs_that_are_damaged_already_are_named_and_left_out(story: Core, tmp_path: Path) -> None:
    name = sorted(stored(story))[1]
    (story.settings.data_dir / "blobs" / name[:2] / name).write_bytes(b"x" * LARGE)
    backup = back_up(story, tmp_path / "backup")
    assert problems(backup) == [f"the blob {name} was damaged already when it was taken"]
    assert operations.verify_backup(backup, quiet).backup.blobs == 2
    told = modelkeep("restore", backup, "--data-dir", tmp_path / "new")
    assert (told.code, "1 blobs were damaged already" in told.err) == (TAMPERED, True)
    assert "Restored what there was" in told.out


def test_a_manifest_cannot_lead_elsewhere(story: Core, tmp_path: Path) -> None:
    backup = back_up(story, tmp_path / "backup")
    manifest = backup / "manifest.json"
    text = manifest.read_text()
    for old, new in (
        ('"tables/models.rows"', '"../../models.rows"'),
        ('"name": "models"', '"name": "models; DROP TABLE runs"'),
    ):
        manifest.write_text(text.replace(old, new))
        assert text != manifest.read_text()
        assert "cannot be" in "".join(complaints(backup))
        manifest.write_text(text)


def complaints(backup: Path) -> list[str]:
    try:
        return problems(backup)
    except IntegrityFailure as error:
        return [error.message]


def test_another_backup_than_the_one_expected_is_refused_though_it_is_whole(
    story: Core, place: Callable[[str], Settings], tmp_path: Path
) -> None:
    backup = back_up(story, tmp_path / "monday")
    digest = operations.describe_backup(backup).digest
    story.tag(1, "after", "the backup")
    backup.rename(tmp_path / "kept")
    back_up(story, backup)  # in its place, and whole
    assert problems(backup) == []
    there = place("same")
    for refused in (
        lambda: operations.verify_backup(backup, quiet, digest),
        lambda: operations.restore(there, backup, force=False, tell=quiet, expected=digest),
    ):
        with pytest.raises(IntegrityFailure, match=f"not {digest}"):
            refused()
    assert not there.data_dir.exists()
    bare = digest.removeprefix("sha256:").upper()
    assert operations.verify_backup(tmp_path / "kept", quiet, bare).problems == []
    operations.restore(there, tmp_path / "kept", force=False, tell=quiet, expected=digest)
    assert findings(there) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_digest_to_expect_is_what_the_command_prints(story: Core, tmp_path: Path) -> None:
    backup = tmp_path / "all.tar"
    options = ("--data-dir", story.settings.data_dir)
    told = modelkeep("backup", backup, *options, "--no-verify", "--json").json["manifest"]
    verify = ("backup", "verify", backup, "--expect")
    assert modelkeep(*verify, told).out.count(f"Manifest {told}") == 1
    swapped = modelkeep(*verify, f"sha256:{'0' * 64}")
    assert (swapped.code, "another backup than the one expected" in swapped.err) == (TAMPERED, True)
    new = ("--data-dir", tmp_path / "new", "--expect")
    assert modelkeep("restore", backup, *new, "0" * 64).code == TAMPERED
    misused = modelkeep("restore", backup, *new, "abc")
    assert (misused.code, "64 hexadecimal digits" in misused.err) == (64, True)
    assert not (tmp_path / "new").exists()


# -- where it goes -------------------------------------------------------------------------------


def test_a_place_in_use_is_not_restored_into(
    story: Core, place: Callable[[str], Settings], tmp_path: Path, clock: MovedClock
) -> None:
    backup = back_up(story, tmp_path / "backup")
    with pytest.raises(Unavailable, match="serves"):
        restore(story.settings, backup, force=True)
    there = place("same")
    restore(there, backup)
    with pytest.raises(Conflict, match="is in use"):
        restore(there, backup)
    if there.database_url:
        with pytest.raises(Conflict, match="Make a new one"):
            restore(there, backup, force=True)
    else:
        restore(there, backup, force=True)
        assert (there.data_dir / "modelkeep.db.replaced-1").exists()
        assert findings(there) == []


def test_the_journals_key_is_never_in_a_backup_and_others_only_on_demand(
    story: Core, place: Callable[[str], Settings], tmp_path: Path, clock: MovedClock
) -> None:
    hook_id = webhooks.new_id()
    target = parse_target("https://hooks.example/x", allow_private=False)
    wanted = Changes(name="hook", topics=(topic_of("PROMPT", "CREATED"),))
    sealed = story.app.vault.seal("a secret of ours", hook_id)
    story.write(webhooks.create, ANN, wanted, target, sealed, hook_id)
    names = {path.name for path in back_up(story, tmp_path / "plain").rglob("*")}
    assert not names & {"secrets.key", "signing.key", "journal.key", "journal.checkpoint"}
    backup = back_up(story, tmp_path / "keys", with_keys=True)
    names = {path.name for path in backup.rglob("*")}
    assert {"secrets.key", "signing.key"} <= names
    assert not names & {"journal.key", "journal.checkpoint"}
    there = place("same")
    restore(there, backup)
    again = Core(there.data_dir, there.database_url, clock)
    kept = again.read(lambda work: work.webhooks.get(hook_id).sealed)
    assert again.app.vault.open(kept, hook_id) == "a secret of ours"
    again.close()


# -- a restore that rewinds ------------------------------------------------------------------------


def test_a_restore_that_rewinds_is_noticed_until_somebody_forks_with_a_reason(
    story: Core, place: Callable[[str], Settings], tmp_path: Path, clock: MovedClock
) -> None:
    backup = back_up(story, tmp_path / "backup")
    story.tag(1, "after", "the backup")
    assert turn(story) == ""
    story.close()
    there = story.settings
    if there.database_url:  # the same directory, with a database that was made for it
        there = Settings(data_dir=there.data_dir, database_url=place("same").database_url)
    restore(there, backup, force=True)
    again = Core(there.data_dir, there.database_url, clock)
    assert "an older copy was restored" in turn(again)
    again.tag(2, "on", "and on")
    again.tag(2, "on", "and on and on")
    assert "an older copy was restored" in turn(again)
    size = again.read(checkpoints.standing, again.app.notary).signed.size
    asyncio.run(signing.fork(again.app, ANN, "the disk broke: restored the backup of Monday"))
    assert turn(again) == ""
    assert again.read(checkpoints.standing, again.app.notary).signed.size > size
    assert again.verify().is_intact
    again.close()
    story.restart()  # as it was, for what looks at it afterwards
    assert story.read(registry.get_version, "churn", 1) if there.database_url else True
