"""What of a policy asks for less than it seems to: it is enforced as it is written, and whoever
applies it is warned."""

from collections.abc import Iterator

from modelkeep.domain.gates import Gate
from modelkeep.domain.gates.expressions import ExpressionsGate
from modelkeep.domain.gates.review import ApprovalGate
from modelkeep.domain.lifecycles import Lifecycle
from modelkeep.domain.policies import Policy


def of(policy: Policy, *, are_claims: bool) -> tuple[str, ...]:
    """Sentences, each once. `are_claims`: who calls is whoever they say, with every role."""
    told: dict[str, None] = {}
    for cycle in (policy.default, *policy.lifecycles):
        for where, gate in _gates(cycle):
            told |= dict.fromkeys(f"{where}: {doubt}" for doubt in _doubts(gate, are_claims))
    return tuple(told)


def _gates(cycle: Lifecycle) -> Iterator[tuple[str, Gate]]:
    """Every gate of a lifecycle, and where it stands."""
    for rule in cycle.rules.values():
        yield from ((f"{cycle.name}, {rule}", gate) for gate in rule.gates)
    yield from ((f"{cycle.name}, rollback", gate) for gate in cycle.rollback or ())


def _doubts(gate: Gate, are_claims: bool) -> Iterator[str]:
    if isinstance(gate, ApprovalGate):
        if not gate.quorums:
            yield "its list of approvals is empty, so that nobody has to approve."
        for role in sorted({quorum.role for quorum in gate.quorums} - {""} if are_claims else ()):
            yield (
                f"it asks for the role {role}, and with --auth off everybody has every role: "
                "whoever gives a name meets it."
            )
    elif isinstance(gate, ExpressionsGate):
        if not gate.conditions:
            yield "its list of expressions is empty, and asks for nothing."
        for condition in gate.conditions:
            if not condition.roots:
                yield f"the expression '{condition.source:.200}' says the same of every version."
