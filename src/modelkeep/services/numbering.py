"""Which semantic version a version has, why it may not be less, and how more is asked for.

* A new version is compared with the one that has the model's highest number so far. One that was
  deleted counts, too: somebody may have pinned its number.
* Whoever sets the tag `semantic_version` asks for a number. It is given if it isn't less than is
  honest and leaves every later version honest; else it is a tag and no more or, under a policy
  that enforces numbers, refused.
* A number is only ever raised, once, and not after it has been in Production or in a stage that
  the policy guards: others rely on it by then.

Contracts are not stored: they are read again from the frozen bytes, which a digest guards.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from modelkeep.domain import semver
from modelkeep.domain.access import Caller
from modelkeep.domain.contracts import Contract
from modelkeep.domain.errors import Conflict, InvalidInput
from modelkeep.domain.events import Event, tag_texts
from modelkeep.domain.manifests import Manifest
from modelkeep.domain.models import Version, is_prompt
from modelkeep.domain.numbering import Numbering
from modelkeep.domain.semver import FIRST, PART_LIMIT, TAG, Bump, Change, Semver, required_bump
from modelkeep.ports.registry import Numbered
from modelkeep.ports.work import Work
from modelkeep.services import contracts
from modelkeep.services.catalog import again, resolve, subject
from modelkeep.services.policies import in_force, lifecycle_of

STAYS_LIMIT = 1000  # of one version, looked at


@dataclass(frozen=True, slots=True)
class Standing:
    """The least number that is honest for a version, and why: what changed since `before`."""

    least: Semver
    before: Semver | None
    change: Change

    def __str__(self) -> str:
        if self.before is None:
            return f"is at least {self.least}, where numbers begin"
        return f"is at least {self.least} because, since {self.before}, {self.change}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that is about to be registered: its tree, if it is held here, with its digest, and
    the version with its model's highest number so far."""

    before: Numbered | None
    manifest: str | None
    tree: Manifest | None
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Assigned:
    """The number of a new version; whether its tag asked for it; tags to set beside its own."""

    semver: Semver
    fixed: bool
    tags: Mapping[str, str]


def assign(work: Work, new: Candidate, *, imported: bool) -> Assigned:
    """The number of a version that is about to be registered.

    Raises InvalidInput for a tag that claims less, under a policy that enforces numbers; what is
    imported keeps the tags that it had, and prompts have no contract to be held to.
    """
    standing = _judge(work, new.before, new)
    tags = new.tags
    rule = Numbering() if imported or is_prompt(tags) else _rule(work)
    claimed = tags.get(TAG)
    if claimed is None:
        written = {TAG: rule.written(standing.least)} if rule.enforced else {}
        return Assigned(standing.least, False, written)
    try:
        return Assigned(_heard(claimed, standing), True, {})
    except InvalidInput:
        if rule.enforced:
            raise
        return Assigned(standing.least, False, {})


def by_tag(work: Work, version: Version, claimed: str) -> Semver | None:
    """The number that a version gets because its tag asks for it; None if it keeps its own.

    Raises InvalidInput or Conflict, under a policy that enforces numbers.
    """
    if semver.says(claimed, version.semver):
        return None
    try:
        return _granted(work, version, _heard(claimed, standing(work, version)))
    except (InvalidInput, Conflict):
        if _rule(work).enforced and not is_prompt(version.tags):
            raise
        return None


def raise_number(
    work: Work,
    caller: Caller,
    model: str,
    which: str,
    *,
    to: str | None = None,
    bump: Bump | None = None,
) -> Version:
    """Gives a version a higher number: this one, or the next above its predecessor's by a bump.

    Its tag, where it has one or the policy wants one, follows. Raises NotFound; InvalidInput for
    less than is honest; Conflict where the number is settled or a later version is in the way.
    """
    if (to is None) == (bump is None):
        raise InvalidInput("Say either the number, as 'to', or the 'bump': major, minor or patch.")
    version = resolve(work, model, which)
    why = standing(work, version)
    written = to if bump is None else str((why.before or version.semver).after(bump))
    asked = _heard(written or "", why)
    if asked == version.semver:
        return version
    _granted(work, version, asked)
    rule = _rule(work)
    tags: dict[str, str] = {}
    if TAG in version.tags or rule.enforced:
        has_v = version.tags.get(TAG, rule.prefix)[:1] in ("v", "V")
        tags[TAG] = f"v{asked}" if has_v else str(asked)
        work.versions.set_tags(version.id, tags)
    work.versions.renumber(version.id, asked)
    event = Event(
        "version:semver:raised",
        object=subject(version),
        before={"semver": str(version.semver)},
        after={"semver": str(asked), "tags": list(tags)},
        texts=tag_texts(tags),
    )
    work.record(caller, event, model_id=version.model_id)
    return again(work, version)


def standing(work: Work, version: Version) -> Standing:
    """What a version's number may not be less than."""
    before = work.versions.below(version.model_id, version.semver)
    return _judge(work, before, Numbered(version.id, version.semver, version.manifest))


def change_between(work: Work, before: Version, after: Version) -> Change:
    """What changed from any version to any other."""
    first, second = (Numbered(v.id, v.semver, v.manifest) for v in (before, after))
    return _change(work, first, second)


# -- within ------------------------------------------------------------------------------------


def _judge(work: Work, before: Numbered | None, after: Numbered | Candidate) -> Standing:
    if before is None:
        return Standing(FIRST, None, Change(Bump.PATCH))
    change = _change(work, before, after)
    return Standing(before.semver.after(change.bump), before.semver, change)


def _change(work: Work, before: Numbered, after: Numbered | Candidate) -> Change:
    if after.manifest is not None and after.manifest == before.manifest:
        return Change(Bump.PATCH)  # the very same bytes
    return required_bump(_contract(work, before), _contract(work, after))


def _contract(work: Work, of: Numbered | Candidate) -> Contract | None:
    if isinstance(of, Candidate):
        return contracts.in_manifest(work, of.tree) if of.tree else None
    return contracts.in_version(work, of.version_id) if of.manifest else None


def _heard(text: str, why: Standing) -> Semver:
    """The number in a text. Raises InvalidInput for one that is none, too large, or a lie."""
    try:
        asked = semver.parse(text.strip())
    except InvalidInput as error:
        raise InvalidInput(f"{error.message} This version {why}.") from None
    if max(asked) > PART_LIMIT:
        raise InvalidInput(f"The parts of a semantic version go up to {PART_LIMIT}.")
    if asked < why.least:
        raise InvalidInput(f"{asked} claims too little: this version {why}.")
    return asked


def _granted(work: Work, version: Version, asked: Semver) -> Semver:
    """Raises Conflict where the version can't have this number, however honest."""
    named = f"{version.model_name}/{version.number} is {version.semver}"
    if version.semver_fixed:
        raise Conflict(f"{named}, as somebody asked for; it stays so.")
    if asked < version.semver:
        raise Conflict(f"{named}; numbers are only raised.")
    if stage := _relied_on(work, version):
        raise Conflict(f"{named} and was so in {stage}; it stays so.")
    above = work.versions.above(version.model_id, version.semver)
    if above is None:
        return asked
    own = Numbered(version.id, asked, version.manifest)
    least = _judge(work, own, above)
    if above.semver < least.least:
        raise Conflict(f"A later version is {above.semver}, and would have to be more: it {least}.")
    return asked


def _relied_on(work: Work, version: Version) -> str | None:
    """A stage it is or was in, of those where a number must not change any more."""
    cycle = lifecycle_of(work, version.model_name)
    stays = work.slots.of_version(version.id, STAYS_LIMIT)
    names = (stay.slot.name for stay in stays if stay.slot.kind == "stage")
    return next((name for name in names if name == cycle.production or cycle.holds(name)), None)


def _rule(work: Work) -> Numbering:
    policy = in_force(work)
    return policy.numbering if policy else Numbering()
