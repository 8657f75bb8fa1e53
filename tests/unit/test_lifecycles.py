"""Lifecycles: how they are written down, whose they are, and how they stand to a transition."""

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain import policies
from modelkeep.domain.emergencies import Terms
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.lifecycles import (
    MLFLOW,
    Guarded,
    Lifecycle,
    Unguarded,
    Unlisted,
    can_both_match,
)
from modelkeep.domain.models import STAGES
from modelkeep.domain.policies import Policy

DEV_TO_PROD: dict[str, Any] = {
    "name": "credit",
    "models": ["credit_*", "score"],
    "stages": ["Dev", {"name": "Test", "archive_after_days": 30}, "Prod"],
    "production": "Prod",
    "stage_transitions": {"Dev -> Test": {}, "Test -> Prod": {"approval_required": True}},
}


def of(*lifecycles: Any, **registry: Any) -> Policy:
    registry |= {"lifecycles": list(lifecycles)} if lifecycles else {}
    return policies.compile({"model_registry": registry}, "")


def credit(**changes: Any) -> Lifecycle:
    given = {key: value for key, value in (DEV_TO_PROD | changes).items() if value is not None}
    return of(given).lifecycles[0]


def refused(*lifecycles: Any, **registry: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        of(*lifecycles, **registry)
    return caught.value.message


# whose it is


def test_a_model_has_the_first_lifecycle_that_claims_its_name() -> None:
    every = {"name": "rest", "models": ["*"], "stages": ["Production"]}
    policy = of(DEV_TO_PROD, every)
    for name in ("credit_risk", "credit_", "score"):
        assert policy.lifecycle_for(name).name == "credit"
    for name in ("scores", "Credit_x", "a\ncredit_"):
        assert policy.lifecycle_for(name).name == "rest"
    assert of(DEV_TO_PROD).lifecycle_for("churn").stages == STAGES


def test_the_default_lifecycle_is_mlflows_and_guards_nothing() -> None:
    assert of().default.stages == MLFLOW.stages == STAGES
    assert not of().default.guards_any
    for source in STAGES:
        assert not MLFLOW.holds(source)
        for target in STAGES:
            assert MLFLOW.guard(source, target) == Unguarded()


NAMES = st.text("ab.*", max_size=6)


@given(NAMES, st.text("ab.", max_size=6))
def test_a_star_stands_for_any_text_and_everything_else_for_itself(pattern, name) -> None:
    assert Lifecycle(models=(pattern,)).claims(name) == fnmatchcase(name, pattern)


@given(NAMES, NAMES)
def test_two_patterns_overlap_exactly_if_one_name_matches_both(one, other) -> None:
    for filler in ("", "a", "ab.", one.replace("*", ""), other.replace("*", "")):
        for name in (one.replace("*", filler), other.replace("*", filler)):
            if fnmatchcase(name, one) and fnmatchcase(name, other):
                assert can_both_match(one, other)
    if can_both_match(one, other) and "*" in one and "*" in other:
        head = max(one.partition("*")[0], other.partition("*")[0], key=len)
        tail = max(one.rpartition("*")[2], other.rpartition("*")[2], key=len)
        between = "".join("".join(pattern.split("*")[1:-1]) for pattern in (one, other))
        assert all(fnmatchcase(head + between + tail, pattern) for pattern in (one, other))


def test_overlaps_are_reported() -> None:
    other = {"name": "risk", "models": ["*_risk", "churn"], "stages": ["Production"]}
    (told,) = of(DEV_TO_PROD, other).overlaps()
    assert "credit (credit_*) and risk (*_risk) both claim some names; credit" in told
    assert of(DEV_TO_PROD, other | {"models": ["churn"]}).overlaps() == ()


# its stages


def test_none_and_the_archive_are_always_there() -> None:
    cycle = credit()
    assert cycle.stages == ("None", "Dev", "Test", "Prod", "Archived")
    assert (cycle.production, cycle.archived) == ("Prod", "Archived")
    assert cycle.active == ("Dev", "Test", "Prod")
    retired = credit(stages=["None", "Dev", "Prod", "Retired"], archived="retired",
                     stage_transitions=None)  # fmt: skip
    assert retired.stages == ("None", "Dev", "Prod", "Retired")
    assert retired.archived == "Retired"


def test_a_stage_is_found_in_any_case_and_an_unknown_one_is_refused_in_mlflows_words() -> None:
    assert credit().stage_named("pROD") == "Prod"
    says = "Invalid Model Version stage: Staging. Value must be one of None, Dev, Test, Prod, Arch"
    with pytest.raises(InvalidInput, match=re.escape(says)):
        credit().stage_named("Staging")


def test_production_is_single_once_guarded_and_champion_follows_it() -> None:
    assert credit().admits_one("prod")
    assert credit().aliases == {"champion": "Prod"}
    assert not credit(stage_transitions=None).admits_one("Prod")


def test_whoever_is_displaced_goes_where_the_lifecycle_says() -> None:
    stages = ["Dev", "Test", {"name": "Prod", "single": True, "displaced": "dev"}]
    cycle = credit(stages=stages, stage_transitions={"Dev -> Test": {}})
    assert cycle.displaced_to("Prod") == "Dev"
    assert cycle.displaced_to("Test") == "Archived"
    assert [(m.version_id, m.target) for m in cycle.moves_into("Prod", 3, "Test", [2, 3])] == [
        (2, "Dev"),
        (3, "Prod"),
    ]


@pytest.mark.parametrize(
    "name", ["Dev Test", "Übung", "Dev_1", "-Dev", "Dev-", "x" * 64, "De\u200bv"]
)
def test_a_stage_has_a_name_that_every_dialect_can_say(name: str) -> None:
    assert "is no name here" in refused(DEV_TO_PROD | {"stages": [name, "Prod"]})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stages": ["Dev", "dev", "Prod"]}, "stages[1]: 'dev' reads like the stage 'Dev'"),
        ({"stages": ["Dev", "Pr0d", "Prod"]}, "stages[2]: 'Prod' reads like the stage 'Pr0d'"),
        ({"stages": ["production", "Prod"]}, "'production' reads like the stage 'Production'"),
        ({"stages": ["Dev", "Dev", "Prod"]}, "stages[1]: the stage Dev is listed twice"),
        ({"stages": ["12", "Prod"]}, "'12' means a version"),
        ({"stages": ["Latest", "Prod"]}, "'Latest' means a version"),
        ({"stages": []}, "stages: must be a list of stages"),
        ({"stages": ["Prod"] * 31}, "has 31 stages; the limit is 30"),
        ({"stages": [{"single": True}]}, "the key 'name' is required"),
        ({"stages": [{"name": "None", "single": True}, "Prod"]}, "None is the absence of a stage"),
        ({"stages": [{"name": "Prod", "gates": 1}]}, "unknown key 'gates'"),
        ({"stages": ["Dev", "Test"], "production": None}, "say under 'production' which"),
        ({"production": "Shadow"}, "production: Invalid Model Version stage: Shadow"),
        ({"production": "None"}, "None is the absence of a stage"),
        ({"production": "Archived"}, "cannot be both production and the archive"),
        ({"stages": [{"name": "Prod", "displaced": "Prod"}]}, "cannot be displaced into where"),
        (
            {"stages": ["Dev", "Test", {"name": "Prod", "displaced": "Test"}]},
            "displaced: Test is guarded, or holds one version",
        ),
        (
            {"stages": ["Dev", "Test", {"name": "Prod", "archive_after_days": 3}]},
            "Prod is production, the archive, or holds one",
        ),
        ({"stages": [{"name": "Archived", "single": True}, "Prod"]}, "always holds any number"),
        ({"name": "default"}, "name: 'default' is the lifecycle of all other models"),
        ({"name": "a b"}, "name: 'a b' is no name here"),
        ({"models": []}, "models: name a model, or a pattern"),
        ({"models": "credit_*"}, "models: must be a list"),
        ({"models": ["x" * 257]}, "is longer than any model's name"),
        ({"naming_convention": {}}, "lifecycles[0]: unknown key 'naming_convention'"),
        ({"stage_transitions": {"None -> Staging": {}}}, "Invalid Model Version stage: Staging"),
        ({"single": ["None"]}, "None always holds any number of versions"),
        ({"aliases": {"best": "Dev"}}, "list it under model_registry.lifecycles[0].single"),
    ],
)
def test_what_is_not_understood_is_refused_where_it_stands(changes: dict, says: str) -> None:
    stages = (
        {"stage_transitions": None} if "stages" in changes and "Test" not in str(changes) else {}
    )
    given = {k: v for k, v in (DEV_TO_PROD | stages | changes).items() if v is not None}
    message = refused(given)
    assert says in message
    assert "model_registry" in message


def test_a_stage_is_spelt_in_one_way_in_all_of_a_policy() -> None:
    other = {"name": "b", "models": ["b"], "stages": ["Pr-od"], "production": "Pr-od"}
    assert "'Pr-od' reads like the stage 'Prod'" in refused(DEV_TO_PROD, other)


def test_lifecycles_are_a_list_because_their_order_counts() -> None:
    assert "lifecycles: must be a list" in refused(lifecycles={"credit": DEV_TO_PROD})
    assert "two lifecycles named credit" in refused(DEV_TO_PROD, DEV_TO_PROD)
    assert "has 51 items; the limit is 50" in refused(*[DEV_TO_PROD] * 51)
    many = [DEV_TO_PROD | {"name": str(i), "models": ["m"] * 200} for i in range(3)]
    assert "name 600 models and patterns; the limit is 500" in refused(*many)
    other = {"name": "b", "models": ["b"], "stages": ["Production"]}
    assert of(DEV_TO_PROD, other).digest != of(other, DEV_TO_PROD).digest


def test_the_whole_registry_can_have_other_stages_too() -> None:
    policy = of(stages=["Dev", "Production"])
    assert policy.default.stages == ("None", "Dev", "Production", "Archived")
    assert policy.lifecycle_for("churn") is policy.default


def test_every_part_of_a_lifecycle_is_said_to_be_enforced() -> None:
    told = {section.path: section.note for section in of(DEV_TO_PROD).sections}
    path = "model_registry.lifecycles[0]"
    assert told[f"{path}.models"] == "credit: credit_*, score"
    assert told[f"{path}.stages"] == "None -> Dev -> Test -> Prod -> Archived"
    assert told[f"{path}.stages[1].archive_after_days"] == "Test: 30"
    assert told[f"{path}.production"] == "means Prod"
    assert all(section.enforced for section in of(DEV_TO_PROD).sections)
    (none,) = of(lifecycles=[]).sections
    assert none.note == "every model has the default one"


# transitions


def test_what_stands_in_no_stage_of_it_may_go_where_what_has_none_may() -> None:
    cycle = credit(stage_transitions={"None -> Dev": {}, "Test -> Prod": {}})
    assert cycle.guard("Staging", "Dev") == Guarded(cycle.rules["None", "Dev"])
    assert isinstance(cycle.guard("Staging", "Prod"), Unlisted)
    assert cycle.guard("Staging", "Archived") == cycle.guard("Production", "None") == Unguarded()


def test_it_holds_what_is_guarded_single_or_in_production_but_not_the_archive() -> None:
    cycle = credit(single=["Dev"], stage_transitions={"Prod -> Archived": {}, "Dev -> Test": {}})
    assert [stage for stage in cycle.stages if cycle.holds(stage)] == ["Dev", "Test", "Prod"]
    assert not any(map(credit(stage_transitions=None).holds, cycle.stages))


# emergencies


def test_a_policy_says_how_long_a_review_may_take_and_what_comes_then() -> None:
    assert credit().emergency == Terms()
    assert credit(emergency={}).emergency == Terms()
    assert credit(emergency={"review_hours": 2, "then": "roll_back"}).emergency == Terms(2, True)
    assert not credit(emergency={"then": "flag"}).emergency.rolls_back
    notes = {
        s.path: s.note for s in of(emergency={"review_hours": 2, "then": "roll_back"}).sections
    }
    assert "within 2 hours" in notes["model_registry.emergency.review_hours"]
    assert "the stage goes back" in notes["model_registry.emergency.then"]
    for wrong, said in (
        ({"then": "hope"}, "emergency.then: must be one of flag, roll_back"),
        ({"then": ["flag"]}, "emergency.then: must be text"),
        ({"review_hours": 0}, "from 1 to 168"),
        ({"review_hours": 169}, "from 1 to 168"),
        ({"hours": 1}, "hours"),
    ):
        assert said in refused(emergency=wrong)


def test_no_two_aliases_of_a_lifecycle_read_alike() -> None:
    single = {"single": ["Staging", "Production"]}
    said = refused(**single, aliases={"champion": "Production", "Champion": "Staging"})
    assert "'Champion' reads like the alias 'champion'" in said
