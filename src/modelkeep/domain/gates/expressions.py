"""The gate `expressions`: conditions in the Common Expression Language, each of which must be true.

They speak of `version` (number, stage, manifest), `run` (id, git_commit, tags, datasets),
`metrics`, `params`, `tags`, `documents` (name -> digest), `card` (the document `card`, if it is an
object in JSON) and `occupant` (number, metrics, params, tags of the version that would be
displaced; null if none would be).

* A metric that is NaN or infinite is absent, so that speaking of it fails: `!(metrics.auc < 0.9)`
  must not be true of NaN. For the same reason a condition that speaks of metrics otherwise than
  one by one, by name (`metrics.all(…)`, `has(metrics.auc)`), fails where any is not finite.
* Anything but `true` fails: false, a number, a text, an error.
* Nothing takes long. The language has no loops but its macros; of these only those that look at
  each item once are taken (`all`, `exists`, `exists_one`), and none inside another, so the work is
  at most the expression's length times the size of the evidence. Patterns are matched by an
  engine that is linear in the text.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

from modelkeep.domain import documents
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.gates.base import Case, Gate, Need, Verdict, judged, shown

_ROOTS = frozenset(("version", "run", "metrics", "params", "tags", "documents", "card", "occupant"))
_FUNCTIONS = frozenset(
    ("size", "contains", "startsWith", "endsWith", "matches", "has", "int", "uint", "double",
     "string", "bool", "timestamp", "duration", "type", "min", "max", "@not_strictly_false")
)  # fmt: skip
_OPERATORS = frozenset(
    "_==_ _!=_ _<_ _<=_ _>_ _>=_ _&&_ _||_ !_ -_ _+_ _-_ _*_ _/_ _%_ @in _[_] _?_:_".split()  # noqa: SIM905
)
_TEXT = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_PREFIXED = re.compile(r'\w""')  # raw texts and bytes, which end by other rules
_MACRO = re.compile(r"\.\s*(\w+)\s*\(\s*(\w+)\s*,")
_COSTLY = re.compile(rf"{_MACRO.pattern}|\bmatches\b")
_LOOPS = frozenset(("all", "exists", "exists_one"))
_METRICS = re.compile(r"\bmetrics\b")
_ONE_METRIC = re.compile(
    r"\bmetrics\s*(\.\s*(?!(?:all|exists|exists_one|size)\b)\w+\b(?!\s*\()|\[\s*\"\"\s*\])"
)
_NAMES = {Need.OCCUPANT: "occupant", Need.CARD: "card"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One expression: `source` as it was written, the roots that it speaks of, compiled.

    `counts_metrics`: it speaks of metrics otherwise than one by one, by name.
    """

    source: str
    roots: frozenset[str]
    counts_metrics: bool
    program: Any = field(compare=False, repr=False)

    def objection(self, facts: Mapping[str, Any], infinite: Sequence[str]) -> str | None:
        """Why it does not hold of these facts, None if it does. `infinite` are the metrics, its own
        and the occupant's, that are NaN or infinite."""
        if self.counts_metrics and infinite:
            return (
                f"'{self.source}' looks at metrics, and not all are finite: {', '.join(infinite)}"
            )
        try:
            answer = self.program.execute({root: facts[root] for root in self.roots})
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the condition does not hold
            return f"'{self.source}' cannot be decided: {_said(error)}"
        return None if answer is True else f"'{self.source}' is {shown(repr(answer), 80)}"


@dataclass(frozen=True, slots=True)
class ExpressionsGate:
    """Every condition is true."""

    name: ClassVar[str] = "expressions"
    conditions: tuple[Condition, ...]

    @property
    def needs(self) -> frozenset[Need]:
        spoken_of = frozenset[str]().union(*(c.roots for c in self.conditions))
        return frozenset(need for need, root in _NAMES.items() if root in spoken_of)

    def asks(self) -> str:
        return ", ".join(c.source for c in self.conditions) or "nothing"

    def judge(self, case: Case) -> Verdict:
        facts = facts_of(case.evidence)
        infinite = _infinite(case.evidence)
        objections = (condition.objection(facts, infinite) for condition in self.conditions)
        good = ", ".join(c.source for c in self.conditions)
        return judged(self.name, filter(None, objections), f"true: {good or 'none are set'}")


def facts_of(evidence: Evidence) -> dict[str, Any]:
    """What expressions may speak of, by its root."""
    standing, there = evidence.standing, evidence.occupant
    return {
        "version": {
            "number": standing.number,
            "stage": standing.stage,
            "manifest": standing.manifest,
        }
        if standing
        else None,
        "run": {
            "id": evidence.run_id,
            "git_commit": evidence.git_commit,
            "tags": dict(evidence.run_tags),
            "datasets": [{"name": d.name, "digest": d.digest} for d in evidence.datasets],
        },
        "metrics": _finite(evidence.metrics),
        "params": dict(evidence.params),
        "tags": dict(evidence.tags),
        "documents": dict(evidence.documents),
        "card": evidence.card,
        "occupant": there
        and {
            "number": there.number,
            "metrics": _finite(there.metrics),
            "params": dict(there.params),
            "tags": dict(there.tags),
        },
    }


def read(value: object, path: str) -> Gate:
    """The gate of an `expressions` list. InvalidInput, with the place, for what is not one."""
    return ExpressionsGate(
        tuple(documents.checked(compile, item, here) for here, item in documents.items(value, path))
    )


@lru_cache(maxsize=256)
def compile(source: str) -> Condition:
    """The condition that a text states. InvalidInput for one that is wrong, or could take long."""
    import cel  # 30 ms to load, and only policies with expressions need it

    try:
        program = cel.compile(source)
        spoken_of, called = set(program.variables()), set(program.functions())
    except Exception as error:  # noqa: BLE001 - the library's own tree of errors is not public
        raise InvalidInput(f"'{source:.200}' is no expression: {_said(error)}.") from None
    bound = _bound_by_macros(source)
    unknown = sorted(spoken_of - bound - _ROOTS)
    if unknown:
        raise InvalidInput(
            f"'{source:.200}' speaks of {', '.join(unknown)}; known are "
            f"{', '.join(sorted(_ROOTS))}."
        )
    refused = sorted(called - _FUNCTIONS - _OPERATORS)
    if refused:
        raise InvalidInput(f"'{source:.200}' calls {', '.join(refused)}, which is not known here.")
    return Condition(source, frozenset(spoken_of & _ROOTS), _counts_metrics(source), program)


def _counts_metrics(source: str) -> bool:
    bare = _TEXT.sub('""', source)
    by_name = len(_ONE_METRIC.findall(bare))
    return len(_METRICS.findall(bare)) > by_name or bool(by_name and re.search(r"\bhas\s*\(", bare))


def _bound_by_macros(source: str) -> set[str]:
    """The names that macros bind. InvalidInput for a macro that copies, or inside of another."""
    bare = _TEXT.sub('""', source)
    if "\n" in source or _PREFIXED.search(bare):
        raise InvalidInput(f"'{source:.200}' has a line feed, or a text with a prefix before it.")
    bound: set[str] = set()
    for macro in _MACRO.finditer(bare):
        name, variable = macro.groups()
        if name not in _LOOPS:
            raise InvalidInput(
                f"'{source:.200}' uses {name}; of the macros only {', '.join(sorted(_LOOPS))} and "
                "has are taken here."
            )
        if _COSTLY.search(bare, macro.end(), _closing(bare, macro.end())):
            raise InvalidInput(
                f"'{source:.200}' has a macro or a pattern within a macro, which could take long."
            )
        bound.add(variable)
    return bound


def _closing(text: str, start: int) -> int:
    """Where the parenthesis closes that is open at `start`."""
    depth = 1
    for index in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return len(text)


def _infinite(evidence: Evidence) -> list[str]:
    there = evidence.occupant
    values = [*evidence.metrics.items(), *(there.metrics.items() if there else ())]
    return sorted({name for name, value in values if not math.isfinite(value)})


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _said(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]}"
    return shown(str(error).split("\n", 1)[0], 200)
