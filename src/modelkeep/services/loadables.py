"""What a package loads: the objects that it names, and the frozen files that each of them means.

A package is verified when all that it loads is frozen with it. The files of one address are the
version's tree, as of any version. Those of several lie in it under `<bucket>/<key>`. Which address
means what is kept beside what was said, so that copies know it too. Where something that a package
loads cannot be frozen, nothing is: a digest over a part of it would pass for one over the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelkeep.domain import objects
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.models import PENDING, Version
from modelkeep.domain.packages import Saying, addresses
from modelkeep.ports.work import Work
from modelkeep.services import buckets, sources
from modelkeep.services.sources import VERSION_FOLDER

COMPARED_LIMIT = 100  # files under a prefix; one of more is told at its frozen address at once


@dataclass(frozen=True, slots=True)
class Plan:
    """What to freeze for a package: `together` are several addresses, or else its source alone.

    `frozen` says where the files of each lie in the version. `unheld` is an address that it loads
    and that is not ours to freeze; "" where there is none.
    """

    together: tuple[str, ...] = ()
    frozen: Mapping[str, str] = field(default_factory=dict[str, str])
    unheld: str = ""


def plan(
    work: Work, source: str, named: frozenset[str], known: Mapping[str, str] | None = None
) -> Plan:
    """For a package of a source that names these addresses; a copy has what is `known` of its
    original. Raises InvalidInput where one names nothing in a bucket of ours."""
    if known is not None:
        unheld = min(named - known.keys(), default="")
        return Plan(frozen=known, unheld=unheld)
    if named <= {source}:
        return Plan()
    together = tuple(sorted(named))
    for address in together:
        sources.check_there(work, address)
    unheld = next((one for one in together if not sources.is_object(work, one)), "")
    if unheld:
        return Plan(unheld=unheld)
    return Plan(together, {address: sources.place_of(address) for address in together})


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


def check_held(work: Work, version: Version, said: Saying, named: frozenset[str]) -> None:
    """That a package whose files are frozen, or will be, loads nothing else after a change. One
    that is a mere label may name anything; its files are not taken in from then on.

    Raises InvalidInput.
    """
    own = f"{objects.SCHEME}{VERSION_FOLDER}/{version.id}/"
    held = {version.source, *said.frozen}
    others = sorted(one for one in named - held if not one.startswith(own))
    if not others:
        return
    if version.manifest is None and version.status != PENDING:
        work.intakes.pass_over(version.id, work.now_ms)
        return
    raise InvalidInput(
        f"What this package loads was fixed when it was registered, and {others[0]} is not part "
        "of it: register another package."
    )


def named_in(said: Mapping[str, object]) -> frozenset[str]:
    """The addresses that members of a package name."""
    return frozenset(addresses(said))
