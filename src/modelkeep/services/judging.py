"""Asks the gates, and does not wait for ever.

Gates are pure and answer in microseconds; but whoever asks them is the one writer, and one gate
that hung would stop every change there is. So they are asked in a thread of their own, and what
has not answered in time has failed.
"""

import logging
import threading
from collections.abc import Iterable

from modelkeep.domain import policies
from modelkeep.domain.access import person
from modelkeep.domain.approvals import Vote
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.gates import Case, Outcome, Verdict
from modelkeep.domain.policies import Decision, Rule

_log = logging.getLogger(__name__)

LIMIT_S = 1.0  # for all gates of one decision


def decide(
    rule: Rule,
    evidence: Evidence,
    reason: str,
    votes: Iterable[Vote],
    barred: Iterable[str],
    now_ms: int,
    limit_s: float = LIMIT_S,
) -> Decision:
    """The decision on a transition (`policies.concluded`), at most `limit_s` seconds from now.

    `barred` are the names, in any spelling, of its authors and of whoever asked.
    """
    case = Case(evidence, reason, tuple(votes), frozenset(map(person, barred)), now_ms)
    answers: list[Verdict] = []
    done = threading.Event()

    def ask_all() -> None:
        try:
            for gate in rule.gates:  # one by one, for whoever stops waiting in between
                answers.append(policies.ask(gate, case))  # noqa: PERF401
        except BaseException:  # noqa: BLE001 - the thread ends here, and its gate has failed
            _log.exception("a gate panicked")  # as a library may that is not written in Python
        finally:
            done.set()

    threading.Thread(target=ask_all, name="gates", daemon=True).start()
    done.wait(limit_s)
    answered = tuple(answers)
    late = f"did not answer within {limit_s:g} s"
    missing = (Verdict(g.name, Outcome.FAILED, late) for g in rule.gates[len(answered) :])
    return policies.concluded(rule, evidence, (*answered, *missing))
