"""Versions as SageMaker's clients see them: packages, each with an approval that is derived.

What such a client says of a version, beyond what our words hold (source, description, tags), is
kept as it was said, in a document of the version: so it has revisions and is in the journal by its
digest. Its verdicts are in another, since whoever gives one has no hand in what it is given on.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.models import NO_STAGE, READY, Version

MEMBERS, VERDICTS = "sagemaker.json", "sagemaker-verdict.json"  # the two documents
LIFE = "ModelLifeCycle"  # the member that says where it stands
FROZEN = "modelkeep:frozen"  # a member of the first that nobody says: `Saying.frozen`
# The members that say what a package loads, and those in them that are addresses.
LOADED = (
    "InferenceSpecification",
    "AdditionalInferenceSpecifications",
    "SourceAlgorithmSpecification",
    "SourceUri",
)
_LIST = "ManifestS3Uri"
_ADDRESSES = ("ModelDataUrl", "S3Uri", _LIST, "SourceUri")
_ENVIRONMENT = "Environment"  # of a container: variables by their names
# Those whose addresses the containers of AWS load as they start.
_CODE = ("SAGEMAKER_SUBMIT_DIRECTORY", "HF_MODEL_ID", "OPTION_MODEL_ID")
_S3 = "s3://"
# A package that no group has is the one version of a model with this tag.
SINGLE_TAG, SINGLE = "modelkeep.package", "unversioned"


def told_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags of a model but for the one that says that it is a package."""
    return {key: value for key, value in tags.items() if key != SINGLE_TAG}


class Approval(StrEnum):
    """Whether a package is approved, in SageMaker's words."""

    APPROVED = "Approved"
    REJECTED = "Rejected"
    PENDING = "PendingManualApproval"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody said last of a version, at a time in milliseconds, and what it was then.

    `comment` is None where it came with none; with one alone, nobody gave an approval.
    """

    approval: Approval | None
    at_ms: int
    subject: str
    comment: str | None = None

    def to_json(self) -> str:
        approval = self.approval.value if self.approval else None
        return _written({**asdict(self), "approval": approval})


def verdict_of(body: str) -> Verdict:
    """As `Verdict.to_json` wrote it."""
    said = json.loads(body)
    approval = said.pop("approval")
    return Verdict(Approval(approval) if approval else None, **said)


@dataclass(frozen=True, slots=True)
class Saying:
    """What was said of a version: SageMaker's members and the last verdict; by whom, and when, the
    later of the two. `frozen` is where in the version the files of addresses in it lie."""

    members: Mapping[str, Any] = field(default_factory=dict)
    verdict: Verdict | None = None
    by: str = ""
    at_ms: int = 0
    frozen: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def approval(self) -> Approval | None:
        return self.verdict.approval if self.verdict else None


def members_to_json(members: Mapping[str, Any]) -> str:
    """Without those that are None."""
    return _written({name: value for name, value in members.items() if value is not None})


def life_of(
    stage: str, members: Mapping[str, Any], approval: Approval, status: str
) -> Mapping[str, Any] | None:
    """The stage where a package of a version of that status stands: with what was said of that
    stage or, where nobody did, with whether it stays there approved."""
    told: Mapping[str, Any] = members.get(LIFE, {})
    if told.get("Stage", "").lower() == stage.lower():
        return {**told, "Stage": stage}
    stands = Approval.APPROVED if status == READY else Approval.PENDING
    stands = approval if approval is Approval.REJECTED else stands
    return {"Stage": stage, "StageStatus": stands.value} if stage != NO_STAGE else None


def addresses(members: Mapping[str, Any]) -> Iterator[str]:
    """Where all lies that a package of these members loads; but for what its lists name."""
    yield from (address for _, address in _addresses_in(members))


def lists_in(members: Mapping[str, Any]) -> frozenset[str]:
    """Those of the addresses where a list of others lies."""
    return frozenset(address for name, address in _addresses_in(members) if name == _LIST)


def mentioned(members: Mapping[str, Any]) -> frozenset[str]:
    """What else the variables of its containers name, be it to load it or to write there."""
    found = _variables_in(members)
    return frozenset(text for name, text in found if name not in _CODE and _is_s3(text))


def code_of(container: Mapping[str, Any]) -> dict[str, str]:
    """The variables of a container that name the code that it loads."""
    return {name: text for name, text in container.get(_ENVIRONMENT, {}).items() if name in _CODE}


def check_code(members: Mapping[str, Any]) -> None:
    """Raises InvalidInput for a variable whose text a container might take for an address, though
    it is none as we read them: of another scheme, in capitals, with spaces around."""
    for name, text in _variables_in(members):
        is_plain = text.isprintable() and text == text.strip()
        if name in _CODE and not (is_plain and (_is_s3(text) or ":" not in text)):
            raise InvalidInput(
                f"The variable {name} of a container names its code by an s3:// address, in small "
                "letters, or by a path or a name without a colon; without spaces around it, or "
                "characters that cannot be printed."
            )


def _variables_in(members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The variables of all containers."""
    for name, value in _parts_of(members):
        if name == _ENVIRONMENT:
            yield from value.items()


def _addresses_in(members: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is loaded from somewhere, by the member or the variable that says so."""
    for name, value in _parts_of(members):
        if name == _ENVIRONMENT:
            yield from (pair for pair in value.items() if pair[0] in _CODE and _is_s3(pair[1]))
        elif name in _ADDRESSES and value and (name != "SourceUri" or _is_s3(value)):
            yield name, value


def _parts_of(members: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the members that say what is loaded come to: texts and numbers by their names, and of
    each container its variables together."""
    for name in LOADED:
        yield from _parts(name, members.get(name))


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and name != _ENVIRONMENT:
        for key, part in value.items():
            yield from _parts(key, part)
    elif isinstance(value, list):
        for part in value:
            yield from _parts("", part)
    else:
        yield name, value


def _is_s3(text: str) -> bool:
    return text.startswith(_S3)


def _written(said: Mapping[str, Any]) -> str:
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Package:
    """A version, what was said of it and its approval. `is_single`: no group has it. `lasts`: the
    approval hangs on its model and the policy alone, and on nothing that gates look at now; and all
    else that is told of it does, too.

    `frozen` says of addresses that it names where the frozen files of each lie in the version;
    `replaced` are those that lead to other files by now, or to none.
    """

    version: Version
    said: Saying
    approval: Approval
    is_single: bool = False
    lasts: bool = False
    frozen: Mapping[str, str] = field(default_factory=dict[str, str])
    replaced: frozenset[str] = frozenset()
