"""Policies of groups: what a statement allows, and to whom."""

import json
from typing import Any

import pytest

from modelkeep.domain.access import Actor, Kind
from modelkeep.domain.sharing import Group, Guest, Place, Policy, kept, parse
from tests.support.sharing import GROUP, OTHERS, OURS, PACKAGE, THEIRS, statement

HERE = Place("us-east-1", OURS)
GUS = Guest(THEIRS, Actor("gus", verified=True), HERE)
TAGS = {"weather": {"MLProject": "weather"}, "traffic": {"MLProject": "traffic"}, "plain": {}}
TAG, WEATHER = "aws:ResourceTag/MLProject", {"aws:ResourceTag/MLProject": "weather"}


ALL = statement("*")


def policy(*given: dict[str, Any]) -> Policy:
    return parse(json.dumps({"Version": "2012-10-17", "Statement": list(given)}))


def allows(found: Policy, group: str, action: str = "DescribeModelPackage") -> bool:
    return found.allows(GUS, action, Group(group, HERE, TAGS.get(group, {})))


@pytest.mark.parametrize(
    ("given", "is_let"),
    [
        ([ALL], True),
        ([statement("DescribeModelPackage")], True),
        ([statement("describemodelpackage")], True),
        ([statement("Describe*", Principal="*")], True),
        ([statement("Describe?odelPackage", Principal={"AWS": "*"})], True),
        ([statement("*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:root"})], True),
        ([statement("*", Principal={"AWS": [OTHERS, f"arn:aws:iam::{THEIRS}:user/gus"]})], True),
        ([statement("*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:user/ann"})], False),
        ([statement("*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:role/gus"})], False),
        ([statement("*", Principal={"AWS": f"arn:aws:iam::{OTHERS}:user/gus"})], False),
        ([statement("*", Principal={"AWS": OTHERS})], False),
        ([statement("Update*", "List*")], False),
        ([statement("*", Resource=PACKAGE + "weather/*")], True),
        ([statement("*", Resource=PACKAGE + "w*/*")], True),
        ([statement("*", Resource="arn:aws:sagemaker:*:*:model-package/weathe?/*")], True),
        ([statement("*", Resource=GROUP + "weather")], False),
        ([statement("*", Resource=[GROUP + "weather", PACKAGE + "*"])], True),
        ([ALL, statement("*", Effect="Deny")], False),
        ([statement("*", Effect="Deny"), ALL], False),
        ([ALL, statement("Update*", Effect="Deny")], True),
        ([ALL, statement("*", Effect="Deny", Principal={"AWS": OTHERS})], True),
        ([ALL, statement("*", Effect="Deny", Resource=GROUP + "*")], True),
        ([statement("*", Effect="Deny", Principal={"AWS": OTHERS})], False),
    ],
)
def test_each_part_of_a_statement_is_held_against_the_call(
    given: list[dict[str, Any]], is_let: bool
) -> None:
    assert allows(policy(*given), "weather") is is_let


@pytest.mark.parametrize(
    ("condition", "seen"),
    [
        ({"StringEquals": WEATHER}, ["weather"]),
        ({"StringEquals": {"sagemaker:ResourceTag/MLProject": ["x", "weather"]}}, ["weather"]),
        ({"StringEquals": {"AWS:resourcetag/MLProject": "weather"}}, ["weather"]),
        ({"StringEquals": {"aws:ResourceTag/mlproject": "weather"}}, ["weather"]),
        ({"StringNotEquals": {"aws:ResourceTag/MLPROJECT": "weather"}}, ["plain", "traffic"]),
        ({"StringEquals": {TAG: "Weather"}}, []),
        ({"StringLike": {TAG: "*a?her"}}, ["weather"]),
        ({"StringLike": {TAG: "*"}}, ["traffic", "weather"]),
        ({"StringNotEquals": WEATHER}, ["plain", "traffic"]),
        ({"StringNotLike": {TAG: ["w*", "t*"]}}, ["plain"]),
        ({"StringEquals": {"aws:PrincipalAccount": THEIRS}}, ["plain", "traffic", "weather"]),
        ({"StringEquals": {"aws:PrincipalAccount": OTHERS}}, []),
        ({"StringEquals": {"aws:PrincipalAccount": THEIRS} | WEATHER}, ["weather"]),
        ({"StringEquals": WEATHER, "StringLike": {TAG: "t*"}}, []),
    ],
)
def test_a_condition_holds_of_the_groups_tags_and_the_callers_account(
    condition: dict[str, Any], seen: list[str]
) -> None:
    found = policy(statement("*", Principal="*", Condition=condition))
    assert sorted(name for name in TAGS if allows(found, name)) == seen


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals"])
@pytest.mark.parametrize("key", ["team", "Team", "TEAM"])
def test_a_group_of_which_a_condition_may_mean_either_of_two_tags_is_not_shared(
    operator: str, key: str
) -> None:
    found = policy(statement("*", Condition={operator: {f"aws:ResourceTag/{key}": "a"}}))
    for tags in ({"team": "a", "Team": "b"}, {"team": "a", "Team": "a"}):
        assert not found.allows(GUS, "ListTags", Group("weather", HERE, tags))
        other = policy(statement("*", Condition={operator: {TAG: "a"}}))
        is_let = other.allows(GUS, "ListTags", Group("weather", HERE, {**tags, "MLProject": "a"}))
        assert is_let is (operator == "StringEquals")


def test_a_service_account_is_a_role() -> None:
    named = policy(statement("*", Principal={"AWS": f"arn:aws:iam::{THEIRS}:role/ci"}))
    ci = Guest(THEIRS, Actor("ci", verified=True, kind=Kind.SERVICE), HERE)
    group = Group("weather", HERE)
    assert named.allows(ci, "ListTags", group)
    assert not named.allows(GUS, "ListTags", group)


def test_packages_are_listed_by_who_may_list_them_or_the_groups() -> None:
    for resource in (GROUP + "weather", PACKAGE + "weather/*"):
        found = policy(statement("ListModelPackages", Resource=resource))
        assert allows(found, "weather", "ListModelPackages")
        denied = policy(ALL, statement("*", Effect="Deny", Resource=resource))
        assert not allows(denied, "weather", "ListModelPackages")


def test_a_policy_that_speaks_of_another_group_as_well_allows_nothing() -> None:
    mixed = policy(ALL, statement("*", Effect="Deny", Resource=GROUP + "other"))
    assert not allows(mixed, "weather")
    elsewhere = policy(statement("*", Resource=PACKAGE.replace("us-east-1", "eu-west-1") + "*"))
    assert not allows(elsewhere, "weather")


def test_a_policy_that_would_not_be_taken_any_more_allows_nothing() -> None:
    odd = {"Version": "2012-10-17", "Statement": [statement("*", Resource=PACKAGE + "weather/1")]}
    assert not allows(kept(json.dumps(odd)), "weather")
    assert allows(kept(json.dumps({**odd, "Statement": [ALL]})), "weather")


def test_a_pattern_is_matched_in_time_however_many_stars_it_has() -> None:
    stars = "*a" * 2000
    found = policy(statement("*", Condition={"StringLike": {TAG: stars}}))
    group = Group("weather", HERE, {"MLProject": "a" * 1999 + "b"})
    assert not found.allows(GUS, "ListTags", group)
    group = Group("weather", HERE, {"MLProject": "a" * 2000})
    assert found.allows(GUS, "ListTags", group)
