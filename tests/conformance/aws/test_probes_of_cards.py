"""Probes of tags, models, model cards and searches (see `probes`)."""

import json
from typing import Any

import pytest

from tests.conformance.aws.probes import (
    CONTAINER,
    INVALID,
    KIND,
    MISSING,
    Answer,
    Params,
    Refusal,
    check_answered,
    check_refused,
    named,
)

GROUP = f"{KIND}:model-package-group/probed"
ROLE = "arn:aws:iam::000000000000:role/any"
WHOLE = {
    "model_overview": {"model_id": "m-1", "model_name": "probed", "model_creator": "ann"},
    "intended_uses": {"risk_rating": "Low", "purpose_of_model": "tests"},
    "model_package_details": {
        "model_package_group_name": "probed",
        "model_package_arn": f"{KIND}:model-package/probed/1",
        "domain": "COMPUTER_VISION",
    },
    "business_details": {"line_of_business": "retail"},
}
CARD = json.dumps(WHOLE)


@pytest.fixture(scope="module")
def probed(sagemaker: Any) -> Any:
    """A group with a tag and a package that waits for its approval; a model and a card."""
    tags = [{"Key": "team", "Value": "risk"}]
    sagemaker.create_model_package_group(ModelPackageGroupName="probed", Tags=tags)
    sagemaker.create_model_package(ModelPackageGroupName="probed")
    sagemaker.create_model(ModelName="probed", PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE)
    sagemaker.create_model_card(ModelCardName="probed", Content=CARD, ModelCardStatus="Draft")
    return sagemaker


REFUSED: list[Refusal] = [
    (
        "a tag has a key",
        "add_tags",
        {
            "ResourceArn": GROUP,
            "Tags": [{"Key": "", "Value": "v"}],
        },
        INVALID,
        "at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than",
    ),
    (
        "an unapproved package is no model",
        "create_model",
        {
            "ModelName": "unapproved",
            "ExecutionRoleArn": ROLE,
            "PrimaryContainer": {"ModelPackageName": "probed/1"},
        },
        INVALID,
        "PendingManualApproval",
    ),
    (
        "a model's name is taken once",
        "create_model",
        {"ModelName": "probed", "PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE},
        INVALID,
        "Cannot create already existing model",
    ),
    (
        "a role is the ARN of one",
        "create_model",
        {"ModelName": "m", "PrimaryContainer": CONTAINER, "ExecutionRoleArn": "arn:aws:x"},
        INVALID,
        "at 'executionRoleArn'",
    ),
    (
        "a model that is not there could not be found",
        "describe_model",
        {"ModelName": "nowhere"},
        INVALID,
        "Could not find model",
    ),
    (
        "a card's content is of its schema",
        "create_model_card",
        {"ModelCardName": "odd", "Content": '{"odd": 1}', "ModelCardStatus": "Draft"},
        INVALID,
        "odd",
    ),
    (
        "a card that is not there is not updated",
        "update_model_card",
        {"ModelCardName": "nowhere", "ModelCardStatus": "Approved"},
        MISSING,
        "Modelcard nowhere does not exist.",
    ),
    (
        "fifty tags are added at once at most",
        "add_tags",
        {"ResourceArn": GROUP, "Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]},
        INVALID,
        "at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50",
    ),
    (
        "tags are taken away by their keys",
        "delete_tags",
        {"ResourceArn": GROUP, "TagKeys": []},
        INVALID,
        "at 'tagKeys' failed to satisfy constraint: Member must have length greater than or equal",
    ),
    (
        "a page of tags is fifty at least",
        "list_tags",
        {"ResourceArn": GROUP, "MaxResults": 49},
        INVALID,
        "Value '49' at 'maxResults' failed to satisfy constraint: Member must have value greater "
        "than or equal to 50",
    ),
    (
        "what has tags is named by its ARN",
        "list_tags",
        {"ResourceArn": "probed"},
        INVALID,
        "at 'resourceArn' failed to satisfy constraint: Member must satisfy regular expression",
    ),
    (
        "the name of a model is one",
        "create_model",
        {"ModelName": "a_b", "PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE},
        INVALID,
        "Value 'a_b' at 'modelName' failed to satisfy constraint: Member must satisfy regular",
    ),
    (
        "a model has fifteen containers at most",
        "create_model",
        {"ModelName": "long", "Containers": [CONTAINER] * 16, "ExecutionRoleArn": ROLE},
        INVALID,
        "at 'containers' failed to satisfy constraint: Member must have length less than or equal",
    ),
    (
        "a model in a network is in its subnets",
        "create_model",
        {
            "ModelName": "netted",
            "PrimaryContainer": CONTAINER,
            "ExecutionRoleArn": ROLE,
            "VpcConfig": {"SecurityGroupIds": ["sg-1"]},
        },
        INVALID,
        "Value null at 'vpcConfig.subnets' failed to satisfy constraint: Member must not be null",
    ),
    (
        "a container serves one model, or many",
        "create_model",
        {"ModelName": "mode", "PrimaryContainer": {**CONTAINER, "Mode": "NoModel"}},
        INVALID,
        "at 'primaryContainer.mode' failed to satisfy constraint: Member must satisfy enum value "
        "set: [SingleModel, MultiModel]",
    ),
    (
        "containers are called in series, or each by itself",
        "create_model",
        {
            "ModelName": "pair",
            "Containers": [CONTAINER] * 2,
            "InferenceExecutionConfig": {"Mode": "AtRandom"},
        },
        INVALID,
        "at 'inferenceExecutionConfig.mode' failed to satisfy constraint: Member must satisfy "
        "enum value set: [Serial, Direct]",
    ),
    (
        "models are sorted by what they can be sorted by",
        "list_models",
        {"SortBy": "Size"},
        INVALID,
        "at 'sortBy' failed to satisfy constraint: Member must satisfy enum value set: [Name, "
        "CreationTime]",
    ),
    (
        "a card has one of four states",
        "create_model_card",
        {"ModelCardName": "final", "Content": CARD, "ModelCardStatus": "Final"},
        INVALID,
        "Member must satisfy enum value set: [Draft, PendingReview, Approved, Archived]",
    ),
    (
        "a card has 100,000 characters at most",
        "create_model_card",
        {"ModelCardName": "large", "Content": CARD + " " * 100_000, "ModelCardStatus": "Draft"},
        INVALID,
        "at 'content' failed to satisfy constraint: Member must have length less than or equal to "
        "100000",
    ),
    (
        "a card is deleted by its name alone",
        "delete_model_card",
        {"ModelCardName": f"{KIND}:model-card/probed"},
        INVALID,
        "at 'modelCardName' failed to satisfy constraint: Member must satisfy regular expression",
    ),
    (
        "cards are sorted by what they can be sorted by",
        "list_model_cards",
        {"SortBy": "Status"},
        INVALID,
        "Member must satisfy enum value set: [Name, CreationTime]",
    ),
    (
        "versions of a card are sorted by their numbers alone",
        "list_model_card_versions",
        {"ModelCardName": "probed", "SortBy": "CreationTime"},
        INVALID,
        "Member must satisfy enum value set: [Version]",
    ),
    (
        "of a card all is told, or the metadata",
        "describe_model_card",
        {"ModelCardName": "probed", "IncludedData": "Some"},
        INVALID,
        "Member must satisfy enum value set: [AllData, MetadataOnly]",
    ),
    (
        "what is searched is of a kind that AWS has",
        "search",
        {"Resource": "Teapot"},
        INVALID,
        "Value 'Teapot' at 'resource' failed to satisfy constraint: Member must satisfy enum "
        "value set: [TrainingJob, Experiment, ",
    ),
    (
        "a page of results is a hundred at most",
        "search",
        {"Resource": "ModelPackage", "MaxResults": 101},
        INVALID,
        "at 'maxResults' failed to satisfy constraint: Member must have value less than or equal",
    ),
    (
        "results come in one of two orders",
        "search",
        {"Resource": "ModelPackage", "SortOrder": "Random"},
        INVALID,
        "Member must satisfy enum value set: [Ascending, Descending]",
    ),
    (
        "filters are joined by And, or by Or",
        "search",
        {"Resource": "ModelPackage", "SearchExpression": {"Operator": "Xor"}},
        INVALID,
        "at 'searchExpression.operator' failed to satisfy constraint: Member must satisfy enum "
        "value set: [And, Or]",
    ),
    (
        "a filter is on a property",
        "search",
        {"Resource": "ModelPackage", "SearchExpression": {"Filters": [{"Operator": "Exists"}]}},
        INVALID,
        "Value null at 'searchExpression.filters.1.member.name' failed to satisfy constraint",
    ),
]


@pytest.mark.parametrize(("call", "params", "code", "told"), **named(REFUSED))
def test_what_may_not_be_is_refused(
    probed: Any, call: str, params: Params, code: str, told: str
) -> None:
    def seen() -> Any:
        cards = probed.list_model_card_versions(ModelCardName="probed")
        return (
            probed.list_models()["Models"],
            probed.list_model_cards()["ModelCardSummaries"],
            cards["ModelCardVersionSummaryList"],
            probed.list_tags(ResourceArn=GROUP)["Tags"],
        )

    check_refused(probed, call, params, code, told, seen)


ANSWERED: list[Answer] = [
    (
        "a key that is not there is taken away without a word",
        "delete_tags",
        {"ResourceArn": GROUP, "TagKeys": ["nobody"]},
        "Tags",
        None,
    ),
    (
        "adding no new tag tells of all that there are",
        "add_tags",
        {
            "ResourceArn": GROUP,
            "Tags": [{"Key": "team", "Value": "risk"}],
        },
        "Tags",
        [{"Key": "team", "Value": "risk"}],
    ),
    (
        "a card's metadata are what needs no key to be read",
        "describe_model_card",
        {"ModelCardName": "probed", "IncludedData": "MetadataOnly"},
        "Content",
        json.dumps(
            {
                "model_overview": {"model_id": "m-1", "model_name": "probed"},
                "intended_uses": {"risk_rating": "Low"},
                "model_package_details": {
                    "model_package_group_name": "probed",
                    "model_package_arn": f"{KIND}:model-package/probed/1",
                },
            }
        ),
    ),
]


@pytest.mark.parametrize(("call", "params", "member", "value"), **named(ANSWERED))
def test_what_is_asked_is_answered(
    probed: Any, call: str, params: Params, member: str, value: Any
) -> None:
    check_answered(probed, call, params, member, value)


def test_models_of_a_moment_are_after_it_and_not_before(probed: Any) -> None:
    moment = probed.describe_model(ModelName="probed")["CreationTime"]
    assert len(probed.list_models(CreationTimeAfter=moment)["Models"]) == 1
    assert probed.list_models(CreationTimeBefore=moment)["Models"] == []


def test_what_is_found_comes_newest_first(probed: Any) -> None:
    probed.create_model_package_group(ModelPackageGroupName="newer")
    found = probed.search(Resource="ModelPackageGroup")["Results"]
    names = [one["ModelPackageGroup"]["ModelPackageGroupName"] for one in found]
    assert names == ["newer", "probed"]


def test_a_card_tells_when_it_was_changed(probed: Any) -> None:
    made = {"ModelCardName": "changed", "Content": CARD, "ModelCardStatus": "Draft"}
    probed.create_model_card(**made)
    probed.update_model_card(ModelCardName="changed", ModelCardStatus="PendingReview")
    card = probed.describe_model_card(ModelCardName="changed")
    assert card["LastModifiedTime"] > card["CreationTime"]
