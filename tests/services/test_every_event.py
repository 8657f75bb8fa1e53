"""Nothing that the journal can say is forgotten by those who read it."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import modelkeep
from modelkeep.cli import entries
from modelkeep.domain.announcements import announced
from modelkeep.domain.endings import State
from modelkeep.domain.examples import example
from modelkeep.domain.ledger import Ledger
from tests.support.clock import MovedClock
from tests.support.core import Core
from tests.support.story import tell, tell_the_rest

SERVICES = Path(modelkeep.__file__).parent / "services"
NO_ROWS = {
    "version:stage:refused",  # past decisions are told by the journal alone
    "approval:vote:denied",
    "webhook:replayed",
    "version:loaded",
    "model:access:denied",
    "upload:swept",
    "version:bytes:refused",  # such a version stays without bytes
}
BY_GC = {"store:files:forgotten", "store:files:deleted", "store:blobs:deleted"}  # see test_garbage
NO_NEWS = {
    "version:hold:placed",
    "version:hold:released",
    *("webhook:created", "webhook:changed", "webhook:disabled", "webhook:deleted"),
    "webhook:replayed",
    *("rule:set", "rule:deleted", "topic:created", "topic:deleted"),
    *("topic:changed", "topic:stamp:made"),
    "version:document:attached",
    "model:access:denied",
    "upload:swept",
    "version:semver:raised",  # unless its tag follows
    "version:bytes:verified",  # clients ask for the status; requests that it voids are news
    "version:bytes:refused",
    *("model:policy:set", "model:policy:deleted"),
    *("resource:created", "resource:revised", "resource:deleted"),
    *("resource:tag:set", "resource:tag:deleted"),
    *("model:imported", "version:imported"),  # the past of another server
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The entries of two stories that have every kind between them."""
    found: list[dict[str, Any]] = []
    for story in (tell, tell_the_rest):
        clock = MovedClock()
        core = Core(tmp_path_factory.mktemp("story"), "", clock)
        story(core, clock)
        report = core.verify()
        assert report.is_intact, report.problems
        found += core.leaves()
        core.close()
    return found


def written() -> set[str]:
    """Every action that a use case records."""
    sources = "\n".join(path.read_text() for path in SERVICES.rglob("*.py"))
    spelt = set(re.findall(r'"([a-z]+:[a-z]+(?::[a-z-]+)?)"', sources))
    assert 'f"approval:vote:{happened}"' in sources
    assert 'f"version:{ending.state}"' in sources
    ended = {f"version:{state}" for state in State if state is not State.ACTIVE}
    return (spelt - BY_GC) | ended | {"approval:vote:cast", "approval:vote:denied"}


def test_the_stories_have_every_kind_of_event(told: list[dict[str, Any]]) -> None:
    assert {entry["act"] for entry in told} == written()


def test_every_entry_is_shown_with_what_it_is_about(told: list[dict[str, Any]]) -> None:
    for entry in told:
        about = entries.subject(entry)
        assert about, entry
        assert f"{entry['act']}  {about}  by " in entries.line(entry)
    lines = [entries.line(e) for e in told if e["act"].startswith(("account", "token", "grant"))]
    assert all(
        re.search(r"  (token \w{12,20} of )?(sam|deleted-2)  by ann", line) for line in lines
    )


def test_every_entry_changes_rows_or_is_known_not_to(told: list[dict[str, Any]]) -> None:
    idle: set[str] = set()
    ledger = Ledger()
    for entry in told:
        if entry["index"] == 0:  # the other story
            ledger = Ledger()
        before = sum(map(len, ledger.tables.values()))
        ledger.play(entry["index"], 0, entry, entry["texts"])
        rows = [row for table in ledger.tables.values() for row in table.values()]
        if len(rows) == before and all(row.index != entry["index"] for row in rows):
            idle.add(entry["act"])
    assert idle == NO_ROWS


def test_every_entry_is_announced_or_known_not_to_be(told: list[dict[str, Any]]) -> None:
    request: dict[str, Any] = {}
    silent, heard = set[str](), set[str]()
    for entry in told:
        news = announced(entry, False, defaultdict(lambda: request))
        (heard if news else silent).add(entry["act"])
        for one in news:
            if one.topic.entity != "APPROVAL_REQUEST":
                assert one.data.keys() == example(one.topic).keys(), one.topic
    assert silent - heard == NO_NEWS
