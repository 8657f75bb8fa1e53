"""Packages: versions with what SageMaker's clients say of them.

A package of a group is a version of that model. One without a group is the only version of a model
of its own, which takes no other.

Whatever is asked for at once happens as a whole. What a policy refuses of it is recorded, and then
nothing else of it happens: verdicts and moves come first, and gates look at what was there before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Conflict, InvalidInput, NoPackage
from modelkeep.domain.handles import handle_of
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.models import Version
from modelkeep.domain.packages import (
    LOADED,
    SINGLE_TAG,
    Approval,
    Package,
    Saying,
    Verdict,
    check_code,
)
from modelkeep.domain.search import Page, Position
from modelkeep.ports.registry import PackageListing
from modelkeep.ports.work import Work
from modelkeep.services import (
    creation,
    descriptions,
    groups,
    loadables,
    promotion,
    registry,
    sayings,
    standing,
    verdicts,
)
from modelkeep.services.catalog import again
from modelkeep.services.creation import Draft
from modelkeep.services.loadables import Listing, Plan
from modelkeep.services.policies import lifecycle_of
from modelkeep.services.promotion import Order
from modelkeep.services.steps import Result

TAGS_LIMIT = 50  # of a version that somebody adds to here
SCANNED_LIMIT = 1000  # versions that one page looks at for those of an approval

Members = Mapping[str, Any]

_NOT_CLONED = ("ModelLifeCycle",)  # where the other stands


# -- reading -------------------------------------------------------------------------------------


def find(work: Work, handle: str, number: int | None) -> Package:
    """A version of the group with a handle or, without a number, the package that has no group.

    Raises NoPackage.
    """
    name = work.models.by_handle(handle)
    model_id = work.models.find(name) if name else None
    version = work.versions.get(model_id, number or 1) if model_id else None
    is_single = version is not None and work.models.tag(version.model_id, SINGLE_TAG) is not None
    if name is None or version is None or is_single is not (number is None):
        raise NoPackage(f"There is no package {handle}" + (f"/{number}." if number else "."))
    return _dressed(work, version, lifecycle_of(work, name), is_single=is_single)


def find_all(work: Work, named: Sequence[tuple[str, int | None]]) -> list[Package | None]:
    """As `find`, of several; None for what is not there."""
    found: list[Package | None] = []
    for handle, number in named:
        try:
            found.append(find(work, handle, number))
        except NoPackage:
            found.append(None)
    return found


def listed(
    work: Work,
    wanted: PackageListing,
    group: str | None,
    approval: Approval | None,
    limit: int,
    after: Position | None,
) -> Page[Package]:
    """A page of packages, of one group or of all, with one approval or with any.

    An approval is derived, so that those with another are passed over one by one: a page that
    passed over a thousand is short. Raises NoGroup.
    """
    if group is not None:
        wanted = replace(wanted, model_id=groups.get(work, group).id, single=None)
    viewer, found = Viewer(work), list[Package]()
    scanned, end = 0, after
    while True:
        page = work.versions.listed(wanted, limit, end)
        for version in page.items:
            package = viewer.package(version)
            if approval in (None, shown_approval(package)):
                found.append(package)
            if len(found) == limit:
                is_last = page.end is None and version is page.items[-1]
                return Page(found, None if is_last else _position(wanted, version))
        scanned, end = scanned + len(page.items), page.end
        if end is None or scanned >= SCANNED_LIMIT:
            return Page(found, end)


def shown_approval(package: Package) -> Approval | None:
    """The approval; None of a package without a group of which nobody said anything."""
    if package.is_single and package.approval is Approval.PENDING and not package.said.approval:
        return None
    return package.approval


def _position(wanted: PackageListing, version: Version) -> Position:
    if wanted.by_handle:
        return (handle_of(version.model_name), version.number)
    return (version.created_ms, version.id)


class Viewer:
    """Shows versions as packages; looks at the policy and the tags of each model once."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._known: dict[int, tuple[Lifecycle, bool]] = {}

    def package(self, version: Version) -> Package:
        if version.model_id not in self._known:
            is_single = self._work.models.tag(version.model_id, SINGLE_TAG) is not None
            cycle = lifecycle_of(self._work, version.model_name)
            self._known[version.model_id] = (cycle, is_single)
        cycle, is_single = self._known[version.model_id]
        return _dressed(self._work, version, cycle, is_single=is_single)


def _dressed(work: Work, version: Version, cycle: Lifecycle, *, is_single: bool) -> Package:
    said = sayings.read(work, version)
    approval, lasts = standing.approval_of(work, version, said.verdict, cycle)
    if said.verdict and said.verdict.comment is not None:
        said = _as_it_stands(work, version, said, said.verdict, cycle)
    frozen = loadables.frozen_of(work, version, said)
    lasts = lasts and not frozen  # what lies there may change, and nothing would tell the model
    replaced = loadables.replaced(work, version, frozen)
    return Package(version, said, approval, is_single, lasts, frozen, replaced)


def _as_it_stands(
    work: Work, version: Version, said: Saying, verdict: Verdict, cycle: Lifecycle
) -> Saying:
    """Without words that were of another verdict than the last one, which no client of SageMaker's
    gave."""
    if standing.is_last(work, version, verdict, cycle):
        return said
    return replace(said, verdict=replace(verdict, comment=None))


# -- registering ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody says of a package that they register.

    `name` is a group's handle or, of a `single` one, its own. `source` is where its bytes lie, and
    stands aside for `clone_of`, the package that it is made from: what is not said of it is as of
    that one. Where it `is_label`, nothing of ours is meant by it, whatever lies there. `lists` are
    those that it names, as they were read.
    """

    name: str
    source: str
    single: bool = False
    clone_of: tuple[str, int | None] | None = None
    description: str | None = None
    tags: Mapping[str, str] | None = None
    model_tags: Mapping[str, str] = field(default_factory=dict)
    said: Members = field(default_factory=dict)
    approval: Approval | None = None
    stage: str | None = None
    is_label: bool = False
    lists: Mapping[str, Listing] = field(default_factory=dict[str, Listing])


def register(work: Work, caller: Caller, wanted: Registration) -> Version:
    """Creates a version with all that is said of it, or nothing.

    Raises what `creation.create_version` does, NoGroup, NoPackage for the one to clone,
    AlreadyExists for a name that is taken, and InvalidInput for a verdict or stage that a policy
    does not let it have at once.
    """
    original = find(work, *wanted.clone_of) if wanted.clone_of else None
    if original:
        wanted = _cloning(wanted, original)
    check_code(wanted.said)
    if wanted.single:
        model = registry.create_model(
            work, caller, wanted.name, tags=wanted.model_tags, single=True
        )
    else:
        model = groups.get(work, wanted.name)
    description = wanted.description or ""
    is_label = wanted.is_label and wanted.clone_of is None
    plan = Plan()
    if not is_label:
        plan = loadables.plan(work, wanted.source, wanted.said, wanted.lists, original)
    draft = Draft(
        model.name,
        wanted.source,
        description=description,
        tags=wanted.tags or {},
        is_label=is_label,
        together=plan.together,
        unheld=plan.unheld,
    )
    version = creation.create_version(work, caller, draft)
    if wanted.said:
        sayings.keep(work, caller, version, wanted.said, plan.frozen)
    if wanted.approval is not None:
        _begin(work, caller, version, wanted.approval)
    if wanted.stage is not None:
        _refuse_half(_moved(work, caller, version, wanted.stage, ""), "in this stage")
    return version


def _cloning(wanted: Registration, original: Package) -> Registration:
    version = original.version
    return replace(
        wanted,
        source=f"models:/{version.model_name}/{version.number}",
        description=version.description if wanted.description is None else wanted.description,
        tags=version.tags if wanted.tags is None else wanted.tags,
        said={**original.said.members, **dict.fromkeys(_NOT_CLONED), **wanted.said},
    )


def _begin(work: Work, caller: Caller, version: Version, approval: Approval) -> None:
    if approval is Approval.PENDING:
        sayings.note(work, caller, version, approval, None)
    else:
        result = verdicts.cast(work, caller, version, approval)
        _refuse_half(result, f"as {approval}")


def _refuse_half(result: Result | None, how: str) -> None:
    if result is not None and not verdicts.is_done(result):
        # What its message names besides, a request or the version, is not there then.
        why = result.decision.explain() if result.decision else result.message
        raise InvalidInput(
            f"A package cannot be registered {how} here: register it without, as "
            f"PendingManualApproval, and ask then. {why}"
        )


# -- changing ------------------------------------------------------------------------------------


def _nothing(_: Members) -> Members:
    return {}


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody changes of a package; what is None or empty stays as it is.

    `say` makes the members that are to be said of those that were; None takes one back. `runs`
    says that it changes what is run. `comment` is of the verdict, this one or the last.
    """

    approval: Approval | None = None
    comment: str | None = None
    stage: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    untagged: Sequence[str] = ()
    say: Callable[[Members], Members] = _nothing
    runs: bool = False


def change(
    work: Work, caller: Caller, handle: str, number: int | None, wanted: Change
) -> tuple[Version, Result | None]:
    """The version, and the refusal, recorded, of a verdict or a move: then nothing else happened.

    Raises NoPackage, InvalidInput; Conflict for a change of what votes are cast on, or were.
    """
    package = find(work, handle, number)
    version = package.version
    runs_other = wanted.runs and _runs_other(package.said.members, wanted)
    if runs_other:
        _check_open(work, package)
    if wanted.approval is not None:
        result = verdicts.cast(work, caller, version, wanted.approval, wanted.comment)
        if not verdicts.is_done(result):
            return version, result
    result = None
    if wanted.stage is not None:
        result = _staged(work, caller, package, wanted)
        if not verdicts.is_done(result):
            return version, result
    if runs_other:  # nor may who lets it in exchange it in the same breath
        _check_open(work, find(work, handle, number))
    _tag(work, caller, version, wanted)
    if wanted.approval is None and wanted.comment is not None:
        put = descriptions.tell_of_move if result else descriptions.change
        put(work, caller, again(work, version), wanted.comment)
    said = sayings.read(work, version)
    if members := wanted.say(said.members):
        if runs_other:
            loadables.check_held(work, version, said, {**said.members, **members})
        sayings.keep(work, caller, version, members)
    return again(work, version), None


def _runs_other(said: Members, wanted: Change) -> bool:
    """What is said again as it was changes nothing."""
    members = wanted.say(said)
    return any(said.get(name) != members[name] for name in LOADED if name in members)


def _staged(work: Work, caller: Caller, package: Package, wanted: Change) -> Result | None:
    assert wanted.stage is not None
    version = again(work, package.version)
    has_moved = version.stage != package.version.stage
    is_new = wanted.approval not in (None, package.approval)
    target = lifecycle_of(work, version.model_name).stage_named(wanted.stage)
    if version.stage != target and (has_moved or is_new):
        raise InvalidInput(
            "ModelApprovalStatus and ModelLifeCycle ask for two different changes; "
            "ask for one after the other."
        )
    return _moved(work, caller, version, wanted.stage, wanted.comment or "")


def _moved(work: Work, caller: Caller, version: Version, stage: str, reason: str) -> Result | None:
    """None where the version is there. Raises InvalidInput for a stage that is none."""
    version = again(work, version)
    cycle = lifecycle_of(work, version.model_name)
    target = cycle.stage_named(stage)
    if target == version.stage:
        return None
    if target == cycle.production and (
        early := verdicts.refuse_early(work, caller, version, cycle)
    ):
        return early
    order = Order(version.model_name, version.number, stage, reason)
    return promotion.request(work, caller, order)


def _check_open(work: Work, package: Package) -> None:
    """Nobody votes on one thing and gets another: also not by a vote of long ago, which a rollback
    would rely on, or that counts again once a gate passes again."""
    version = package.version
    cycle = lifecycle_of(work, version.model_name)
    is_in = package.approval is Approval.APPROVED or version.stage == cycle.production
    if (is_in and cycle.is_guarded(cycle.production)) or work.governance.was_granted(version.id):
        raise Conflict(
            "What this package runs was approved, and does not change any more: register another."
        )
    if work.governance.pending([version.id]):
        raise Conflict(
            "What this package runs waits for votes, and does not change meanwhile: register "
            "another, or set ModelApprovalStatus to Rejected first."
        )


def _tag(work: Work, caller: Caller, version: Version, wanted: Change) -> None:
    left = {key: value for key, value in version.tags.items() if key not in wanted.untagged}
    new = wanted.tags.keys() - left.keys()
    if new and len(left) + len(new) > TAGS_LIMIT:
        raise InvalidInput(
            f"CustomerMetadataProperties has at most {TAGS_LIMIT} entries; this would make them "
            f"{len(left) + len(new)}."
        )
    model, number = version.model_name, version.number
    for key in wanted.untagged:
        registry.delete_version_tag(work, caller, model, number, key)
    others = {key: value for key, value in wanted.tags.items() if left.get(key) != value}
    for key, value in others.items():
        registry.set_version_tag(work, caller, model, number, key, value)
    if others or left.keys() < version.tags.keys():
        work.versions.touch(version.id, work.now_ms)


def delete(work: Work, caller: Caller, handle: str, number: int | None) -> Result | None:
    """Deletes a version; a package without a group goes with its model. The result is a refusal,
    recorded. Raises NoPackage."""
    package = find(work, handle, number)
    model = package.version.model_name
    if package.is_single:
        return registry.delete_model(work, caller, model)
    return registry.delete_version(work, caller, model, package.version.number)
