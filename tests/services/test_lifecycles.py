"""Models with stages of their own: moving, displacing, deleting, renaming."""

from typing import Any

import pytest

from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.services import lifecycles, promotion, registry, sources
from modelkeep.services.promotion import End, Order
from tests.support.core import ANN, BOB, ROB, Core

CREDIT: dict[str, Any] = {
    "name": "credit",
    "models": ["credit_*"],
    "stages": ["Dev", "Test", {"name": "Prod", "displaced": "Old"}, "Old"],
    "production": "Prod",
    "stage_transitions": {
        "Dev -> Test": {},
        "Test -> Prod": {"approval_required": True},
        "Old -> Prod": {},
    },
}
POLICY = {"lifecycles": [CREDIT]}
MODEL = "credit_risk"


def with_versions(core: Core, count: int = 3, name: str = MODEL) -> None:
    core.model(name)
    for _ in range(count):
        core.version(name)


def move(core: Core, number: int, *stages: str, name: str = MODEL) -> promotion.Result:
    """Asks for one stage after the other; what has to wait is approved."""
    result = None
    for stage in stages:
        result = core.write(promotion.request, ROB, Order(name, number, stage))
        if result.end is End.WAITING:
            result = core.approve(result.request_id, BOB)
    assert result is not None
    return result


def refusal(core: Core, use_case: Any, *args: Any) -> str:
    """What a use case refused with; the refusal is the journal's last entry."""
    result = core.write(use_case, ANN, *args)
    assert result.end is End.REFUSED
    assert core.acts()[-1] == "version:stage:refused"
    return result.message


def test_each_model_passes_through_the_stages_of_its_own_lifecycle(core: Core) -> None:
    with_versions(core, 2)
    core.model("churn")
    core.version("churn")
    core.apply(POLICY)
    move(core, 1, "dev", "TEST")
    assert core.stages(MODEL) == {1: "Test", 2: "None"}
    assert "does not list the transition None -> Prod" in move(core, 2, "Prod").message
    with pytest.raises(InvalidInput, match="one of None, Dev, Test, Prod, Old, Archived"):
        move(core, 1, "Staging")
    with pytest.raises(InvalidInput, match="one of None, Staging, Production, Archived"):
        move(core, 1, "Dev", name="churn")
    assert move(core, 1, "Staging", name="churn").end is End.MOVED


def test_production_is_what_the_lifecycle_says_it_is(core: Core) -> None:
    with_versions(core, 2)
    core.apply(POLICY)
    for number in (1, 2):
        result = move(core, number, "Dev", "Test", "Prod")
    assert "1 -> Old" in result.message
    assert core.stages(MODEL) == {1: "Old", 2: "Prod"}
    assert core.alias("champion", MODEL) == 2
    back = core.write(promotion.roll_back, ROB, MODEL, "it is worse")
    assert back.target == "Prod"
    assert core.stages(MODEL) == {1: "Prod", 2: "Old"}
    assert core.alias("champion", MODEL) == 1


def test_an_open_stage_is_cleared_into_where_it_says(core: Core) -> None:
    with_versions(core)
    core.apply(POLICY)
    move(core, 1, "Dev")
    core.write(promotion.request, ROB, Order(MODEL, 2, "Dev", archive_existing=True))
    assert core.stages(MODEL) == {1: "Archived", 2: "Dev", 3: "None"}
    with pytest.raises(InvalidInput, match=r"Valid stages are Dev, Test, Prod, Old\."):
        core.write(promotion.request, ROB, Order(MODEL, 3, "Archived", archive_existing=True))


def test_versions_are_found_by_the_stages_they_stand_in(core: Core) -> None:
    with_versions(core)
    core.apply(POLICY)
    move(core, 1, "Dev", "Test")
    move(core, 2, "Dev")
    newest = core.read(registry.latest_versions, MODEL, ())
    assert {v.stage: v.number for v in newest} == {"Test": 1, "Dev": 2, "None": 3}
    (found,) = core.read(registry.latest_versions, MODEL, ["tEST"])
    assert (found.number, found.stage) == (1, "Test")
    assert core.read(registry.latest_versions, MODEL, ["Prod"]) == []
    with pytest.raises(InvalidInput, match="Invalid Model Version stage: Production"):
        core.read(registry.latest_versions, MODEL, ["Production"])
    with pytest.raises(NotFound):
        core.read(registry.latest_versions, "nope", ["Prod"])
    origin = core.read(sources.resolve, f"models:/{MODEL}/Test", None, None)
    assert origin.source == f"models:/{MODEL}/1"


def test_a_lifecycle_is_shown_with_who_is_where(core: Core) -> None:
    with_versions(core)
    core.apply(POLICY)
    move(core, 1, "Dev")
    move(core, 2, "Dev")
    shown = core.read(lifecycles.show, MODEL)
    assert (shown.lifecycle.name, dict(shown.census)) == ("credit", {"Dev": (2, 2), "None": (1, 3)})
    with pytest.raises(NotFound):
        core.read(lifecycles.show, "nope")


# -- another policy ----------------------------------------------------------------------------


def test_what_stands_in_a_stage_that_is_no_more_is_reported_and_stays(core: Core) -> None:
    with_versions(core)
    core.apply(POLICY)
    move(core, 1, "Dev", "Test")
    (told,) = core.apply(
        {"stage_transitions": {"None -> Staging": {"required_tags": ["x"]}}}
    ).findings
    assert f"Model {MODEL} has versions in Test, 1 the newest, and no such stage" in told
    assert core.stages(MODEL)[1] == "Test"
    (still,) = core.read(registry.latest_versions, MODEL, ["test"])
    assert still.number == 1


def test_what_stands_in_no_stage_leaves_as_if_it_had_none(core: Core) -> None:
    with_versions(core)
    core.apply(POLICY)
    move(core, 1, "Dev", "Test")
    core.apply({"stage_transitions": {"None -> Staging": {"required_tags": ["x"]}}})
    assert "tag x is not on the version" in move(core, 1, "Staging").message
    core.write(registry.set_version_tag, ANN, MODEL, 1, "x", "yes")
    assert move(core, 1, "Staging").end is End.MOVED
    assert core.stages(MODEL)[1] == "Staging"


def test_a_request_of_what_stands_in_no_stage_is_decided_like_any_other(core: Core) -> None:
    with_versions(core, 1)
    core.apply(POLICY)
    move(core, 1, "Dev")
    core.apply({"stage_transitions": {"None -> Production": {"approval_required": True}}})
    assert move(core, 1, "Production").end is End.MOVED


def test_two_lifecycles_that_claim_one_name_are_reported(core: Core) -> None:
    rest = {"name": "rest", "models": ["*"], "stages": ["Production"]}
    (told,) = core.apply({"lifecycles": [CREDIT, rest]}).findings
    assert "credit (credit_*) and rest (*) both claim" in told


# -- what stays --------------------------------------------------------------------------------


def test_what_is_guarded_aliased_or_needed_by_a_rollback_is_not_deleted(core: Core) -> None:
    with_versions(core, 6)
    core.apply(POLICY)
    for number in (1, 2, 3):
        move(core, number, "Dev", "Test", "Prod")
    move(core, 4, "Dev", "Test")
    core.write(promotion.set_alias, ROB, MODEL, "best", 5)
    for number, says in (
        (3, "it is in Prod, which the policy guards"),
        (2, "a rollback of Prod would return to it"),
        (4, "it is in Test, which the policy guards"),
        (5, "alias best points to it"),
    ):
        assert says in refusal(core, registry.delete_version, MODEL, number)
    assert "may not be deleted" in refusal(core, registry.delete_model, MODEL)
    for number in (1, 6):
        assert core.write(registry.delete_version, ANN, MODEL, number) is None
    assert sorted(core.stages(MODEL)) == [2, 3, 4, 5]


def test_a_policy_that_guards_nothing_keeps_nothing(core: Core) -> None:
    with_versions(core, 2)
    core.apply({"lifecycles": [CREDIT | {"stage_transitions": {}}]})
    move(core, 1, "Prod")
    core.write(promotion.set_alias, ROB, MODEL, "best", 2)
    assert core.write(registry.delete_version, ANN, MODEL, 2) is None
    assert core.write(registry.delete_model, ANN, MODEL) is None


def test_no_new_name_takes_a_guarded_version_out_of_its_guard(core: Core) -> None:
    with_versions(core, 2)
    core.apply(POLICY)
    move(core, 1, "Dev", "Test")
    says = "be taken from lifecycle credit to default by a new name"
    assert says in refusal(core, registry.rename_model, MODEL, "churn")
    said = refusal(core, registry.rename_model, MODEL, "credit_new")
    assert "may not be given another name" in said
    assert "it is in Test, which the policy guards" in said
    move(core, 1, "Dev")
    assert core.write(registry.rename_model, ANN, MODEL, "credit_new") is None
    assert core.stages("credit_new") == {1: "Dev", 2: "None"}
    said = refusal(core, registry.rename_model, "credit_new", "churn")
    assert "it is in Dev, which lifecycle default does not have" in said
    move(core, 1, "Archived", name="credit_new")
    assert core.write(registry.rename_model, ANN, "credit_new", "churn") is None


def test_a_model_that_is_relied_on_keeps_its_name(core: Core) -> None:
    """Or another could take it, and its numbers."""
    with_versions(core, 2)
    core.apply(POLICY)
    core.write(promotion.set_alias, ROB, MODEL, "best", 2)
    said = refusal(core, registry.rename_model, MODEL, "credit_new")
    assert "alias best points to it; take it away first" in said
    core.write(promotion.delete_alias, ROB, MODEL, "best")
    assert core.write(registry.rename_model, ANN, MODEL, "credit_new") is None


def test_no_new_name_takes_a_version_into_a_guard_unasked(core: Core) -> None:
    with_versions(core, 2, "churn")
    core.apply(POLICY | {"stages": ["Prod"], "production": "Prod"})
    move(core, 1, "Prod", name="churn")
    said = refusal(core, registry.rename_model, "churn", MODEL)
    assert "it is in Prod, which lifecycle credit guards" in said
    move(core, 1, "None", name="churn")
    core.write(promotion.set_alias, ROB, "churn", "champion", 2)
    said = refusal(core, registry.rename_model, "churn", MODEL)
    assert "alias champion points to it, which follows a stage" in said
    core.write(promotion.delete_alias, ROB, "churn", "champion")
    assert core.write(registry.rename_model, ANN, "churn", MODEL) is None


def test_what_waits_is_void_when_a_new_name_brings_another_lifecycle(core: Core) -> None:
    with_versions(core, 1)
    strict = CREDIT | {"stage_transitions": {"None -> Prod": {"approval_required": True}}}
    other = strict | {"name": "other", "models": ["other_*"]}
    core.apply({"lifecycles": [strict, other]})
    waiting = core.write(promotion.request, ROB, Order(MODEL, 1, "Prod"))
    core.write(registry.rename_model, ANN, MODEL, "credit_b")
    assert core.write(promotion.request, ROB, Order("credit_b", 1, "Prod")).request_id == 1
    core.write(registry.rename_model, ANN, "credit_b", "other_b")
    assert core.approve(waiting.request_id, BOB).end is End.REFUSED
    assert core.stages("other_b") == {1: "None"}
