"""Receipts and submissions: what was written is read back, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.errors import IntegrityFailure, InvalidInput, ModelkeepError
from modelkeep.domain.merkle import consistency_path, inclusion_path, parts, proof
from modelkeep.domain.notes import Checkpoint, Note
from modelkeep.domain.receipts import Receipt, Submission
from modelkeep.domain.witnessing import SIZE_TYPE, Answer, judge
from modelkeep.ed25519 import is_signed
from tests.support.exports import LOG, SECRET, WITNESS, entries, frontier_of, signed

ENTRIES = entries(40)


def hashes_for(path: list[tuple[int, int]]) -> list[bytes]:
    wanted = {subtree for span in path for subtree in parts(span)}
    found = {
        (level, index): frontier_of(ENTRIES[index << level : index + 1 << level]).root
        for level, index in wanted
    }
    return proof(path, found)


def receipt(index: int, size: int = 40) -> Receipt:
    leaf = ENTRIES[index]["body"].encode()
    hashes = hashes_for(inclusion_path(index, size))
    return Receipt(leaf, index, tuple(hashes), signed(ENTRIES, size)["note"])


def submission(old: int, new: int, note: str = "") -> str:
    hashes = hashes_for(consistency_path(old, new)) if old <= new else []
    return Submission(old, tuple(hashes), note or signed(ENTRIES, new)["note"]).encode()


# -- receipts --------------------------------------------------------------------------------------


def test_a_receipt_proves_its_leaf_and_no_other() -> None:
    for index in range(40):
        found = Receipt.parse(receipt(index).encode())
        assert found == receipt(index)
        checkpoint = found.check()
        assert (checkpoint.origin, checkpoint.size) == (LOG.name, 40)
        for other in (
            Receipt(found.leaf + b" ", index, found.proof, found.note),
            Receipt(found.leaf, (index + 1) % 40, found.proof, found.note),
            Receipt(found.leaf, index, found.proof[1:], found.note),
            Receipt(found.leaf, index, found.proof, signed(ENTRIES, 39)["note"]),
        ):
            with pytest.raises(IntegrityFailure):
                other.check()


WHOLE = receipt(7).encode()


@pytest.mark.parametrize(
    "source",
    [
        *("", "x", WHOLE[1:], WHOLE.replace("v1", "v2", 1), WHOLE.replace("\n", "\r\n")),
        WHOLE.replace("extra ", "Extra ", 1),
        WHOLE.replace("index 7", "index 07", 1),
        WHOLE.replace("index 7", "index -7", 1),
        WHOLE.replace("index 7\n", "", 1),
        WHOLE.replace("\n\n", "\nAAAA\n\n", 1),
        WHOLE.replace("\n\n", "\n" + "A" * 43 + "=\n" * 1 + "junk\n\n", 1),
        WHOLE.replace("\n\n", "\n" + ("A" * 43 + "=\n") * 64 + "\n", 1),
        WHOLE.replace("=\n", "\n", 1),
    ],
)
def test_what_is_not_exactly_a_receipt_is_refused(source: str) -> None:
    with pytest.raises(ModelkeepError):
        Receipt.parse(source).check()


@given(st.text(), st.integers(0, len(WHOLE) - 1), st.characters(codec="utf-8"))
def test_any_text_is_a_receipt_or_refused_in_our_words(text: str, at: int, put: str) -> None:
    changed = WHOLE[:at] + put + WHOLE[at + 1 :]
    for source in (text, changed):
        try:
            found = Receipt.parse(source)
            found.check()
            names = Note.parse(found.note).signers([LOG], is_signed)
        except ModelkeepError:
            continue
        assert found.leaf == receipt(7).leaf
        assert (names == {}) == (found.note != receipt(7).note)


# -- what a witness says ---------------------------------------------------------------------------


def asked(source: str, seen: int | None = None) -> tuple[int, str]:
    """The status and the body of its answer; 200 and the text that it would cosign."""
    newest = Checkpoint.parse(Note.parse(signed(ENTRIES, seen)["note"]).text) if seen else None
    answer = judge(source, [LOG], lambda origin: newest, is_signed)
    if isinstance(answer, Answer):
        assert (answer.type == SIZE_TYPE) == (answer.status == 409)
        return answer.status, answer.body
    return 200, answer.text


def test_a_witness_cosigns_what_continues_what_it_has_seen() -> None:
    for seen in (None, 1, 7, 8, 40):
        for new in (max(1, seen or 0), 40):
            status, text = asked(submission(seen or 0, new), seen)
            assert (status, text) == (200, Note.parse(signed(ENTRIES, new)["note"]).text)


def test_a_witness_tells_what_it_has_seen_to_whoever_did_not_know() -> None:
    assert asked(submission(0, 40), 9) == (409, "9\n")
    assert asked(submission(12, 40), 9) == (409, "9\n")
    assert asked(submission(0, 5), 9) == (409, "9\n")
    assert asked(submission(3, 5)) == (409, "0\n")


def test_a_witness_refuses_what_does_not_continue_what_it_has_seen() -> None:
    ragged = Submission(9, tuple(hashes_for(consistency_path(8, 40))), signed(ENTRIES, 40)["note"])
    assert asked(ragged.encode(), 9)[0] == 422
    other = entries(41)[1:]
    fork = Submission(9, tuple(hashes_for(consistency_path(9, 40))), signed(other, 40)["note"])
    assert asked(fork.encode(), 9)[0] == 422
    same_size = Submission(40, (), signed(other, 40)["note"])
    assert asked(same_size.encode(), 40) == (409, "40\n")
    assert asked(Submission(0, (bytes(32),), signed(ENTRIES, 40)["note"]).encode())[0] == 422


def test_a_witness_knows_its_logs_and_their_keys() -> None:
    text = Checkpoint("another.example", 40, frontier_of(ENTRIES).root).text
    signature = LOG.signature(SECRET.sign(text.encode()))
    assert asked(submission(0, 40, Note(text, (signature,)).source))[0] == 404
    text = Note.parse(signed(ENTRIES, 40)["note"]).text
    assert asked(submission(0, 40, Note(text, (LOG.signature(bytes(64)),)).source))[0] == 403
    assert asked(submission(0, 40, Note(text, (WITNESS.signature(bytes(72)),)).source))[0] == 403


@pytest.mark.parametrize("source", ["", "old 0\n", "old 1\n\nx", "new 0\n\n", "old 07\n\nx"])
def test_a_witness_refuses_what_is_no_submission(source: str) -> None:
    assert asked(source)[0] == 400


def test_an_old_size_beyond_the_checkpoint_is_a_mistake() -> None:
    assert asked(submission(41, 40), 9)[0] == 400


@given(st.text())
def test_a_witness_answers_whatever_comes(text: str) -> None:
    assert asked(text)[0] in (400, 404)
    with pytest.raises(InvalidInput):
        Submission.parse("new" + text)
