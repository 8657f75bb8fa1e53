"""What a package loads: the objects that it names, and the frozen files that each of them means.

A package is verified when all that it loads is frozen with it. The files of one address are the
version's tree, as of any version. Those of several lie in it under `<bucket>/<key>`. Which address
means what is kept beside what was said, so that copies know it too. Where something that a package
loads cannot be frozen, nothing is: a digest over a part of it would pass for one over the whole.

The code that a container's Environment names is loaded as its data is. What any other variable
names may be loaded, or written to: it is frozen where something lies there, and else mere text.

A list of files (ManifestS3Uri) that is an object of ours is read, and what it names is loaded too.
It is read before the transaction, which then holds it against what lies there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelkeep.domain import objects
from modelkeep.domain.errors import Conflict, InvalidInput, NotFound
from modelkeep.domain.lists import LIMIT, SIZE_LIMIT_BYTES, listed_in
from modelkeep.domain.models import PENDING, Version
from modelkeep.domain.packages import (
    Package,
    Saying,
    addresses,
    check_code,
    lists_in,
    mentioned,
)
from modelkeep.ports.work import Work
from modelkeep.services import artifacts, buckets, intake, sources
from modelkeep.services.artifacts import Found
from modelkeep.services.sources import VERSION_FOLDER

Members = Mapping[str, Any]

COMPARED_LIMIT = 100  # files under a prefix; one of more is told at its frozen address at once
MENTIONED_LIMIT = 100  # addresses that a package's variables mention, each of which is looked up


@dataclass(frozen=True, slots=True)
class Plan:
    """What to freeze for a package: `together` are several addresses, or else its source alone.

    `frozen` says where the files of each lie in the version. `unheld` is an address that it loads
    and that is not ours to freeze; "" where there is none.
    """

    together: tuple[str, ...] = ()
    frozen: Mapping[str, str] = field(default_factory=dict[str, str])
    unheld: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as it was read: which bytes, and those; None where they are too many."""

    sha256: str
    content: bytes | None


def list_at(work: Work, address: str) -> Found | None:
    """The list that lies at an address; None where it is not ours to read, or none is there.

    Raises Conflict for one that is not hashed yet.
    """
    path = objects.path_at(address)
    if path is None or buckets.is_elsewhere(work, path):
        return None
    try:
        found = artifacts.fetch(work, path)
    except NotFound:
        return None
    if not found.file.is_hashed:
        raise Conflict(f"The manifest {address} is not checked yet: try again later.")
    return found


def plan(
    work: Work,
    source: str,
    said: Members,
    lists: Mapping[str, Listing],
    original: Package | None = None,
) -> Plan:
    """For a package of a source of which this is said; `original` is the one that it is a copy of.
    `lists` are those that were read, by their addresses.

    Raises InvalidInput where it names nothing in a bucket of ours, a list cannot be read, or its
    variables mention too much; Conflict where a list has changed since.
    """
    named = named_in(work, said, original.said.members if original else {})
    if original is not None:
        others = named - original.frozen.keys() | _new_lists(said, original.said)
        return Plan(frozen=original.frozen, unheld=min(others, default=""))
    listed = _listed(work, lists_in(said), lists)
    if named | listed <= {source}:
        return Plan()
    together = tuple(sorted(named | listed))
    ours = {address for address in together if sources.is_object(work, address)}
    others = [address for address in together if address not in ours]
    for address in others:
        sources.check_there(work, address)
    if others:
        return Plan(unheld=others[0])
    return Plan(together, {address: sources.place_of(address) for address in named})


def _listed(work: Work, named: frozenset[str], lists: Mapping[str, Listing]) -> frozenset[str]:
    """All that the lists name that lie here."""
    found: set[str] = set()
    for address in sorted(named):
        there, read = list_at(work, address), lists.get(address)
        if there is None and read is None:
            continue
        if there is None or read is None or there.file.sha256 != read.sha256:
            raise Conflict(f"The manifest {address} has changed while it was read: try again.")
        found.update(_read(address, read))
    if len(found) > LIMIT:
        raise InvalidInput(f"The manifests of a package list at most {LIMIT} addresses.")
    return frozenset(found)


def _read(address: str, read: Listing) -> tuple[str, ...]:
    if read.content is None:
        raise InvalidInput(f"The manifest {address} is longer than {SIZE_LIMIT_BYTES} bytes.")
    try:
        return listed_in(read.content)
    except InvalidInput as error:
        raise InvalidInput(f"The manifest {address} {error.message}") from None


def _new_lists(said: Members, before: Saying) -> frozenset[str]:
    """Lists that were none before: what they name was not looked at, though they may be frozen."""
    return lists_in(said) - lists_in(before.members)


def frozen_of(work: Work, version: Version, said: Saying) -> Mapping[str, str]:
    """The addresses that frozen files of a version stand for, and where those lie in it ("" is the
    top)."""
    if version.manifest is None:
        return {}
    path = objects.path_at(version.source)
    if said.frozen or path is None:
        return said.frozen
    name = path.rpartition("/")[2]
    found = work.artifacts.frozen_page(version.id, "", "", 2)
    return {version.source: name if [file.path for file in found] == [name] else ""}


def replaced(work: Work, version: Version, frozen: Mapping[str, str]) -> frozenset[str]:
    """Those of the addresses that lead to other bytes by now, or to none."""
    return frozenset(one for one, inner in frozen.items() if _differs(work, version, one, inner))


def _differs(work: Work, version: Version, address: str, inner: str) -> bool:
    path = objects.path_at(address)
    if path is None or buckets.is_elsewhere(work, path):
        return True
    frozen = work.artifacts.frozen_file(version.id, inner) if inner else None
    if frozen is not None:
        now = work.artifacts.get(path)
        return now is None or now.sha256 != frozen.sha256
    start = len(inner) + 1 if inner else 0
    files = work.artifacts.frozen_page(version.id, inner, "", COMPARED_LIMIT + 1)
    if len(files) > COMPARED_LIMIT:
        return True
    there = work.artifacts.page(path, "", COMPARED_LIMIT + 1)
    return [(f.path[start:], f.sha256) for f in files] != [(f.path, f.sha256) for f in there]


def check_held(work: Work, version: Version, said: Saying, members: Members) -> None:
    """That a package whose files are frozen, or will be, loads nothing else after a change to these
    members. One that is a mere label may name anything; its files are not taken in from then on.

    Raises InvalidInput.
    """
    check_code(members)
    own = f"{objects.SCHEME}{VERSION_FOLDER}/{version.id}/"
    held = {version.source, *said.frozen}
    named = named_in(work, members, said.members)
    loaded = {one for one in named - held if not one.startswith(own)}
    told = {own + said.frozen[one] for one in lists_in(said.members) & said.frozen.keys()}
    others = sorted(loaded | (_new_lists(members, said) - told))
    if not others:
        return
    if version.manifest is None and version.status != PENDING:
        work.intakes.pass_over(version.id, work.now_ms)
        return
    raise InvalidInput(
        f"What this package loads was fixed when it was registered, and {others[0]} is not part "
        "of it: register another package."
    )


def named_in(work: Work, said: Members, before: Members) -> frozenset[str]:
    """The addresses that members of a package name, to be loaded; those that were only mentioned
    before are not looked up again. Raises InvalidInput."""
    told = mentioned(said)
    if len(told) > MENTIONED_LIMIT:
        raise InvalidInput(
            f"The variables (Environment) of a package mention at most {MENTIONED_LIMIT} addresses."
        )
    new = told - mentioned(before)
    lying = (one for one in new if sources.is_object(work, one) or intake.takes(work, one))
    return frozenset((*addresses(said), *lying))
