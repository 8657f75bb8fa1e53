"""Who made a version: its authors, and whoever had a hand in what it is made of. None may approve.

Its author is who registered it; the others are who imported it, who made its run and its logged
model, whoever had a hand in these or brought files of it, those of the version that it is a copy
of, who attached its documents (a verdict is none), and whoever answers for a service account among
them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from modelkeep.domain.access import person
from modelkeep.domain.approvals import AUTHOR
from modelkeep.domain.hands import Deed, Hand, Thing
from modelkeep.domain.models import Version
from modelkeep.domain.packages import MEMBERS, VERDICTS
from modelkeep.domain.tracking import LoggedModel, Run
from modelkeep.ports.work import Work


@dataclass(frozen=True, slots=True)
class Maker:
    """Somebody, and `why` they count as one, as a sentence goes on after their name."""

    name: str
    why: str


def known(work: Work, version: Version) -> list[Maker]:
    """As `of`, for who has neither the run nor the logged model at hand."""
    run = work.runs.find(version.run_id) if version.run_id else None
    logged_id = version.logged_model_id
    logged = work.logged_models.find(logged_id, deleted=True) if logged_id else None
    return of(work, version, run, logged)


def of(work: Work, version: Version, run: Run | None, logged: LoggedModel | None) -> list[Maker]:
    """The makers of a version, each once: for the first reason that there is."""
    imported = work.imports.find("version", str(version.id))
    named = [version.author, *(thing.author for thing in (run, logged) if thing)]
    named += [imported.importer] if imported else []
    found = [Maker(name, AUTHOR) for name in named]
    found += [Maker(hand.name, str(hand)) for hand in work.hands.of(_subjects(version))]
    found += [
        Maker(paper.author, f"attached its document {paper.name}")
        for paper in work.papers.of(version.id)
        if paper.name != VERDICTS
    ]
    # Each of its revisions says again what those before it said.
    found += [
        Maker(name, f"attached its document {MEMBERS}")
        for name in work.papers.authors(version.id, MEMBERS)
    ]
    owners = work.accounts.owners_of([maker.name for maker in found])
    found += [Maker(owner, "answers for one of its authors") for owner in owners]
    first: dict[str, Maker] = {}
    for maker in found:
        first.setdefault(maker.name, maker)
    return list(first.values())


def reasons(makers: Iterable[Maker]) -> dict[str, str]:
    """Why each person counts as a maker, by `access.person`."""
    found: dict[str, str] = {}
    for maker in makers:
        found.setdefault(person(maker.name), maker.why)
    return found


def inherited(work: Work, source: Version) -> list[Hand]:
    """The hands that a copy of a version begins with."""
    return [Hand(Thing.VERSION, maker.name, Deed.COPIED) for maker in known(work, source)]


def _subjects(version: Version) -> list[tuple[Thing, str]]:
    subjects = [(Thing.VERSION, str(version.id))]
    subjects += [(Thing.RUN, version.run_id)] if version.run_id else []
    logged = version.logged_model_id
    return [*subjects, (Thing.LOGGED_MODEL, logged)] if logged else subjects
