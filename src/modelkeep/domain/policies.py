"""Policies: which transitions between stages are guarded, by which gates, and what they decide.

A policy is compiled from a document (YAML or JSON, parsed by the caller), and nothing in it is
swallowed: an unknown key, a value of the wrong type or a transition listed twice is InvalidInput,
and `Policy.sections` says of every part whether it is enforced now.

What a lifecycle is, and when a transition is guarded, `domain.lifecycles` says. Every gate of a
guarded transition is asked: one that failed refuses, else one that is pending waits; a gate that
breaks has failed.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations, product
from typing import Any

from modelkeep.domain import documents, lifecycle_documents, names, numbering, stage_documents
from modelkeep.domain.access import person
from modelkeep.domain.approvals import Vote
from modelkeep.domain.documents import at
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.gates import Case, Gate, Outcome, Verdict
from modelkeep.domain.gates.base import shown
from modelkeep.domain.lifecycles import Lifecycle, Rule, can_both_match
from modelkeep.domain.naming import Naming
from modelkeep.domain.numbering import Numbering
from modelkeep.domain.sections import Section, unenforced

SOURCE_LIMIT_BYTES = 256 * 1024
NAME_LENGTH_LIMIT = names.MODEL_NAME_LIMIT
LIFECYCLES_LIMIT = 50
PATTERNS_LIMIT = 500  # of all lifecycles together


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy. `digest` is over the document's content, whatever its layout.

    `lifecycles` are those of some models, in their order; `default` is that of all others.
    """

    digest: str
    source_text: str
    naming: Naming
    default: Lifecycle
    lifecycles: tuple[Lifecycle, ...]
    sections: tuple[Section, ...]
    numbering: Numbering

    def lifecycle_for(self, model_name: str) -> Lifecycle:
        """That of a model: the first that claims its name, else the default."""
        return next((one for one in self.lifecycles if one.claims(model_name)), self.default)

    def overlaps(self) -> tuple[str, ...]:
        """Sentences about names that two of the lifecycles claim."""
        told = []
        for one, other in combinations(self.lifecycles, 2):
            pairs = product(one.models, other.models)
            for mine, theirs in (pair for pair in pairs if can_both_match(*pair)):
                told.append(
                    f"Lifecycles {one.name} ({mine}) and {other.name} ({theirs}) both claim some "
                    f"names; {one.name}, listed first, has those models."
                )
                break
        return tuple(told)


class Ruling(StrEnum):
    """What a decision comes to."""

    PASSED = "passed"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gates said, one verdict each, and on what: the policy and evidence digests."""

    outcome: Ruling
    verdicts: tuple[Verdict, ...]
    policy_digest: str
    evidence_digest: str

    def to_json(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome.value,
            "verdicts": [
                {"gate": v.gate, "outcome": v.outcome.value, "message": v.message}
                for v in self.verdicts
            ],
            "policy_digest": self.policy_digest,
            "evidence_digest": self.evidence_digest,
        }

    def explain(self) -> str:
        """One line a gate, as `[failed] metrics: accuracy is 0.85, required >= 0.90`."""
        lines = [f"[{v.outcome.value}] {v.gate}: {v.message}" for v in self.verdicts]
        return "\n".join(lines or ["The policy asks for nothing here."])


def source_digest(text: str) -> str:
    """`sha256:<hex>` of a policy's text as it was written, which is what people read."""
    return "sha256:" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def decide(
    rule: Rule,
    evidence: Evidence,
    reason: str | None,
    votes: Iterable[Vote],
    barred: Iterable[str],
    now_ms: int = 0,
) -> Decision:
    """The decision on a transition. `barred` are the names, in any spelling, of its authors and
    of whoever asked; votes by them do not count. `now_ms` is in milliseconds since the epoch."""
    case = Case(evidence, reason or "", tuple(votes), frozenset(map(person, barred)), now_ms)
    return concluded(rule, evidence, tuple(ask(gate, case) for gate in rule.gates))


def concluded(rule: Rule, evidence: Evidence, verdicts: tuple[Verdict, ...]) -> Decision:
    """What the verdicts of all gates of a rule come to."""
    ruling = _worst({verdict.outcome for verdict in verdicts})
    return Decision(ruling, verdicts, rule.policy_digest, evidence.digest())


def refused(cycle: Lifecycle, message: str, evidence: Evidence, by: str = "lifecycle") -> Decision:
    """The refusal of what no gate is asked about: a transition that is not listed, say."""
    verdict = Verdict(by, Outcome.FAILED, message)
    return Decision(Ruling.REFUSED, (verdict,), cycle.policy_digest, evidence.digest())


def _worst(outcomes: set[Outcome]) -> Ruling:
    if Outcome.FAILED in outcomes:
        return Ruling.REFUSED
    return Ruling.WAITING if Outcome.PENDING in outcomes else Ruling.PASSED


def ask(gate: Gate, case: Case) -> Verdict:
    """What a gate says of a case; a gate that breaks has failed."""
    # Catches Exception, as otherwise only the outermost loops may: a gate that breaks must neither
    # pass nor take the other verdicts down with it, and its refusal is recorded like any other.
    # For the same reason an answer that is no verdict ("true", None) is a gate that broke.
    try:
        verdict = gate.judge(case)
        if not (isinstance(verdict, Verdict) and isinstance(verdict.outcome, Outcome)):
            raise TypeError(f"it answered {verdict!r:.80}")
        return Verdict(gate.name, verdict.outcome, shown(verdict.message))
    except Exception as error:  # noqa: BLE001 - see above
        why = shown(f"{type(error).__name__}: {error}", 300)
        return Verdict(gate.name, Outcome.FAILED, f"gate {gate.name} could not decide: {why}")


def compile(document: object, source_text: str) -> Policy:
    """The policy that a parsed document describes; `source_text` is what it was parsed from.

    InvalidInput, naming the path and the keys or the limit there, for anything else. The caller
    parses, and must refuse a key given twice: after parsing nobody can see it any more.
    """
    if len(source_text.encode(errors="surrogatepass")) > SOURCE_LIMIT_BYTES:
        raise InvalidInput(f"A policy document may have at most {SOURCE_LIMIT_BYTES} bytes.")
    root = documents.mapping(documents.plain(document), "", _TOP_KEYS)
    if "model_registry" not in root:
        raise InvalidInput("the document: the key 'model_registry' is required and not there.")
    path = "model_registry"
    registry = documents.mapping(root[path], path, _REGISTRY_KEYS)
    sections: list[Section] = []
    digest = documents.canonical_digest(root)
    naming = _naming(registry, path, sections)
    numbers = _numbering(registry, path, sections)
    default = lifecycle_documents.read(registry, path, digest, sections)
    lifecycles = _lifecycles(registry, path, digest, sections)
    _check_spelling((default, *lifecycles), path)
    for key in ("deployment", "monitoring"):
        if key in root:
            sections += unenforced(documents.mapping(root[key], key), key)
    return Policy(digest, source_text, naming, default, lifecycles, tuple(sections), numbers)


_TOP_KEYS = ("model_registry", "deployment", "monitoring")
_REGISTRY_KEYS = ("naming_convention", "semantic_versions", "lifecycles", *lifecycle_documents.KEYS)

_Part = dict[str, Any]


def _naming(registry: _Part, path: str, sections: list[Section]) -> Naming:
    if "naming_convention" not in registry:
        return Naming()
    here = at(path, "naming_convention")
    part = documents.mapping(registry["naming_convention"], here, ("pattern", "max_length"))
    pattern = max_length = None
    if "pattern" in part:
        pattern = documents.text(part["pattern"], at(here, "pattern"))
    if "max_length" in part:
        max_length = documents.whole(
            part["max_length"], at(here, "max_length"), 1, NAME_LENGTH_LIMIT
        )
    sections.extend(Section(at(here, key), True, str(value)) for key, value in part.items())
    if not part:
        sections.append(Section(here, True, "asks for nothing"))
    return Naming.of(pattern, max_length, at(here, "pattern"))


def _numbering(registry: _Part, path: str, sections: list[Section]) -> Numbering:
    if "semantic_versions" not in registry:
        return Numbering()
    here = at(path, "semantic_versions")
    numbers = numbering.read(registry["semantic_versions"], here)
    sections.append(Section(here, True, numbers.asks()))
    return numbers


def _lifecycles(
    registry: _Part, path: str, digest: str, sections: list[Section]
) -> tuple[Lifecycle, ...]:
    """In the order of a list: that of a mapping's keys is no part of the digest."""
    here = at(path, "lifecycles")
    given = registry.get("lifecycles", [])
    if not isinstance(given, list):
        raise InvalidInput(f"{here}: must be a list, and is {documents.kind(given)}.")
    if len(given) > LIFECYCLES_LIMIT:
        raise InvalidInput(f"{here}: has {len(given)} items; the limit is {LIFECYCLES_LIMIT}.")
    if given == [] and "lifecycles" in registry:
        sections.append(Section(here, True, "every model has the default one"))
    found: list[Lifecycle] = []
    for index, item in enumerate(given):
        where = f"{here}[{index}]"
        part = documents.mapping(item, where)
        name, models = lifecycle_documents.head(part, where, sections)
        if name in (known.name for known in found):
            raise InvalidInput(f"{where}.name: there are two lifecycles named {name}.")
        cycle = lifecycle_documents.read(part, where, digest, sections)
        found.append(replace(cycle, name=name, models=models))
    count = sum(len(cycle.models) for cycle in found)
    if count > PATTERNS_LIMIT:
        raise InvalidInput(
            f"{here}: name {count} models and patterns; the limit is {PATTERNS_LIMIT}."
        )
    return tuple(found)


def _check_spelling(lifecycles: Iterable[Lifecycle], path: str) -> None:
    """One stage has one spelling in the whole policy: people read them side by side."""
    stage_documents.check_spelling(
        (f"{path}, lifecycle {cycle.name}", stage) for cycle in lifecycles for stage in cycle.stages
    )
