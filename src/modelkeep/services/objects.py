"""Objects of the S3 API, which are files of the artifact store (see `domain.objects`).

An object has an entity tag of S3's own: the MD5 of what was put at once, or something with a dash,
which no client takes for one. Files that came by other ways have a tag of the second kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from modelkeep.domain.access import Caller
from modelkeep.domain.manifests import File
from modelkeep.domain.objects import OBJECTS
from modelkeep.ports.artifacts import Dated
from modelkeep.ports.work import Work
from modelkeep.services import artifacts, hands
from modelkeep.services.artifacts import Found

END = "\U0010ffff"  # behind every key that begins so


@dataclass(frozen=True, slots=True)
class Object:
    """What a key names: `etag` without quotes, `at_ms` when it came."""

    found: Found
    etag: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of keys and of what stands for those that have a delimiter behind the prefix.

    `end` is where the page behind it begins; "" where this is the last.
    """

    objects: Sequence[Dated]
    prefixes: Sequence[str]
    end: str


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
    etag: str,
) -> None:
    """As `artifacts.put`, with an entity tag."""
    artifacts.put(work, caller, path, sha256, size_bytes, began_ms)
    work.artifacts.tag(path, etag)


def put_small(
    work: Work, caller: Caller, path: str, sha256: str, content: bytes, etag: str
) -> None:
    """As `artifacts.put_small`, with an entity tag."""
    artifacts.put_small(work, caller, path, sha256, content)
    work.artifacts.tag(path, etag)


def find(work: Work, path: str) -> Object:
    """Raises as `artifacts.fetch`."""
    found = artifacts.fetch(work, path)
    dated = work.artifacts.dated(path)
    if dated is None or dated.file.sha256 != found.file.sha256:  # of a version
        at_ms = found.version.created_ms if found.version else work.now_ms
        return Object(found, etag_of(found.file), at_ms)
    return Object(found, etag_of(dated.file, dated.etag), dated.at_ms)


def copy(work: Work, caller: Caller, source: str, target: str) -> Object:
    """Makes a path name the bytes of another. Raises as `artifacts.fetch` and `artifacts.put`."""
    copied = find(work, source)
    file, small = copied.found.file, copied.found.small
    if small is None:
        put(work, caller, target, file.sha256, file.size_bytes, None, copied.etag)
    else:
        put_small(work, caller, target, file.sha256, small, copied.etag)
    return Object(
        Found(File(target, file.sha256, file.size_bytes), small), copied.etag, work.now_ms
    )


def delete(work: Work, caller: Caller, paths: Sequence[str]) -> None:
    """Forgets objects, of which some may not be there. Raises as `artifacts.put`."""
    for path in paths:
        hands.on_path(work, caller, artifacts.check_writable(path))
        if work.artifacts.get(path) is not None:
            work.artifacts.delete(path)


def page(work: Work, folder: str, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """Keys of a folder that begin with a prefix, in the order of their UTF-8, behind `after`.

    Raises nothing: a prefix that no key could have finds none.
    """
    top = f"{folder}/"
    start, objects, prefixes, end = top + prefix, list[Dated](), list[str](), ""
    behind = top + after if after else ""
    told = after.removesuffix(END) if after.endswith(END) else ""  # what stands for what comes next
    while True:
        room = limit - len(objects) - len(prefixes)
        found = work.artifacts.dated_page(start, behind, room + 1)
        for one in found:
            if one.file.path <= behind:  # stands for by a prefix that is told
                continue
            if len(objects) + len(prefixes) == limit:
                return Page(objects, prefixes, end)
            key = one.file.path[len(top) :]
            if told and key.startswith(told):  # and has a character that is behind END itself
                behind = top + key
                continue
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                objects.append(_named(one, key))
                behind = top + key
                end = key
            else:
                common = told = key[: cut + len(delimiter)]
                prefixes.append(common)
                end = common + END
                behind = top + end
        if len(found) <= room:
            return Page(objects, prefixes, "")


def buckets(work: Work, after: str, limit: int) -> list[tuple[str, int]]:
    """The buckets that have something in them, and when the first of it by name came."""
    found = page(work, OBJECTS, "", "/", after, limit).prefixes
    names = [prefix.removesuffix("/") for prefix in found]
    firsts = (work.artifacts.dated_page(f"{OBJECTS}/{name}/", "", 1) for name in names)
    return [(name, first[0].at_ms) for name, first in zip(names, firsts, strict=True)]


def is_empty(work: Work, folder: str) -> bool:
    return not work.artifacts.dated_page(f"{folder}/", "", 1)


def _named(one: Dated, key: str) -> Dated:
    file = one.file
    return Dated(File(key, file.sha256, file.size_bytes), one.at_ms, etag_of(file, one.etag))
