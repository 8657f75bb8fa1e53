"""Model cards, as stock clients keep them."""

import json
from typing import Any

import pytest

from tests.conformance.aws.conftest import Aws
from tests.support.refusals import refused

INVALID, MISSING = "ValidationException", "ResourceNotFound"
ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-card/{}"


def content(text: str = "what it is for") -> str:
    return json.dumps({"model_overview": {"model_description": text}})


def made(sagemaker: Any, name: str, status: str = "Draft", **facts: Any) -> str:
    facts = {"Content": content(), **facts}
    answer = sagemaker.create_model_card(ModelCardName=name, ModelCardStatus=status, **facts)
    return answer["ModelCardArn"]


def described(sagemaker: Any, name: str, **which: Any) -> dict[str, Any]:
    return sagemaker.describe_model_card(ModelCardName=name, **which)


def test_a_card_is_described_as_it_was_made(sagemaker: Any) -> None:
    key = {"KmsKeyId": "1234abcd"}
    arn = made(sagemaker, "plain", SecurityConfig=key)
    assert arn == ARN.format("plain")
    card = described(sagemaker, arn)
    assert card["CreationTime"] == card["LastModifiedTime"]
    shown = ("ModelCardName", "ModelCardArn", "ModelCardVersion", "ModelCardStatus", "Content")
    assert [card[name] for name in shown] == ["plain", arn, 1, "Draft", content()]
    assert card["SecurityConfig"] == key
    who = card["CreatedBy"]["IamIdentity"]["PrincipalId"]
    assert (who, card["LastModifiedBy"]) == ("AKIAANNANNANNANNANNA", card["CreatedBy"])


def test_a_version_of_a_card_says_who_made_it(sagemaker: Any, aws: Aws) -> None:
    made(sagemaker, "shared")
    aws.client("sagemaker", "bob").update_model_card(ModelCardName="shared", Content=content("b"))

    def who(card: dict[str, Any]) -> list[str]:
        return [card[by]["IamIdentity"]["PrincipalId"] for by in ("CreatedBy", "LastModifiedBy")]

    ann = "AKIAANNANNANNANNANNA"
    first, last = (
        described(sagemaker, "shared", **which) for which in ({"ModelCardVersion": 1}, {})
    )
    assert (who(first), who(last)) == ([ann, ann], [ann, "bob"])


def test_each_update_is_a_version_and_the_older_ones_stay(sagemaker: Any) -> None:
    made(sagemaker, "growing")
    answer = sagemaker.update_model_card(ModelCardName="growing", Content=content("more"))
    assert answer["ModelCardArn"] == ARN.format("growing")
    sagemaker.update_model_card(ModelCardName="growing", ModelCardStatus="Approved")
    told = []
    for which in ({"ModelCardVersion": 1}, {"ModelCardVersion": 2}, {}):
        card = described(sagemaker, "growing", **which)
        told.append((card["ModelCardVersion"], card["ModelCardStatus"], card["Content"]))
    assert told == [
        (1, "Draft", content()),
        (2, "Draft", content("more")),
        (3, "Approved", content("more")),
    ]
    for version in (0, 4, 2**40, 2**80):
        assert refused(
            sagemaker.describe_model_card, ModelCardName="growing", ModelCardVersion=version
        ) == (MISSING, f"Modelcard with name growing and version: {version} does not exist")


def test_content_and_status_are_not_changed_together(sagemaker: Any) -> None:
    made(sagemaker, "one-thing")
    both = {"Content": content("x"), "ModelCardStatus": "Approved"}
    assert refused(sagemaker.update_model_card, ModelCardName="one-thing", **both) == (
        INVALID,
        "You cannot update both model card content and model card status in a single call.",
    )
    assert refused(sagemaker.update_model_card, ModelCardName="one-thing")[0] == INVALID
    assert described(sagemaker, "one-thing")["ModelCardVersion"] == 1
    as_it_stands = {"Content": content("x"), "ModelCardStatus": "Draft"}
    sagemaker.update_model_card(ModelCardName="one-thing", **as_it_stands)
    assert described(sagemaker, "one-thing")["ModelCardVersion"] == 2


def test_an_archived_card_says_nothing_new(sagemaker: Any) -> None:
    made(sagemaker, "old", "Archived")
    assert refused(sagemaker.update_model_card, ModelCardName="old", Content=content("x")) == (
        "ConflictException",
        "Model Card is in Archived state",
    )
    sagemaker.update_model_card(ModelCardName="old", ModelCardStatus="Draft")
    sagemaker.update_model_card(ModelCardName="old", Content=content("x"))
    assert described(sagemaker, "old")["ModelCardVersion"] == 3


def test_a_name_is_taken_until_its_card_is_deleted(sagemaker: Any) -> None:
    again = {"ModelCardName": "twice", "ModelCardStatus": "Draft", "Content": content()}
    sagemaker.create_model_card(**again)
    taken = ("ConflictException", "Modelcard twice already exists")
    assert refused(sagemaker.create_model_card, **again) == taken
    sagemaker.delete_model_card(ModelCardName="twice")
    missing = (MISSING, "Modelcard twice does not exist.")
    for call in (
        sagemaker.describe_model_card,
        sagemaker.delete_model_card,
        sagemaker.list_model_card_versions,
    ):
        assert refused(call, ModelCardName="twice") == missing
    assert (
        refused(sagemaker.update_model_card, ModelCardName="twice", ModelCardStatus="Draft")
        == missing
    )
    sagemaker.create_model_card(**again)
    assert described(sagemaker, "twice")["ModelCardVersion"] == 1


WHOLE = {
    "model_overview": {
        "model_id": "m",
        "model_name": "churn",
        "model_version": 1,
        "problem_type": "Binary Classification",
        "model_artifact": ["s3://bucket/model.tar.gz"],
        "inference_environment": {"container_image": ["image:1"]},
    },
    "model_package_details": {
        "model_package_arn": ARN,
        "model_package_version": 3,
        "created_by": {"user_profile_name": "ann"},
        "source_algorithms": [{"algorithm_name": "xgboost"}],
        "inference_specification": {"containers": [{"image": "image:1"}]},
    },
    "intended_uses": {"intended_uses": "few", "risk_rating": "Low"},
    "business_details": {"line_of_business": "retail"},
    "training_details": {
        "objective_function": {"function": {"function": "Maximize", "facet": "AUC"}, "notes": "n"},
        "training_job_details": {
            "training_datasets": ["s3://bucket/data"],
            "training_metrics": [{"name": "auc", "value": 0.9, "notes": "n"}],
            "hyper_parameters": [{"name": "depth", "value": "3"}],
        },
    },
    "evaluation_details": [
        {
            "name": "held out",
            "datasets": ["s3://bucket/held-out"],
            "metadata": {"by": "ann"},
            "metric_groups": [
                {
                    "name": "all",
                    "metric_data": [
                        {"name": "n", "type": "number", "value": 1.5},
                        {"name": "s", "type": "string", "value": "good"},
                        {"name": "b", "type": "boolean", "value": True},
                        {"name": "l", "type": "linear_graph", "value": [[0, 1], [1, 2]]},
                        {"name": "c", "type": "bar_chart", "value": [1, 2], "x_axis_name": ["a"]},
                        {"name": "m", "type": "matrix", "value": [[1, 2], [3, 4]]},
                    ],
                }
            ],
        }
    ],
    "additional_information": {"custom_details": {"ticket": "42"}},
}


def test_every_part_of_a_card_may_be_there(sagemaker: Any) -> None:
    made(sagemaker, "whole", Content=json.dumps(WHOLE))
    assert json.loads(described(sagemaker, "whole")["Content"]) == WHOLE


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("{'a': 1}", "not valid JSON"),
        ("[" * 2000, "Content is not"),
        ("[]", "Expected `object`, got `array`"),
        ({"nothing": {}}, "unknown field `nothing`"),
        ({"model_overview": {"x": 1}}, "unknown field `x` - at `$.model_overview`"),
        ({"model_overview": {"model_creator": None}}, "Expected `str`, got `null`"),
        ({"model_overview": {"model_creator": "x" * 1025}}, "length <= 1024"),
        ({"intended_uses": {"risk_rating": "Some"}}, "Invalid enum value 'Some'"),
        ({"evaluation_details": [{}]}, "missing required field `name`"),
        (
            {"training_details": {"training_job_details": {"training_metrics": [{"name": "a"}]}}},
            "missing required field `value`",
        ),
    ],
)
def test_what_is_no_card_is_refused_where_it_is_wrong(sagemaker: Any, said: Any, told: str) -> None:
    text = said if isinstance(said, str) else json.dumps(said)
    wrong = {"ModelCardName": "wrong", "ModelCardStatus": "Draft", "Content": text}
    code, sentence = refused(sagemaker.create_model_card, **wrong)
    assert code == INVALID
    assert told in sentence
    assert refused(sagemaker.describe_model_card, ModelCardName="wrong")[0] == MISSING


def test_cards_are_listed_in_order_by_what_is_known_of_them(sagemaker: Any) -> None:
    made(sagemaker, "list-b")
    made(sagemaker, "list-c", "Approved")
    made(sagemaker, "list-a")

    def listed(**wanted: Any) -> list[str]:
        pages = sagemaker.get_paginator("list_model_cards").paginate(
            NameContains="LIST", PaginationConfig={"PageSize": 2}, **wanted
        )
        return [card["ModelCardName"][-1] for page in pages for card in page["ModelCardSummaries"]]

    assert listed() == ["b", "c", "a"]
    assert listed(SortOrder="Descending") == ["a", "c", "b"]
    assert listed(SortBy="Name") == ["a", "b", "c"]
    assert listed(SortBy="Name", SortOrder="Descending") == ["c", "b", "a"]
    assert listed(ModelCardStatus="Approved") == ["c"]
    middle = described(sagemaker, "list-c")["CreationTime"]
    assert listed(CreationTimeAfter=middle) == ["a"]
    assert listed(CreationTimeBefore=middle) == ["b"]
    sagemaker.update_model_card(ModelCardName="list-c", ModelCardStatus="Draft")
    assert listed(ModelCardStatus="Approved") == []


def test_versions_are_listed_in_order(sagemaker: Any) -> None:
    made(sagemaker, "versions")
    for status in ("PendingReview", "Approved"):
        sagemaker.update_model_card(ModelCardName="versions", ModelCardStatus=status)

    def listed(**wanted: Any) -> list[tuple[int, str]]:
        pages = sagemaker.get_paginator("list_model_card_versions").paginate(
            ModelCardName=ARN.format("versions"), PaginationConfig={"PageSize": 2}, **wanted
        )
        cards = [card for page in pages for card in page["ModelCardVersionSummaryList"]]
        assert len({card["CreationTime"] for card in cards}) == 1
        return [(card["ModelCardVersion"], card["ModelCardStatus"]) for card in cards]

    assert listed() == [(1, "Draft"), (2, "PendingReview"), (3, "Approved")]
    assert listed(SortOrder="Descending", SortBy="Version")[0] == (3, "Approved")
    assert listed(ModelCardStatus="Approved") == [(3, "Approved")]


def test_cards_have_tags(sagemaker: Any) -> None:
    team = [{"Key": "team", "Value": "risk"}]
    arn = made(sagemaker, "tagged-card", Tags=team)
    sagemaker.update_model_card(ModelCardName="tagged-card", ModelCardStatus="Approved")
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == team
    more = sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])["Tags"]
    assert more == [{"Key": "a", "Value": "b"}, *team]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team", "none"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    missing = (MISSING, "Modelcard none does not exist.")
    assert refused(sagemaker.list_tags, ResourceArn=ARN.format("none")) == missing
    assert refused(sagemaker.add_tags, ResourceArn=ARN.format("none"), Tags=team) == missing


def test_cards_are_found_by_what_they_are_about(sagemaker: Any) -> None:
    package = ARN.format("about/1").replace("model-card", "model-package")
    details = {"model_package_arn": package, "model_package_group_name": "about"}
    of_package = {"model_package_details": details, "intended_uses": {"risk_rating": "Medium"}}
    made(
        sagemaker,
        "about-1",
        Content=json.dumps(of_package),
        Tags=[{"Key": "team", "Value": "risk"}],
    )
    made(sagemaker, "about-2", Content=json.dumps({"model_overview": {"model_id": "m-1"}}))
    made(sagemaker, "about-3", Content=json.dumps(of_package))
    sagemaker.update_model_card(ModelCardName="about-1", ModelCardStatus="Approved")

    def found(name: str, value: str, **how: Any) -> list[str]:
        one = {"Name": name, "Operator": "Equals", "Value": value}
        answer = sagemaker.search(Resource="ModelCard", SearchExpression={"Filters": [one]}, **how)
        return [result["ModelCard"]["ModelCardName"] for result in answer["Results"]]

    assert found("ModelPackageGroupName", "about") == ["about-1", "about-3"]  # changed last, first
    assert found("ModelId", package, SortBy="CreationTime") == ["about-3", "about-1"]
    assert found("ModelId", "m-1") == ["about-2"]
    assert found("RiskRating", "Medium", SortBy="ModelCardName", SortOrder="Ascending") == [
        "about-1",
        "about-3",
    ]
    assert found("Tags.team", "risk") == ["about-1"]
    assert found("ModelCardStatus", "Approved", MaxResults=1)[0] == "about-1"
    page = sagemaker.search(Resource="ModelCard", MaxResults=1)
    rest = sagemaker.search(Resource="ModelCard", NextToken=page["NextToken"])
    shown = [one["ModelCard"]["ModelCardName"] for one in page["Results"] + rest["Results"]]
    assert shown[:3] == ["about-1", "about-3", "about-2"]
    assert page["Results"][0]["ModelCard"]["Tags"] == [{"Key": "team", "Value": "risk"}]
