"""What is different between two versions, of one model or of two."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelkeep.domain.errors import NotFound
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.manifests import File
from modelkeep.domain.models import Version
from modelkeep.domain.semver import Change
from modelkeep.ports.work import Work
from modelkeep.services import numbering
from modelkeep.services.catalog import resolve
from modelkeep.services.evidence import gather
from modelkeep.services.numbering import Standing


@dataclass(frozen=True, slots=True)
class Files:
    """Files by path: only in the later one, only in the earlier, and in both with other bytes."""

    added: Sequence[File]
    removed: Sequence[File]
    changed: Sequence[tuple[File, File]]
    same: int


@dataclass(frozen=True, slots=True)
class Difference:
    """From one version to another. `files` is None where the bytes of one aren't held here."""

    before: Version
    after: Version
    change: Change
    standing: Standing
    files: Files | None
    evidence: tuple[Evidence, Evidence]


def between(
    work: Work, model: str, which: str, other: str | None, other_model: str | None
) -> Difference:
    """What became of `other` in `which`. Without `other`: of the version numbered before it.

    Raises NotFound, and InvalidInput for a text that can name no version.
    """
    after = resolve(work, model, which)
    before = resolve(work, other_model or model, other) if other else _predecessor(work, after)
    return Difference(
        before,
        after,
        numbering.change_between(work, before, after),
        numbering.standing(work, after),
        _files(work, before, after),
        (gather(work, before), gather(work, after)),
    )


def _predecessor(work: Work, version: Version) -> Version:
    """The one that its number was compared with, even if it was deleted since."""
    before = work.versions.below(version.model_id, version.semver)
    found = work.versions.by_id(before.version_id) if before else None
    if found is None:
        raise NotFound(
            f"{version.model_name}/{version.number} is the first of its model; name another "
            "version to compare it with."
        )
    return found


def _files(work: Work, before: Version, after: Version) -> Files | None:
    trees = [work.artifacts.frozen(version.id) for version in (before, after)]
    if None in trees:
        return None
    was, now = ({f.path: f for f in tree.files} if tree else {} for tree in trees)
    both = [(was[path], now[path]) for path in was if path in now]
    changed = [pair for pair in both if pair[0] != pair[1]]
    return Files(
        added=[file for path, file in now.items() if path not in was],
        removed=[file for path, file in was.items() if path not in now],
        changed=changed,
        same=len(both) - len(changed),
    )
