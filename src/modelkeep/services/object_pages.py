"""Pages of objects: what lies in a bucket, and what a version has frozen, as if it lay in one."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelkeep.domain.errors import Forbidden, NotFound
from modelkeep.domain.manifests import File
from modelkeep.domain.objects import OBJECTS
from modelkeep.ports.artifacts import Dated
from modelkeep.ports.work import Work
from modelkeep.services import artifacts
from modelkeep.services.objects import etag_of
from modelkeep.services.sources import check_bytes

END = "\U0010ffff"  # behind every key that begins so
VERSIONS = "versions/"  # what all keys of frozen files begin with
_OF_VERSION = re.compile(r"versions/([1-9][0-9]{0,17})(/.*)?", re.DOTALL)

# Some files whose keys begin with a text: those that follow a key, at most so many.
_Fetch = Callable[[str, str, int], Sequence[Dated]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of keys and of what stands for those that have a delimiter behind the prefix.

    `end` is where the page behind it begins; "" where this is the last.
    """

    objects: Sequence[Dated]
    prefixes: Sequence[str]
    end: str


def of_bucket(work: Work, folder: str, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """Keys of a folder that begin with a prefix, in the order of their UTF-8, behind `after`.

    Raises nothing: a prefix that no key could have finds none.
    """
    top = f"{folder}/"

    def fetch(start: str, behind: str, count: int) -> Sequence[Dated]:
        found = work.artifacts.dated_page(top + start, top + behind if behind else "", count)
        return [_named(one, one.file.path[len(top) :]) for one in found]

    return _walked(fetch, prefix, delimiter, after, limit)


def of_version(work: Work, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """As `of_bucket`, of the frozen files of the version that the prefix names, `versions/<id>/…`,
    whose number is whole there.

    Raises Forbidden for a prefix that names none, and as `sources.check_bytes`.
    """
    match = _OF_VERSION.fullmatch(prefix)
    if match is None:
        if VERSIONS.startswith(prefix):
            raise Forbidden(f"Frozen files are listed by their version: Prefix='{VERSIONS}<id>/'.")
        return Page([], [], "")
    try:
        version = artifacts.living(work, int(match[1]), prefix)
    except NotFound:
        return Page([], [], "")
    check_bytes(work, version)
    top = f"{VERSIONS}{version.id}/"

    def fetch(start: str, behind: str, count: int) -> Sequence[Dated]:
        is_within = behind.startswith(top)
        if behind > top and not is_within:
            return []
        inner = behind[len(top) :] if is_within else ""
        found = work.artifacts.frozen_from(version.id, start[len(top) :], inner, count)
        return [_named(Dated(file, version.created_ms, ""), top + file.path) for file in found]

    return _walked(fetch, prefix, delimiter, after, limit)


def _walked(fetch: _Fetch, prefix: str, delimiter: str, after: str, limit: int) -> Page:
    objects, prefixes, end, behind = list[Dated](), list[str](), "", after
    told = after.removesuffix(END) if after.endswith(END) else ""  # what stands for what comes next
    while True:
        room = limit - len(objects) - len(prefixes)
        found = fetch(prefix, behind, room + 1)
        for one in found:
            key = one.file.path
            if key <= behind:  # stands for by a prefix that is told
                continue
            if len(objects) + len(prefixes) == limit:
                return Page(objects, prefixes, end)
            if told and key.startswith(told):  # and has a character that is behind END itself
                behind = key
                continue
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            if cut < 0:
                objects.append(one)
                behind = end = key
            else:
                common = told = key[: cut + len(delimiter)]
                prefixes.append(common)
                behind = end = common + END
        if len(found) <= room:
            return Page(objects, prefixes, "")


def buckets(work: Work, after: str, limit: int) -> list[tuple[str, int]]:
    """The buckets that have something in them, and when the first of it by name came."""
    found = of_bucket(work, OBJECTS, "", "/", after, limit).prefixes
    names = [prefix.removesuffix("/") for prefix in found]
    firsts = (work.artifacts.dated_page(f"{OBJECTS}/{name}/", "", 1) for name in names)
    return [(name, first[0].at_ms) for name, first in zip(names, firsts, strict=True)]


def is_empty(work: Work, folder: str) -> bool:
    return not work.artifacts.dated_page(f"{folder}/", "", 1)


def _named(one: Dated, key: str) -> Dated:
    file = one.file
    return Dated(File(key, file.sha256, file.size_bytes), one.at_ms, etag_of(file, one.etag))
