"""Model packages: versions of our models, and models of one version."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import AlreadyExists, InvalidInput, NoGroup, NoPackage, NotFound
from modelkeep.domain.gates import Outcome
from modelkeep.domain.gates.review import ReasonGate
from modelkeep.domain.models import Version
from modelkeep.domain.packages import Approval
from modelkeep.domain.sharing import Guest
from modelkeep.domain.sharing import Place as At
from modelkeep.ports.registry import PackageListing
from modelkeep.ports.work import About, Work
from modelkeep.protocols.aws import models, rendering
from modelkeep.protocols.aws.calls import Call, Operation, Place
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.once import once
from modelkeep.protocols.aws.sagemaker import lists, members
from modelkeep.protocols.aws.sagemaker.described import (
    arn_of,
    described,
    in_batch,
    no_package,
    our_package_of,
    package_arn,
    summary,
    without_contents,
)
from modelkeep.protocols.aws.sagemaker.members import GROUP, LIFE, NAME, VERDICT
from modelkeep.protocols.aws.sagemaker.wording import (
    PAGE,
    check_ours,
    group_of,
    ms_of,
    no_group,
    tags_of,
)
from modelkeep.protocols.cursors import page_position, position_token
from modelkeep.services import groups, guests, packages, permits
from modelkeep.services.app import App
from modelkeep.services.permits import Need
from modelkeep.services.steps import Result
from modelkeep.services.voters import Voting

Find = Callable[[Work], str | None]

_ARN = "ModelPackageArn"
KNOWN_LIMIT_BYTES = 4096  # of an answer that is remembered
_DENIED = "AccessDeniedException"  # as DescribeModelPackage has it
_SINGLE = {"Versioned": False, "Unversioned": True, "Both": None}


async def _create(app: App, call: Call) -> Mapping[str, Any]:
    wanted = members.registration(call)
    if not wanted.is_label:
        wanted = replace(wanted, lists=await lists.read(app, wanted.said))

    def tell(made: Version) -> Mapping[str, str]:
        return {_ARN: package_arn(call, made, is_single=wanted.single)}

    try:
        return await once(app, call, "CreateModelPackage", tell, packages.register, wanted)
    except AlreadyExists:
        arn = arn_of(call, wanted.name, None)
        raise AlreadyExists(f"ModelPackage already exists: {arn}") from None
    except NoGroup:
        raise NotFound("Model Package Group does not exist.") from None
    except NoPackage:
        assert wanted.clone_of is not None
        raise no_package(call, *wanted.clone_of) from None


async def _describe(app: App, call: Call) -> Mapping[str, Any]:
    named = our_package_of(call, call.params[NAME])
    try:
        package = await app.read(packages.find, *named, point=True)
    except NoPackage:
        raise no_package(call, *named) from None
    told = described(call, package, to_guest=call.is_guests)
    is_brief = call.params.get("IncludedData") == "MetadataOnly"
    return without_contents(told) if is_brief else told


async def _described(app: App, call: Call) -> bytes:
    if "IncludedData" in call.params or call.is_guests:
        return b""
    handle, number = our_package_of(call, call.params[NAME])
    try:
        return await app.recall(_known, handle, number or 0, call.region, call.account)
    except NoPackage:
        return b""


def _known(work: Work, handle: str, number: int, region: str, account: str) -> About[bytes]:
    """The body of an answer that hangs on the model and the policy alone, and is not large."""
    package = packages.find(work, handle, number or None)
    body = b""
    if package.lasts:
        shape = models.output_of("sagemaker", "DescribeModelPackage")
        body = rendering.to_json(shape, described(Place(region, account), package))
    return About(body if len(body) <= KNOWN_LIMIT_BYTES else b"", package.version.model_id)


async def _describe_many(app: App, call: Call) -> Mapping[str, Any]:
    named, errors = {}, {}
    for arn in call.params["ModelPackageArnList"]:
        try:
            named[arn] = our_package_of(call, arn)
        except InvalidInput as error:
            errors[arn] = _told(error.message)
    found = await app.read(packages.find_all, list(named.values()))
    pairs = dict(zip(named, found, strict=True))
    missing = {arn: named[arn] for arn, package in pairs.items() if package is None}
    seen = await app.read(groups.seen, [handle for handle, _ in missing.values()])
    for arn, (handle, number) in missing.items():
        if call.is_guests and handle not in seen:
            errors[arn] = {"ErrorCode": _DENIED, "ErrorResponse": _denial(call)}
        else:
            errors[arn] = _told(no_package(call, handle, number).message)
    return {
        "ModelPackageSummaries": {
            arn: in_batch(call, package, to_guest=call.is_guests)
            for arn, package in pairs.items()
            if package
        },
        "BatchDescribeModelPackageErrorMap": errors or None,
    }


def _denial(call: Call) -> str:
    """Of what a guest may not describe, whether it is there or not."""
    guest = Guest(call.caller_account, call.caller.actor, At(call.region, call.account))
    return guests.refusal(guest, "DescribeModelPackage").message


def _told(message: str) -> Mapping[str, str]:
    return {"ErrorCode": "ValidationException", "ErrorResponse": message}


async def _list(app: App, call: Call) -> Mapping[str, Any]:
    params = call.params
    if call.is_guests and GROUP not in params:
        return {"ModelPackageSummaryList": []}  # of their own account
    group = group_of(params[GROUP]) if GROUP in params else None
    approval = params.get(VERDICT)
    wanted = PackageListing(
        contains=params.get("NameContains", ""),
        from_ms=ms_of(params, "CreationTimeAfter"),
        until_ms=ms_of(params, "CreationTimeBefore"),
        by_handle=params.get("SortBy") == "Name",
        ascending=params.get("SortOrder") != "Descending",
        single=_SINGLE[params.get("ModelPackageType", "Unversioned")],
    )
    search = (wanted, group, approval)
    after = page_position(params.get("NextToken", ""), search)
    size = params.get("MaxResults", PAGE)
    status = Approval(approval) if approval else None
    try:
        found = await app.search(packages.listed, wanted, group, status, size, after)
    except NoGroup:
        raise no_group(call, group or "") from None
    return {
        "ModelPackageSummaryList": [summary(call, package) for package in found.items],
        "NextToken": position_token(found.end, search) or None,
    }


async def _update(app: App, call: Call) -> Mapping[str, Any]:
    handle, number = our_package_of(call, call.params[_ARN])
    wanted = members.change(call.params)

    def tell(came: tuple[Version, Result | None]) -> Mapping[str, str]:
        version, refusal = came
        if refusal is not None:
            return {"refused": _why(refusal)}
        return {_ARN: package_arn(call, version, is_single=number is None)}

    try:
        told = await once(
            app, call, "UpdateModelPackage", tell, packages.change, handle, number, wanted
        )
    except NoPackage:
        raise no_package(call, handle, number) from None
    if "refused" in told:
        raise Coded("ConflictException", told["refused"])
    return told


def _why(refusal: Result) -> str:
    verdicts = refusal.decision.verdicts if refusal.decision else ()
    wants_reason = any(v.gate == ReasonGate.name and v.outcome is Outcome.FAILED for v in verdicts)
    hint = " The reason is given as ApprovalDescription." if wants_reason else ""
    return refusal.message + hint


async def _delete(app: App, call: Call) -> Mapping[str, Any]:
    named = our_package_of(call, call.params[NAME])
    try:
        refusal = await app.write(packages.delete, call.caller, *named)
    except NoPackage:
        raise no_package(call, *named) from None
    if refusal is not None:
        raise Coded("ConflictException", refusal.message)
    return {}


# -- who may -------------------------------------------------------------------------------------


def _on_creation(call: Call) -> None:
    """Of a package without a group there is nothing yet that a verdict could be on: what one takes
    is asked once it is made (`verdicts.cast`), and then nothing of it is."""
    params = call.params
    if members.is_single(params):
        permits.admit_new(params[NAME], tags_of(params.get("Tags", ())))
        return
    check_ours(call, params[GROUP])
    handle = group_of(params[GROUP])
    find = _found(handle)
    is_waiting = params.get(VERDICT) == Approval.PENDING  # as it is without a word
    needs = _of_moves(params, find, is_vote=not is_waiting)
    permits.admit(Need(Verb.WRITE, find=find), *needs, lent=call.lent(handle))


def _on_package(verb: Verb) -> Any:
    def admit(call: Call) -> None:
        handle, _ = our_package_of(call, call.params[NAME])
        permits.admit(Need(verb, find=_found(handle)), lent=call.lent(handle))

    return admit


def _on_update(call: Call) -> None:
    """A vote takes a role that approves, its comment with it, or after it; every other member what
    it takes in any dialect."""
    handle, _ = our_package_of(call, call.params[_ARN])
    of_vote = {VERDICT, members.COMMENT} if VERDICT in call.params else set[str]()
    others = call.params.keys() - {_ARN, "ClientToken", LIFE, *of_vote}
    find = _found(handle)
    needs = _of_moves(call.params, find)
    if others == {members.COMMENT} and not needs:
        needs.append(Voting(Verb.WRITE, find=find, is_words=True))
    elif others or not needs:
        needs.append(Need(Verb.WRITE, find=find))
    permits.admit(*needs, lent=call.lent(handle))


def _of_moves(params: Mapping[str, Any], find: Find, *, is_vote: bool = True) -> list[Need]:
    """What a verdict takes, and a stage."""
    needs: list[Need] = []
    if VERDICT in params and is_vote:
        needs.append(Voting(Verb.APPROVE, find=find))
    if LIFE in params:
        needs.append(Need(Verb.PROMOTE, find=find))
    return needs


def _found(handle: str) -> Find:
    return lambda work: work.models.by_handle(handle)


def _on_list(call: Call) -> None:
    """What may not be read is not listed."""
    text = call.params.get(GROUP, "")
    check_ours(call, text)
    permits.admit(lent=call.lent(group_of(text) if text else None))


def _anywhere(call: Call) -> None:
    """As on a list."""
    permits.admit(lent=call.lent())


OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("sagemaker", "CreateModelPackage"): Operation(_create, _on_creation),
    ("sagemaker", "DescribeModelPackage"): Operation(_describe, _on_package(Verb.READ), _described),
    ("sagemaker", "BatchDescribeModelPackage"): Operation(_describe_many, _anywhere),
    ("sagemaker", "ListModelPackages"): Operation(_list, _on_list),
    ("sagemaker", "UpdateModelPackage"): Operation(_update, _on_update),
    ("sagemaker", "DeleteModelPackage"): Operation(_delete, _on_package(Verb.WRITE)),
}
