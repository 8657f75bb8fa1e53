"""Policies as they are put in force, and what they find."""

from typing import Any

import pytest
import yaml

from modelkeep.domain.errors import InvalidInput
from modelkeep.services import policies, promotion
from tests.support.clock import NOON_MS, MovedClock
from tests.support.core import ROB, Core

GUARDED: dict[str, Any] = {"stage_transitions": {"None -> Production": {}}}


def test_without_one_there_is_none(core: Core) -> None:
    assert core.read(policies.show) is None
    assert core.read(policies.in_force) is None


def test_a_policy_is_in_force_from_its_first_moment(core: Core, clock: MovedClock) -> None:
    applied = core.apply(GUARDED)
    assert (applied.revision, applied.changed, applied.findings) == (1, True, ())
    stored, policy = core.read(policies.show)
    assert stored.digest == policy.digest == applied.digest
    assert (stored.revision, stored.author, stored.applied_ms) == (1, "rob", NOON_MS)
    assert stored.source == policy.source_text == "the policy"
    core.restart()
    assert core.read(policies.in_force).digest == applied.digest
    assert core.acts() == ["policy:revision:applied"]


def test_a_policy_may_hold_whatever_yaml_says(core: Core) -> None:
    document = yaml.safe_load(
        "model_registry: {}\ndeployment: {since: 2026-11-20, at: [1.5, null]}"
    )
    applied = core.write(policies.apply, ROB, document, "")
    assert core.read(policies.in_force).digest == applied.digest
    assert not core.write(policies.apply, ROB, document, "").changed


def test_the_policy_that_is_in_force_is_not_applied_again(core: Core) -> None:
    core.apply(GUARDED)
    again = core.apply(dict(GUARDED))
    assert (again.revision, again.changed) == (1, False)
    assert core.acts() == ["policy:revision:applied"]


def test_an_older_policy_can_be_put_in_force_again(core: Core) -> None:
    first = core.apply(GUARDED)
    core.apply({})
    third = core.apply(GUARDED)
    assert (third.revision, third.changed, third.digest) == (3, True, first.digest)
    assert [leaf["post"]["revision"] for leaf in core.leaves()] == [1, 2, 3]


def test_what_is_no_policy_changes_nothing(core: Core) -> None:
    core.apply(GUARDED)
    for document in (None, [], {}, {"model_registry": {"unknown": 1}}, {"model_registry": []}):
        with pytest.raises(InvalidInput):
            core.write(policies.apply, ROB, document, "")
    assert len(core.leaves()) == 1


def test_a_policy_finds_what_would_not_have_come_about_under_it(core: Core) -> None:
    for name in ("churn", "Bad"):
        core.model(name)
        core.version(name)
        core.version(name)
    core.promote(1, "Production")
    core.promote(2, "Production")
    core.set_alias("champion", 1)
    core.write(promotion.set_alias, ROB, "Bad", "champion", 1)
    naming = {"naming_convention": {"pattern": "^[a-z]+$"}}
    found = core.apply({**GUARDED, **naming}).findings
    assert len(found) == 3
    assert "Model name 'Bad' does not match" in found[0]
    assert "Alias champion of model Bad points to a version that is not in Production" in found[1]
    assert "Model churn has 2 versions in Production" in found[2]
    assert core.apply({**GUARDED, **naming}).findings == found
    assert core.stages() == {1: "Production", 2: "Production"}
