"""Every kind of tampering, at every index of a journal of 500 entries, as an auditor finds it.

The auditor has the one file that verifies, an export, and a checkpoint that they kept.
"""

from collections.abc import Callable

import pytest

import modelkeep_verify as auditor
from tests.support.exports import (
    LOG,
    Line,
    entries,
    export,
    forged,
    frontier_of,
    head,
    rebuilt,
    signed,
)

SIZE = 500
ENTRIES = entries(SIZE)
HEAD, END = head(ENTRIES), {"kind": "end"}
KEPT = signed(ENTRIES, SIZE)
TRUST = auditor.Trust(auditor.is_signed, since=(KEPT["note"],))

Tampering = Callable[[int], list[Line]]


def deleted(index: int) -> list[Line]:
    after = [{**entry, "index": entry["index"] - 1} for entry in ENTRIES[index + 1 :]]
    return ENTRIES[:index] + after


def edited(index: int) -> list[Line]:
    """With a hash that fits it: the root does not."""
    false = forged(ENTRIES[index])
    false["hash"] = auditor.leaf_hash(false["body"].encode()).hex()
    return [*ENTRIES[:index], false, *ENTRIES[index + 1 :]]


def reordered(index: int) -> list[Line]:
    other = (index + 1) % SIZE
    swapped = list(ENTRIES)
    swapped[index], swapped[other] = (
        {**ENTRIES[other], "index": index},
        {**ENTRIES[index], "index": other},
    )
    return swapped


def inserted(index: int) -> list[Line]:
    extra = {**ENTRIES[(index + 7) % SIZE], "index": index}
    after = [{**entry, "index": entry["index"] + 1} for entry in ENTRIES[index:]]
    return [*ENTRIES[:index], extra, *after]


def truncated(index: int) -> list[Line]:
    return ENTRIES[:index]


def found(lines: list[Line], trust: auditor.Trust = TRUST) -> auditor.Report:
    return auditor.verify(lines, trust)


def test_the_journal_as_it_is_verifies() -> None:
    report = found(export(ENTRIES, [signed(ENTRIES, 250), KEPT]))
    assert report.is_intact, report.problems
    assert (report.size, report.signed_size, report.checkpoints) == (SIZE, SIZE, 2)
    assert report.unsigned == []


@pytest.mark.parametrize(
    ("tamper", "first_bad"),
    [
        (deleted, lambda index: index),
        (edited, lambda index: index),
        (reordered, lambda index: index if index < SIZE - 1 else 0),
        (inserted, lambda index: index),
        (truncated, lambda index: index),
    ],
)
def test_it_is_found_at_every_index_and_named(
    tamper: Tampering, first_bad: Callable[[int], int]
) -> None:
    for index in range(SIZE):
        report = found([HEAD, *tamper(index), END])
        assert report.first_bad == first_bad(index), (index, report.problems[:3])


def test_an_old_copy_is_found_by_a_checkpoint_that_was_kept() -> None:
    for size in range(SIZE):
        old = ENTRIES[:size]
        copy = [head(old), *old, END]
        assert found(copy, auditor.Trust()).is_intact  # by itself it is a journal like any other
        assert found(copy).first_bad == size


def test_a_journal_that_was_rewritten_from_an_entry_on_is_found_by_its_checkpoints() -> None:
    every = 50
    kept = tuple(signed(ENTRIES, size)["note"] for size in range(every, SIZE + 1, every))
    trust = auditor.Trust(auditor.is_signed, since=kept)
    for index in range(0, SIZE, 7):
        rewritten = rebuilt(edited(index))
        assert found(export(rewritten), auditor.Trust()).is_intact
        report = found(export(rewritten), trust)
        # Which entry it was is gone; between which checkpoints it lies is not.
        assert report.first_bad == index - index % every
        assert f"{index - index % every} to {index - index % every + every - 1}" in str(report)


def test_the_checkpoints_of_the_export_are_held_against_it_too() -> None:
    rewritten = rebuilt(edited(123))
    lines = export(rewritten, [signed(ENTRIES, 100), signed(ENTRIES, 300)])
    assert found(lines, auditor.Trust()).first_bad == 100
    assert found(export(ENTRIES[:200], [signed(ENTRIES, 300)]), auditor.Trust()).first_bad == 200


def test_the_tree_of_the_auditor_is_the_journals() -> None:
    report = found(export(ENTRIES))
    assert report.root == frontier_of(ENTRIES).root.hex()
    assert auditor.opened(KEPT["note"], [auditor.PublicKey.parse(LOG.vkey)], auditor.is_signed)
