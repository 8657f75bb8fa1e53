"""What a call changed of packages, read from the journal.

A call may leave several entries, which lie next to one another; nobody could read what was between
them. What they come to of one package is one change. What was so before is read from the entries
before the call: so the same call always makes the same changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

import msgspec

from modelkeep.domain.approvals import Status as RequestStatus
from modelkeep.domain.models import READY, Version
from modelkeep.domain.package_events import (
    DESCRIPTION,
    TAGS,
    Change,
    Standing,
    changed,
    made,
)
from modelkeep.domain.packages import FROZEN, MEMBERS, SINGLE_TAG, VERDICTS, Approval, verdict_of
from modelkeep.ports.journal import Entry
from modelkeep.ports.work import Work
from modelkeep.services.policies import lifecycle_of

LOOK_BACK = 2_000  # entries of a model that are read for what was so before a call
PAGE = 100
NEAR = 10  # entries read at a time for those of the same call

_MADE = "version:created"
_TOUCHED = {
    "version:described": DESCRIPTION,
    "version:tag:set": TAGS,
    "version:tag:deleted": TAGS,
    "version:semver:raised": TAGS,
}
# With these a version's files come to be known, or not.
_ARRIVED, _REFUSED = "version:bytes:verified", "version:bytes:refused"

_AGAINST = (RequestStatus.REJECTED.value, RequestStatus.CHANGES.value)

Leaf = Mapping[str, Any]
Told = tuple[Entry, Leaf]


def of_call(work: Work, last: Entry) -> Iterator[tuple[int, Change]]:
    """What a call, whose last entry this is, changed of each package; with each a number that is
    its own among them, from 0. What was moved comes behind what made way for it: so who follows
    the events ends with what the call was about."""
    if "imported" in _leaf(last)["why"]:  # so is the whole call
        return
    of_each: dict[tuple[int, int], list[Told]] = {}
    for entry in _entries(work, last):
        leaf, model_id = _leaf(entry), entry.model_id
        if model_id is not None:
            for number in _numbers(work, leaf):
                of_each.setdefault((model_id, number), []).append((entry, leaf))
    in_order = sorted(of_each.items(), key=lambda each: _is_moved(*each))
    for part, ((model_id, number), told) in enumerate(in_order):
        version = work.versions.get(model_id, number)
        change = _change(work, version, told) if version else None  # else deleted since
        if change:
            yield part, change


def _is_moved(package: tuple[int, int], told: Sequence[Told]) -> bool:
    """Whether one of the entries is about its move, and not only another's."""
    return any(
        "stages" in leaf["post"] and leaf["obj"]["version"] == package[1] for _, leaf in told
    )


def _entries(work: Work, last: Entry) -> list[Entry]:
    """Those of the call that this one ends, in order."""
    found = [last]
    while last.request and found[0].index:
        start = max(0, found[0].index - NEAR)
        page = work.journal.entries(start, found[0].index - start)
        near = list(takewhile(last.is_of_call, reversed(page)))
        found[:0] = reversed(near)
        if len(near) < len(page):
            break
    return found


def _change(work: Work, version: Version, told: Sequence[Told]) -> Change | None:
    """What all that is told of a package comes to."""
    is_single = work.models.tag(version.model_id, SINGLE_TAG) is not None
    production = lifecycle_of(work, version.model_name).production
    is_new = any(leaf["act"] == _MADE for _, leaf in told)
    known = {} if is_new else _before(work, told[0][0], version, production)
    before = after = Standing(is_single=is_single, **known)
    touched = set[str]()
    for _, leaf in told:
        after = replace(after, **_said_in(work, leaf, version, production))
        touched |= {_TOUCHED[leaf["act"]]} if _tells(leaf) else set()
    if is_new:
        return made(version, after, production)
    return changed(version, before, after, production, touched)


def _leaf(entry: Entry) -> Leaf:
    return msgspec.json.decode(entry.body)


def _tells(leaf: Leaf) -> bool:
    """Whether an entry changes a field whatever was before. A version may get a new semantic
    version without a tag of it."""
    is_renumbered = leaf["act"] == "version:semver:raised" and "tags" not in leaf["post"]
    return leaf["act"] in _TOUCHED and not is_renumbered


def _numbers(work: Work, leaf: Leaf) -> list[int]:
    """The versions of an entry's model that it may have changed."""
    moved = [stay["version"] for stay in leaf["post"].get("stages", ())]
    asked = (work.governance.request(r["id"]) for r in leaf["post"].get("requests", ()))
    found = [*moved, *(request[0].number for request in asked if request)]
    if leaf["act"] in (*_TOUCHED, _MADE, _ARRIVED, _REFUSED) or _paper(leaf):
        found.append(leaf["obj"]["version"])
    return sorted(set(found))


def _before(work: Work, first: Entry, version: Version, production: str) -> dict[str, Any]:
    """How a package stood just before an entry, by the fields of its standing: the newest of what
    earlier entries say of it."""
    found: dict[str, Any] = {}
    at = first.index
    for _ in range(LOOK_BACK // PAGE):
        page = work.journal.of_model(version.model_id, at, PAGE)
        for earlier in page:
            leaf = _leaf(earlier)
            found = {**_said_in(work, leaf, version, production), **found}
            if leaf["act"] == _MADE and _is_of(leaf, version):
                return found
        if len(page) < PAGE:
            break
        at = page[-1].index
    return found


def _said_in(work: Work, leaf: Leaf, version: Version, production: str) -> dict[str, Any]:
    """What one entry says of a package, by the fields of its standing."""
    found: dict[str, Any] = {}
    for closed in leaf["post"].get("requests", ()):
        request = work.governance.request(closed["id"])
        about = (request[0].version_id, request[0].target) if request else None
        if about == (version.id, production) and closed["status"] in _AGAINST:
            found["last"] = Approval.REJECTED
    for stay in leaf["post"].get("stages", ()):
        if stay["version"] == version.number:
            found["stage"] = stay["stage"]
            if stay["stage"] == production:
                found["last"] = Approval.APPROVED
            elif leaf["why"].get("rolled_back") == version.number:
                found["last"] = Approval.REJECTED
    if _is_of(leaf, version):
        if leaf["act"] in (_MADE, "version:imported", _ARRIVED, _REFUSED):
            found["status"] = leaf["post"].get("status", READY)
        paper = _paper(leaf)
        if paper:
            found |= _said_on(work, version, paper)
    return found


def _said_on(work: Work, version: Version, paper: Mapping[str, Any]) -> dict[str, Any]:
    """What a revision of one of SageMaker's documents says."""
    kept = work.papers.get(version.id, paper["name"], paper["revision"])
    if kept is None:
        return {}
    if paper["name"] == MEMBERS:
        members = msgspec.json.decode(kept.body)
        return {"members": {name: members[name] for name in members if name != FROZEN}}
    verdict = verdict_of(kept.body)
    given = {"last": verdict.approval} if verdict.approval else {}
    return {"comment": verdict.comment, **given}


def _paper(leaf: Leaf) -> Mapping[str, Any] | None:
    """The document of an entry that attaches what SageMaker's clients said."""
    document = leaf["post"].get("document")
    return document if document and document.get("name") in (MEMBERS, VERDICTS) else None


def _is_of(leaf: Leaf, version: Version) -> bool:
    return leaf["obj"].get("version") == version.number
