"""Documents of versions: attaching one, and reading what is attached."""

from modelkeep.domain import papers
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, LimitExceeded, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.models import Version
from modelkeep.domain.packages import MEMBERS, VERDICTS
from modelkeep.domain.papers import Document
from modelkeep.ports.work import Work
from modelkeep.services.catalog import resolve, subject

PER_VERSION = 100  # documents of one version


def attach(
    work: Work, caller: Caller, model: str, which: str, name: str, media_type: str, body: str
) -> Document:
    """Attaches a document to a version; one that is there already, byte for byte, stays.

    Raises NotFound, InvalidInput (see `papers.make`; also for those that are SageMaker's),
    LimitExceeded for more than 100.
    """
    if name in (MEMBERS, VERDICTS):
        raise InvalidInput(
            f"The document {name} is what SageMaker's calls say; only they write it."
        )
    return put(work, caller, resolve(work, model, which), name, media_type, body)


def put(
    work: Work, caller: Caller, version: Version, name: str, media_type: str, body: str
) -> Document:
    """As `attach`, to a version that was found, and under any name."""
    new = papers.make(name, media_type, body, caller.actor.name, work.now_ms)
    there = {paper.name: paper for paper in work.papers.of(version.id)}
    old = there.get(name)
    if old and (old.sha256, old.media_type) == (new.sha256, new.media_type):
        return old
    if len({*there, name}) > PER_VERSION:
        raise LimitExceeded(f"A version has at most {PER_VERSION} documents.")
    revision = work.papers.attach(version.id, new)
    facts = {
        "name": name,
        "revision": revision,
        "media_type": media_type,
        "sha256": new.sha256,
        "size_bytes": new.size_bytes,
    }
    event = Event("version:document:attached", subject(version), after={"document": facts})
    work.record(caller, event, model_id=version.model_id)
    return read(work, version.model_name, str(version.number), name)


def listing(work: Work, model: str, which: str) -> list[Document]:
    """The documents of a version, by name, without their texts. Raises NotFound."""
    return work.papers.of(resolve(work, model, which).id)


def read(work: Work, model: str, which: str, name: str, revision: int | None = None) -> Document:
    """A document with its text: the latest, or one of its revisions. Raises NotFound."""
    version = resolve(work, model, which)
    found = work.papers.get(version.id, name, revision)
    if found is None:
        what = f"document {name[:100]}" + (f", revision {revision}" if revision else "")
        raise NotFound(f"{version.model_name}/{version.number} has no {what}.")
    return found
