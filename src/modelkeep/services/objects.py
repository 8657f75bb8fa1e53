"""Objects of the S3 API, which are files of the artifact store (see `domain.objects`).

An object has an entity tag of S3's own: the MD5 of what was put at once, or something with a dash,
which no client takes for one. Files that came by other ways have a tag of the second kind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Forbidden, NotFound, PreconditionFailed
from modelkeep.domain.manifests import File
from modelkeep.domain.objects import ALWAYS, NOTHING, Condition, Said
from modelkeep.ports.work import Work
from modelkeep.services import artifacts, hands
from modelkeep.services.artifacts import Found


@dataclass(frozen=True, slots=True)
class Object:
    """What a key names: `etag` without quotes, `at_ms` when it came."""

    found: Found
    etag: str
    at_ms: int
    said: Said


@dataclass(frozen=True, slots=True)
class Brought:
    """What comes with an object's bytes: its entity tag, what is said of it, and what must hold of
    the object that it takes the place of."""

    etag: str
    said: Said = NOTHING
    condition: Condition = ALWAYS


def etag_of(file: File, given: str = "") -> str:
    """The entity tag that a file was given, or else one by its content."""
    return given or f"{file.sha256[:32]}-1"


def put(
    work: Work,
    caller: Caller,
    path: str,
    sha256: str,
    size_bytes: int,
    began_ms: int | None,
    brought: Brought,
) -> None:
    """As `artifacts.put`. Raises PreconditionFailed, NotFound where there should be an object."""
    _check(work, path, brought.condition)
    artifacts.put(work, caller, path, sha256, size_bytes, began_ms)
    work.artifacts.tag(path, brought.etag, brought.said)


def put_small(
    work: Work, caller: Caller, path: str, sha256: str, content: bytes, brought: Brought
) -> None:
    """As `put`, of a small one."""
    _check(work, path, brought.condition)
    artifacts.put_small(work, caller, path, sha256, content)
    work.artifacts.tag(path, brought.etag, brought.said)


def _check(work: Work, path: str, condition: Condition) -> None:
    if condition == ALWAYS:
        return
    there = work.artifacts.dated(path)
    if there is None and condition.match:
        raise NotFound("The specified key does not exist.")
    etag, at_ms = (etag_of(there.file, there.etag), there.at_ms) if there else ("", 0)
    check(condition, etag, at_ms)


def check(condition: Condition, etag: str, at_ms: int) -> None:
    """Raises PreconditionFailed, which names the condition that does not hold."""
    failing = condition.failing(etag, at_ms)
    if failing:
        raise PreconditionFailed(
            f"At least one of the pre-conditions you specified did not hold: {failing}."
        )


def find(work: Work, path: str) -> Object:
    """Raises as `artifacts.fetch`."""
    found = artifacts.fetch(work, path)
    dated = work.artifacts.dated(path)
    if dated is None or dated.file.sha256 != found.file.sha256:  # of a version
        at_ms = found.version.created_ms if found.version else work.now_ms
        return Object(found, etag_of(found.file), at_ms, NOTHING)
    return Object(found, etag_of(dated.file, dated.etag), dated.at_ms, dated.said)


def copy(
    work: Work,
    caller: Caller,
    source: str,
    target: str,
    of_source: Condition,
    anew: Callable[[Said], Said],
) -> Object:
    """Makes a path name the bytes of another, if a condition holds of that; what is said of them is
    made anew of what was. Raises as `artifacts.fetch` and `put`."""
    copied = find(work, source)
    check(of_source, copied.etag, copied.at_ms)
    brought = Brought(copied.etag, anew(copied.said))
    file, small = copied.found.file, copied.found.small
    if small is None:
        put(work, caller, target, file.sha256, file.size_bytes, None, brought)
    else:
        put_small(work, caller, target, file.sha256, small, brought)
    found = Found(File(target, file.sha256, file.size_bytes), small)
    return Object(found, copied.etag, work.now_ms, brought.said)


def label(work: Work, caller: Caller, path: str, tags: Mapping[str, str]) -> None:
    """Gives an object these tags and no others. Raises as `artifacts.put`, and NotFound."""
    artifacts.check_put(work, caller, path)
    there = work.artifacts.dated(path)
    if there is None:
        raise NotFound("The specified key does not exist.")
    work.artifacts.tag(path, there.etag, replace(there.said, tags=tags))


def delete(work: Work, caller: Caller, paths: Sequence[str]) -> dict[str, str]:
    """Forgets objects, of which some may not be there; why some may not be forgotten, by path."""
    refused: dict[str, str] = {}
    for path in paths:
        try:
            hands.on_path(work, caller, artifacts.check_writable(path))
        except Forbidden as error:
            refused[path] = error.message
            continue
        if work.artifacts.get(path) is not None:
            work.artifacts.delete(path)
    return refused
