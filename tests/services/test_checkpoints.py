"""What is signed continues what was signed before, or nothing is signed until somebody says why."""

import asyncio
import shutil
from pathlib import Path

import pytest

from modelkeep.domain import audit
from modelkeep.domain.announcements import announced
from modelkeep.domain.errors import Conflict, IntegrityFailure, InvalidInput, NotFound
from modelkeep.domain.examples import example
from modelkeep.domain.merkle import Frontier, extends, includes, leaf_hash
from modelkeep.domain.notes import Checkpoint, Note, PublicKey, opened
from modelkeep.domain.receipts import Receipt, Submission
from modelkeep.domain.seals import Trust
from modelkeep.ed25519 import is_signed
from modelkeep.operations import open_witness
from modelkeep.ports.checkpoints import Reply, Signed
from modelkeep.services import checkpoints, proofs, registry, signing
from modelkeep.services.app import App
from modelkeep.services.checkpoints import REFRESH_MS, Standing
from modelkeep.services.signing import Signing
from modelkeep.storage.sql.dialects import dialect_for
from modelkeep.storage.sql.work import SqlWork
from modelkeep.storage.witness import WitnessBook
from tests.support.clock import MovedClock
from tests.support.core import ANN, HOUR_MS, Core

ORIGIN = "log.example/1"


def turn(core: Core) -> str:
    """One turn of a process that has just started."""
    return asyncio.run(Signing(core.app, ORIGIN).turn())


def standing(core: Core) -> Standing:
    return core.read(checkpoints.standing, core.app.notary)


def newest(core: Core) -> Signed:
    found = standing(core).signed
    assert found
    return found


def signed(core: Core) -> Checkpoint:
    """The newest checkpoint, whose signature holds."""
    key = PublicKey.parse(standing(core).origin.vkey)
    return opened(newest(core).note, [key], is_signed)


def tags(core: Core, count: int) -> None:
    for number in range(count):
        core.write(registry.set_model_tag, ANN, "churn", "k", str(number))


def fork(core: Core, reason: str = "restored the backup of Monday", name: str = "") -> None:
    asyncio.run(signing.fork(core.app, ANN, reason, name))


@pytest.fixture
def journal(core: Core) -> Core:
    """A journal of five entries, signed."""
    core.model()
    tags(core, 4)
    assert turn(core) == ""
    return core


# -- signing -----------------------------------------------------------------------------------


def test_an_empty_journal_is_not_signed(core: Core) -> None:
    assert turn(core) == ""
    assert standing(core).signed is None
    assert standing(core).origin.name == ORIGIN


def test_what_is_committed_is_signed_and_the_next_continues_it(journal: Core) -> None:
    first = signed(journal)
    assert (first.origin, first.size) == (ORIGIN, 5)
    assert first.root == standing(journal).tree.root
    tags(journal, 3)
    assert turn(journal) == ""
    second = signed(journal)
    hashes = journal.read(proofs.consistency, 5, 8)
    assert extends(first.size, first.root, second.size, second.root, hashes)
    assert journal.app.notary.remembered() == newest(journal).note


def test_a_journal_that_rests_is_signed_again_after_a_while_and_not_before(
    journal: Core, clock: MovedClock
) -> None:
    at_ms = newest(journal).at_ms
    clock.advance(REFRESH_MS - 1)
    turn(journal)
    assert newest(journal).at_ms == at_ms
    clock.advance(1)
    turn(journal)
    assert newest(journal).at_ms == at_ms + REFRESH_MS
    assert signed(journal).size == 5


def test_of_hours_that_have_passed_the_last_checkpoint_is_kept(
    journal: Core, clock: MovedClock
) -> None:
    for _ in range(2):
        for _ in range(3):
            tags(journal, 1)
            turn(journal)
        clock.advance(HOUR_MS)
    tags(journal, 1)
    turn(journal)
    sizes = journal.read(lambda work: [found.size for found in work.checkpoints.all()])
    assert sizes == [8, 11, 12]


def test_a_server_that_died_before_it_signed_signs_at_the_next_start(journal: Core) -> None:
    tags(journal, 3)
    journal.restart()
    assert turn(journal) == ""
    assert signed(journal).size == 8


def test_one_that_died_after_its_notary_remembered_goes_on(journal: Core) -> None:
    tags(journal, 1)
    journal.app.notary.remember(journal.app.notary.sign(standing(journal).tree))
    journal.restart()
    assert signed(journal).size == 5
    assert turn(journal) == ""
    assert signed(journal).size == 6


# -- what must not be signed -----------------------------------------------------------------------


def rewind(core: Core, size: int) -> None:
    """What is left of the journal when an older copy of its tables is restored."""

    def cut(work: SqlWork) -> None:
        frontier = Frontier()
        for entry in work.journal.entries(0, size):
            frontier = frontier.append(entry.hash)
        work.db.run("DELETE FROM journal_leaves WHERE idx >= ?", size)
        work.db.run("DELETE FROM checkpoints WHERE size > ?", size)
        work.db.run("UPDATE journal_state SET size = ?, peaks = ?", size, frontier.encode())

    core.write(cut)


def test_a_rewound_journal_is_not_signed_until_it_is_forked(journal: Core) -> None:
    tags(journal, 2)
    turn(journal)
    rewind(journal, 3)
    journal.restart()
    assert "has 3 entries, and a checkpoint of 7 was signed" in turn(journal)
    assert standing(journal).signed is None
    fork(journal)
    assert turn(journal) == ""
    assert signed(journal).origin == f"{ORIGIN}/2"
    leaf = journal.leaves()[-1]
    assert leaf["act"] == "journal:origin:forked"
    assert (leaf["pre"]["origin"], leaf["pre"]["size"]) == (ORIGIN, 7)
    assert leaf["texts"]["reason"] == "restored the backup of Monday"
    restore(journal)


def restore(core: Core) -> None:
    """Puts the tables where the journal is, for the fixture's own check at the end."""

    def back(work: SqlWork) -> None:
        (value,) = [e for e in work.journal.entries(0, 99) if b'"model:tag:set"' in e.body][-1:]
        work.db.run("UPDATE model_tags SET value = ?", value.texts["tag.0"][1])

    core.write(back)


def test_one_that_was_rewound_and_went_on_is_not_signed_either(journal: Core) -> None:
    tags(journal, 2)
    turn(journal)
    rewind(journal, 3)
    tags(journal, 9)
    assert "does not begin with the 7 entries of a checkpoint" in turn(journal)
    restore(journal)


def test_an_entry_that_was_exchanged_below_the_tree_is_seen_when_it_is_signed(
    journal: Core,
) -> None:
    kept = journal.read(lambda work: work.journal.entries(4, 1)[0].hash)
    alter(journal, "UPDATE journal_leaves SET hash = ? WHERE idx = 4", leaf_hash(b"x"))
    tags(journal, 1)
    assert "does not begin with the 5 entries" in turn(journal)
    alter(journal, "UPDATE journal_leaves SET hash = ? WHERE idx = 4", kept)
    assert turn(journal) == ""


def alter(core: Core, statement: str, *params: object) -> None:
    """Behind the server's back."""
    db = dialect_for(core.settings.database_url, core.settings.data_dir).connect(read_only=False)
    db.run(statement, *params)
    db.close()


def test_missing_entries_and_a_broken_edge_are_not_signed(journal: Core) -> None:
    size, peaks = journal.read(lambda work: work.journal.state())
    alter(journal, "UPDATE journal_state SET size = 7")
    with pytest.raises(IntegrityFailure, match="edge of the journal's tree was damaged"):
        turn(journal)
    longer = Frontier.decode(size, peaks).append(bytes(32)).append(bytes(32)).encode()
    alter(journal, "UPDATE journal_state SET peaks = ?", longer)
    assert "lacks entries" in turn(journal)
    alter(journal, "UPDATE journal_state SET size = ?, peaks = ?", size, peaks)
    assert turn(journal) == ""


def lose_the_key(core: Core) -> None:
    """The server makes another one."""
    core.close()
    (core.settings.data_dir / "journal.key").unlink()
    core.restart()


def test_another_key_does_not_sign_for_the_journal(journal: Core) -> None:
    lose_the_key(journal)
    tags(journal, 1)
    assert "this server has the key" in turn(journal)
    assert newest(journal).size == 5
    fork(journal, "the key was lost")
    assert turn(journal) == ""
    assert signed(journal).origin == f"{ORIGIN}/2"


def test_a_notary_that_remembers_another_journal_objects(journal: Core) -> None:
    other = journal.app.notary.sign(Checkpoint("another.example", 2, bytes(32)))
    journal.app.notary.remember(other)
    assert "a checkpoint of another.example, of which it does not know" in turn(journal)


def test_a_memory_that_was_damaged_bars_signing_and_not_the_fork(journal: Core) -> None:
    (journal.settings.data_dir / "journal.checkpoint").write_bytes(b"\xff\xfe")
    assert "(the checkpoint is from the notary)" in turn(journal)
    fork(journal, "the disk is failing")
    assert journal.leaves()[-1]["pre"]["size"] == 5
    assert turn(journal) == ""


def test_there_is_nothing_to_fork_before_the_first_origin(core: Core) -> None:
    with pytest.raises(NotFound, match="no origin yet"):
        fork(core)


def test_a_fork_needs_a_reason_and_a_name_of_its_own(journal: Core) -> None:
    for reason in ("", " "):
        with pytest.raises(InvalidInput, match="needs a reason"):
            fork(journal, reason)
    for name in (ORIGIN, "a b", "a+b", "x" * 300):
        with pytest.raises(InvalidInput):
            fork(journal, "why not", name)
    lose_the_key(journal)
    fork(journal, "why not", "log.example/2")
    lose_the_key(journal)
    fork(journal, "and again")
    turn(journal)
    assert signed(journal).origin == f"{ORIGIN}/3"


def test_a_sound_journal_is_not_forked(journal: Core) -> None:
    tags(journal, 1)  # not signed yet
    with pytest.raises(Conflict, match="there is nothing to fork for"):
        fork(journal)
    assert standing(journal).origin.name == ORIGIN


def test_a_fork_is_announced(journal: Core) -> None:
    lose_the_key(journal)
    fork(journal)
    (told,) = announced(journal.leaves()[-1], False, {})
    assert str(told.topic) == "JOURNAL/FORKED"
    assert told.data == {
        "origin": f"{ORIGIN}/2",
        "vkey": standing(journal).origin.vkey,
        "previous": ORIGIN,
        "reason": "restored the backup of Monday",
        "actor": "ann",
    }
    assert told.data.keys() == example(told.topic).keys()


def test_what_was_signed_under_an_origin_that_gave_way_meanwhile_is_dropped(journal: Core) -> None:
    tags(journal, 1)
    note = journal.app.notary.sign(standing(journal).tree)
    lose_the_key(journal)
    fork(journal)
    journal.write(checkpoints.keep, 1, note)
    assert [s.size for s in journal.read(lambda work: list(work.checkpoints.all()))] == [5]


# -- proofs ----------------------------------------------------------------------------------------


@pytest.fixture
def long(core: Core) -> Core:
    """A journal of more than two tiles, of which the last entries are not signed."""
    core.model()
    core.write(
        lambda work: [registry.set_model_tag(work, ANN, "churn", "k", str(n)) for n in range(599)]
    )
    turn(core)
    tags(core, 2)
    return core


def test_any_entry_and_any_size_can_be_proven_across_tiles(long: Core) -> None:
    entries = long.read(lambda work: work.journal.entries(0, 1000))
    assert len(entries) == 602
    for size in (1, 2, 255, 256, 257, 511, 512, 513, 600, 602):
        root = entries[size - 1].root
        for index in {at for at in (0, 1, 255, 256, size // 2, size - 1) if at < size}:
            hashes = long.read(proofs.inclusion, index, size)
            assert includes(entries[index].hash, index, size, hashes, root)
        for old in (1, 255, 256, 300, size):
            if old <= size:
                hashes = long.read(proofs.consistency, old, size)
                assert extends(old, entries[old - 1].root, size, root, hashes)


def test_a_proof_beyond_the_journal_is_refused(long: Core) -> None:
    for index, size in ((0, 0), (5, 5), (602, 602), (0, 603), (-1, 5)):
        with pytest.raises(InvalidInput, match="how many entries there are"):
            long.read(proofs.inclusion, index, size)
    for old, new in ((5, 4), (0, 603), (-1, 4)):
        with pytest.raises(InvalidInput, match="how many entries there are"):
            long.read(proofs.consistency, old, new)


def test_tiles_are_those_of_the_tree(long: Core) -> None:
    hashes = [entry.hash for entry in long.read(lambda work: work.journal.entries(0, 1000))]
    assert long.read(proofs.tile, 0, 0, 256) == b"".join(hashes[:256])
    assert long.read(proofs.tile, 0, 2, 90) == b"".join(hashes[512:602])
    above = long.read(proofs.tile, 1, 0, 2)
    for number in (0, 1):
        frontier = Frontier()
        for value in hashes[number * 256 : (number + 1) * 256]:
            frontier = frontier.append(value)
        assert above[number * 32 : number * 32 + 32] == frontier.root
    for level, number, width in ((0, 2, 91), (0, 3, 1), (1, 0, 3), (2, 0, 1), (0, 9, 256)):
        with pytest.raises(NotFound):
            long.read(proofs.tile, level, number, width)
    bundle = long.read(proofs.bundle, 2, 90)
    length = int.from_bytes(bundle[:2], "big")
    assert leaf_hash(bundle[2 : 2 + length]) == hashes[512]
    with pytest.raises(NotFound):
        long.read(proofs.bundle, 2, 91)


def test_a_receipt_is_had_by_index_and_by_the_request_that_made_it(long: Core) -> None:
    found = long.read(proofs.receipt, 300)
    checkpoint = Receipt.parse(found.encode()).check()
    assert checkpoint.size == 600
    with pytest.raises(Conflict, match="not covered by a checkpoint yet"):
        long.read(proofs.receipt, 601)
    with pytest.raises(NotFound):
        long.read(proofs.receipt, 602)


def test_a_request_that_made_many_entries_has_a_receipt_for_each(journal: Core) -> None:
    found = journal.read(proofs.receipts, "req-ann")
    assert [receipt.index for receipt in found] == [0, 1, 2, 3, 4]
    for receipt in found:
        assert receipt.check().size == 5
    for unknown in ("", "req-nobody"):
        with pytest.raises(NotFound):
            journal.read(proofs.receipts, unknown)


def test_an_export_holds_the_checkpoints_and_verifies_by_them(journal: Core) -> None:
    kept = newest(journal).note
    key = PublicKey.parse(standing(journal).origin.vkey)
    lose_the_key(journal)
    fork(journal)
    turn(journal)
    new = PublicKey.parse(standing(journal).origin.vkey)
    trust = Trust(is_signed, (key, new), since=(kept,))
    report = audit.verify(journal.export(), trust)
    assert report.is_intact, report.problems
    assert (report.unsigned, report.checkpoints, report.signed_size) == ([], 2, 6)
    assert report.forks == [(5, f"{ORIGIN}/2")]
    unknown = audit.verify(journal.export(), Trust(is_signed, (key,)))
    assert unknown.is_intact
    assert len(unknown.unsigned) == 1


def test_an_origin_that_nobody_opened_is_seen(journal: Core) -> None:
    alter(journal, "INSERT INTO journal_origins VALUES (1, 2, 'eve', 'vkey', 5)")
    report = journal.verify()
    assert [p.message for p in report.problems] == [
        "origin 2 is in the tables, and no entry of the journal made it"
    ]
    alter(journal, "DELETE FROM journal_origins WHERE number = 2")


# -- witnesses -------------------------------------------------------------------------------------


class Near:
    """A witness in this process."""

    def __init__(self, book: WitnessBook) -> None:
        self.book, self.is_away, self.asked = book, False, 0

    @property
    def key(self) -> PublicKey:
        return self.book.key

    async def submit(self, submission: Submission) -> Reply:
        self.asked += 1
        if self.is_away:
            return Reply(0, "away")
        answer = self.book.add_checkpoint(submission.encode(), 1_700_000_000 + self.asked)
        return Reply(answer.status, answer.body)


@pytest.fixture
def near(journal: Core, tmp_path: Path) -> Near:
    key = PublicKey.parse(standing(journal).origin.vkey)
    return Near(open_witness("w.example/1", tmp_path / "w.key", tmp_path / "w", [key]))


def witnessed(core: Core, witness: Near) -> Signing:
    """A process of a server that this witness cosigns for."""
    app = core.app
    fields = {name: getattr(app, name) for name in App.__slots__}
    return Signing(App(**{**fields, "witnesses": (witness,)}), ORIGIN)


def cosigners(core: Core, witness: Near) -> dict[PublicKey, int | None]:
    return Note.parse(newest(core).note).signers([witness.key], is_signed)


def test_a_witness_cosigns_each_checkpoint_in_turn(journal: Core, near: Near) -> None:
    process = witnessed(journal, near)
    assert asyncio.run(process.turn()) == ""
    for count in (1, 5):
        tags(journal, count)
        assert asyncio.run(process.turn()) == ""
        assert near.key in cosigners(journal, near)
    before = near.asked
    asyncio.run(process.turn())
    assert near.asked == before  # there was nothing new


def test_a_witness_that_is_away_delays_nothing_and_is_asked_again_later(
    journal: Core, near: Near, clock: MovedClock
) -> None:
    near.is_away = True
    process = witnessed(journal, near)
    tags(journal, 1)
    assert asyncio.run(process.turn()) == ""
    assert signed(journal).size == 6
    near.is_away = False
    asyncio.run(process.turn())
    assert cosigners(journal, near) == {}
    clock.advance(60_000)
    asyncio.run(process.turn())
    assert near.key in cosigners(journal, near)


def test_a_new_process_learns_from_its_witness_what_that_has_seen(
    journal: Core, near: Near
) -> None:
    asyncio.run(witnessed(journal, near).turn())
    tags(journal, 4)
    assert asyncio.run(witnessed(journal, near).turn()) == ""
    assert near.key in cosigners(journal, near)


def test_a_witness_remembers_what_everything_here_has_forgotten(
    journal: Core, near: Near, tmp_path: Path
) -> None:
    memory = journal.settings.data_dir / "journal.checkpoint"
    shutil.copy(memory, tmp_path / "old")
    tags(journal, 2)
    asyncio.run(witnessed(journal, near).turn())
    rewind(journal, 5)
    shutil.copy(tmp_path / "old", memory)
    assert turn(journal) == ""  # by itself it cannot know
    said = asyncio.run(witnessed(journal, near).turn())
    assert "The witness w.example/1 has cosigned a tree of 7 entries" in said
    tags(journal, 1)
    assert "w.example/1" in turn(journal)
    assert signed(journal).size == 5
    restore(journal)


def test_a_witness_that_saw_another_history_objects_once_it_is_as_long(
    journal: Core, near: Near, tmp_path: Path
) -> None:
    memory = journal.settings.data_dir / "journal.checkpoint"
    shutil.copy(memory, tmp_path / "old")
    tags(journal, 2)
    asyncio.run(witnessed(journal, near).turn())
    rewind(journal, 5)
    shutil.copy(tmp_path / "old", memory)
    tags(journal, 6)
    process = witnessed(journal, near)
    asyncio.run(process.turn())
    assert "The witness w.example/1 has cosigned a tree of 7" in asyncio.run(process.turn())
    restore(journal)


def test_a_witness_keeps_what_it_saw_when_it_starts_again(
    journal: Core, near: Near, tmp_path: Path
) -> None:
    asyncio.run(witnessed(journal, near).turn())
    log = PublicKey.parse(standing(journal).origin.vkey)
    again = open_witness("w.example/1", tmp_path / "w.key", tmp_path / "w", [log])
    assert again.key == near.key
    note = journal.app.notary.sign(Checkpoint(ORIGIN, 5, bytes(32)))
    answer = again.add_checkpoint(Submission(0, (), note).encode(), 1)
    assert (answer.status, answer.body) == (409, "5\n")
