"""What a policy seems to ask and does not, as whoever applies it is told."""

from typing import Any

import pytest

from modelkeep.domain import doubts, policies


def told(gates: dict[str, Any], *, are_claims: bool = True, **registry: Any) -> tuple[str, ...]:
    document = {"model_registry": {"stage_transitions": {"None -> Production": gates}, **registry}}
    return doubts.of(policies.compile(document, ""), are_claims=are_claims)


def test_a_role_is_doubted_only_while_names_are_claims() -> None:
    gates = {"approvals": [{"quorum": 1, "role": "reviewer"}, {"quorum": 2}]}
    (doubt,) = told(gates)
    assert doubt.startswith("default, None -> Production: it asks for the role reviewer")
    assert told(gates, are_claims=False) == ()


@pytest.mark.parametrize("constant", ["true", "1", "'a' == 'a'", "size('ab') > 1"])
def test_an_expression_that_says_the_same_of_every_version_is_doubted(constant: str) -> None:
    (doubt,) = told({"expressions": [constant, "metrics.auc > 0.5"]}, are_claims=False)
    assert "says the same of every version" in doubt
    assert constant in doubt


def test_lists_that_ask_for_nothing_are_doubted_wherever_they_stand() -> None:
    assert len(told({"approvals": [], "expressions": []})) == 2
    found = told({"approval_required": True}, rollback={"approvals": []})
    assert found == (
        "default, rollback: its list of approvals is empty, so that nobody has to approve.",
    )
    other = {"name": "loans", "models": ["loan_*"], "stage_transitions": {
        "None -> Staging": {"expressions": ["true"]}
    }}  # fmt: skip
    (doubt,) = told({"approval_required": True}, lifecycles=[other])
    assert doubt.startswith("loans, None -> Staging: ")


def test_a_policy_that_asks_for_what_it_says_is_not_doubted() -> None:
    gates = {"approvals": 2, "reason_required": True, "required_tags": ["tested"]}
    assert told(gates) == ()
