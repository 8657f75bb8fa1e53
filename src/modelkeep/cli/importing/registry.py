"""Registered models with their versions, stages and aliases: bring, then read and compare.

Versions come in the order of their numbers, so that where a policy lets only one into a stage, the
newest is the one that stays. A version that is a copy of another waits until that one is here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from modelkeep.cli.importing import facts, fitting, origins
from modelkeep.cli.importing.facts import Facts
from modelkeep.cli.importing.http import Refused
from modelkeep.cli.importing.job import Job
from modelkeep.cli.importing.keep import Ended
from modelkeep.cli.importing.mlflow import Wire
from modelkeep.cli.importing.report import ALIASES, MODELS, STAGES, VERSIONS
from modelkeep.domain.imports import Brought, End
from modelkeep.domain.models import NO_STAGE

READY = "READY"


@dataclass(frozen=True, slots=True)
class Copy:
    """A version whose source is another version, which may not be here yet."""

    name: str
    number: int


def bring_registry(job: Job, found: Iterable[Wire]) -> None:
    """The models with all their versions; aliases when every version is here."""
    models: list[str] = []
    copies: list[Copy] = []
    for wire in found:
        key = _bring_model(job, wire)
        if key:
            models.append(wire["name"])
            copies += _bring_versions(job, key, wire["name"])
    _bring_copies(job, copies)
    for name in models:
        _bring_aliases(job, name)
        job.tick()


def matched(job: Job, given: Facts) -> Brought | None:
    """What a model was brought as, whatever both sides call it by now."""
    found = job.keep.match_model(given)
    if found is None or found.name == given["name"]:
        return found
    try:
        former = facts.model(job.source.model(found.name))
    except Refused as refused:
        if refused.status not in (400, 404):  # what a name that nothing has, or can have, comes to
            raise
        return found
    # Two that were created in one millisecond cannot be told apart: then nobody was renamed.
    return None if former["created_ms"] == given["created_ms"] else found


def _bring_model(job: Job, wire: Wire) -> str:
    """The model's id here; empty if its versions may not come."""
    given = job.fitted(MODELS, "name", fitting.registered, facts.model(wire))
    found = matched(job, given)
    job.seen.models.update([found.key] if found else [])
    is_renamed = found is not None and found.name != given["name"]
    try:
        ended = job.keep.model({**given, "renamed": is_renamed})
    except Refused as refused:
        ended = Ended("", End.REFUSED, refused.message)
    if job.note(MODELS, given["name"], ended):
        here = facts.model(job.here.model(given["name"]))
        job.compared(MODELS, given["name"], facts.differences(given, here))
    if ended.end is End.REFUSED:
        return ""
    job.seen.models.add(ended.key)
    return ended.key


# -- versions ----------------------------------------------------------------------------------


def _bring_versions(job: Job, key: str, name: str) -> Iterator[Copy]:
    """Brings a model's versions; those that are copies are handed back."""
    for wire in job.source.versions(name):
        job.report.saw(VERSIONS)
        job.seen.versions.add((key, str(wire["version"])))
        if origins.COPY.fullmatch(wire.get("source", "")):
            yield Copy(name, int(wire["version"]))
        else:
            _bring_version(job, wire)
        job.tick()
    job.seen.listed[key] = name


def _bring_copies(job: Job, copies: list[Copy]) -> None:
    """A copy of a copy comes when that has come; at last, those whose original is gone."""
    while copies:
        waiting = {(copy.name, copy.number) for copy in copies}
        later = []
        for copy in copies:
            wire = job.source.version(copy.name, copy.number)
            original = origins.COPY.fullmatch(wire.get("source", ""))
            if original and (original[1], int(original[2])) in waiting:
                later.append(copy)
            else:
                _bring_version(job, wire)
        if len(later) == len(copies):  # a ring, which the server will say
            for copy in later:
                _bring_version(job, job.source.version(copy.name, copy.number))
            return
        copies = later


def _bring_version(job: Job, wire: Wire) -> None:
    given = facts.version(wire)
    name = f"{given['model']}/{given['number']}"
    for what, why in fitting.registered(given):
        job.report.differs(VERSIONS, f"{name}: {what}", why)
    if wire.get("status", READY) != READY:
        why = f"its status is {wire['status']} there; here a version is {READY} or is none"
        job.report.differs(VERSIONS, name, why)
    try:
        ended = _sent(job, given)
    except Refused as refused:
        job.report.differs(VERSIONS, name, refused.message)
        return
    if job.note(VERSIONS, name, ended):
        _bring_stage(job, given, wire.get("current_stage") or NO_STAGE)
        _compare_version(job, name, given)


def _sent(job: Job, given: Facts) -> Ended:
    """Gives a version; a second time with its plain place if what it copies is not here."""
    there = given["source"]
    _rename(given, there, origins.here(job, given, there))
    try:
        return _given(job, given)
    except Refused:
        if not origins.COPY.fullmatch(there):
            raise
        place = job.source.download_uri(given["model"], given["number"])
        _rename(given, there, origins.here(job, given, place))
        return _given(job, given)


def _given(job: Job, given: Facts) -> Ended:
    """A version is frozen once: not before all its files are here, as they are there."""
    path = origins.unlike(job, given["source"])
    if path and not _is_here(job, given):
        raise Refused(
            409, f"its file {path!r} is not here as it is there; the version waits for it"
        )
    return job.keep.version(given)


def _is_here(job: Job, given: Facts) -> bool:
    try:
        job.here.version(given["model"], given["number"])
    except Refused:
        return False
    return True


def _rename(given: Facts, there: str, here: str) -> None:
    given["source"], given["original"] = here, there if here != there else ""


def _compare_version(job: Job, name: str, given: Facts) -> None:
    here = facts.version(job.here.version(given["model"], given["number"]))
    job.compared(VERSIONS, name, facts.version_differences(given, here))


# -- where they stand --------------------------------------------------------------------------


def _bring_stage(job: Job, given: Facts, stage: str) -> None:
    name = f"{given['model']}/{given['number']} {stage}"
    if stage != NO_STAGE:
        job.report.saw(STAGES)
    try:
        ended = job.keep.stage(given["model"], given["number"], stage, job.reason)
    except Refused as refused:
        job.report.differs(STAGES, name, refused.message)
        return
    if stage == NO_STAGE and ended.is_here:
        return
    if job.note(STAGES, name, _worded(ended)):
        job.report.same(STAGES)


def _bring_aliases(job: Job, name: str) -> None:
    there, here = facts.aliases(job.source.model(name)), facts.aliases(job.here.model(name))
    job.report.saw(ALIASES, len(there))
    gone: dict[str, int | None] = dict.fromkeys(here.keys() - there.keys())
    for alias, number in sorted({**there, **gone}.items()):
        _bring_alias(job, name, alias, number)


def _bring_alias(job: Job, name: str, alias: str, number: int | None) -> None:
    shown = f"{name}@{alias}" + (f" -> {number}" if number else "")
    try:
        ended = job.keep.alias(name, alias, number)
    except Refused as refused:
        job.report.differs(ALIASES, shown, refused.message)
        return
    ended = _worded(ended)
    if number is None and not ended.is_here:
        job.report.only_here(ALIASES, shown, f"the source has it no more; {ended.reason}")
    elif job.note(ALIASES, shown, ended) and number is not None:
        job.report.same(ALIASES)


def _worded(ended: Ended) -> Ended:
    """What the policy said, as one line that says whose words they are."""
    words = {"waiting": "waits for an approval", "refused": "refused by the policy"}
    why = words.get(ended.end.value)
    return Ended(ended.key, ended.end, f"{why}: {_line(ended.reason)}") if why else ended


def _line(text: str) -> str:
    return "; ".join(part.strip() for part in text.splitlines() if part.strip())
