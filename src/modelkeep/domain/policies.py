"""Policies: which transitions between stages are guarded, by which gates, and what they decide.

A policy is compiled from a document (YAML or JSON, parsed by the caller), and nothing in it is
swallowed: an unknown key, a value of the wrong type or a transition listed twice is InvalidInput,
and `Policy.sections` says of every part whether it is enforced now.

The rules:

* A stage is *guarded* when it is the target of a listed transition. Into a guarded stage only
  listed transitions lead.
* A stage is *single*, and admits one version, when it is listed under `single:`, or is Production
  and guarded. None and Archived always hold any number.
* Out of a single stage only listed transitions lead, once the policy lists any out of it:
  otherwise Production could be emptied past its guard.
* An alias may follow a single stage; `champion` follows Production unless `aliases:` says else.
* Every gate of a transition is asked. One that failed refuses, else one that is pending waits;
  a gate that breaks has failed.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from modelkeep.domain import documents, names, numbering
from modelkeep.domain.access import person
from modelkeep.domain.approvals import Vote
from modelkeep.domain.documents import at
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.gates import READERS, Case, Gate, Outcome, Verdict
from modelkeep.domain.gates.base import shown
from modelkeep.domain.models import ARCHIVED, NO_STAGE, PRODUCTION, stage_named
from modelkeep.domain.naming import Naming
from modelkeep.domain.numbering import Numbering

SOURCE_LIMIT_BYTES = 256 * 1024
NAME_LENGTH_LIMIT = names.MODEL_NAME_LIMIT
DEFAULT_ALIASES = {"champion": PRODUCTION}

_NOT_YET = "kept and shown, not enforced yet"


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the document, by its path, and whether it is enforced now."""

    path: str
    enforced: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A listed transition and the gates that guard it, of the policy with this digest."""

    source: str
    target: str
    gates: tuple[Gate, ...]
    policy_digest: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy. `digest` is over the document's content, whatever its layout."""

    digest: str
    source_text: str
    naming: Naming
    rules: Mapping[tuple[str, str], Rule]
    single: frozenset[str]
    aliases: Mapping[str, str]
    sections: tuple[Section, ...]
    numbering: Numbering

    def admits_one(self, stage: str) -> bool:
        """Whether a stage (in any case) holds one version at a time."""
        return stage_named(stage) in self.single

    def alias_stage(self, alias: str) -> str | None:
        """The single stage whose occupant this alias always names, if it follows one."""
        return self.aliases.get(alias)


@dataclass(frozen=True, slots=True)
class Unguarded:
    """The policy has nothing to say about the transition."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """The transition is listed; `decide` on its rule."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The transition is refused; `message` says which ones the policy does list."""

    message: str


Guard = Unguarded | Guarded | Unlisted


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


def guard(policy: Policy, source: str, target: str) -> Guard:
    """How the policy stands to a transition; InvalidInput for a stage that does not exist."""
    source, target = stage_named(source), stage_named(target)
    if source == target:
        return Unguarded()
    if rule := policy.rules.get((source, target)):
        return Guarded(rule)
    into = [str(rule) for rule in policy.rules.values() if rule.target == target]
    if into:
        return _unlisted(source, target, f"Into {target}", into)
    out = [str(rule) for rule in policy.rules.values() if rule.source == source]
    if out and policy.admits_one(source):
        return _unlisted(source, target, f"Out of {source}", out)
    return Unguarded()


def _unlisted(source: str, target: str, way: str, listed: list[str]) -> Unlisted:
    return Unlisted(
        f"The policy does not list the transition {source} -> {target}. "
        f"{way} it lists: {', '.join(listed)}."
    )


def decide(
    rule: Rule, evidence: Evidence, reason: str | None, votes: Iterable[Vote], barred: Iterable[str]
) -> Decision:
    """The decision on a transition. `barred` are the names, in any spelling, of its authors and
    of whoever asked; votes by them do not count."""
    case = Case(evidence, reason or "", tuple(votes), frozenset(map(person, barred)))
    verdicts = tuple(_ask(gate, case) for gate in rule.gates)
    ruling = _worst({verdict.outcome for verdict in verdicts})
    return Decision(ruling, verdicts, rule.policy_digest, evidence.digest())


def _worst(outcomes: set[Outcome]) -> Ruling:
    if Outcome.FAILED in outcomes:
        return Ruling.REFUSED
    return Ruling.WAITING if Outcome.PENDING in outcomes else Ruling.PASSED


def _ask(gate: Gate, case: Case) -> Verdict:
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
    _version_policy(registry, path, sections)
    numbers = _numbering(registry, path, sections)
    rules = _rules(registry, path, digest, sections)
    single = _single(registry, path, rules, sections)
    aliases = _aliases(registry, path, single, sections)
    _unenforced(root, sections)
    return Policy(
        digest,
        source_text,
        naming,
        MappingProxyType(rules),
        single,
        MappingProxyType(aliases),
        tuple(sections),
        numbers,
    )


_TOP_KEYS = ("model_registry", "deployment", "monitoring")
_REGISTRY_KEYS = (
    "naming_convention",
    "version_policy",
    "semantic_versions",
    "stage_transitions",
    "single",
    "aliases",
)

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


def _version_policy(registry: _Part, path: str, sections: list[Section]) -> None:
    if "version_policy" not in registry:
        return
    here = at(path, "version_policy")
    keys = ("max_versions", "retention_days", "archive_stages")
    part = documents.mapping(registry["version_policy"], here, keys)
    for key, value in part.items():
        if key == "archive_stages":
            for where, item in documents.items(value, at(here, key)):
                documents.checked(stage_named, item, where)
        else:
            documents.whole(value, at(here, key), 1)
    _list_unenforced(part, here, sections)


def _numbering(registry: _Part, path: str, sections: list[Section]) -> Numbering:
    if "semantic_versions" not in registry:
        return Numbering()
    here = at(path, "semantic_versions")
    numbers = numbering.read(registry["semantic_versions"], here)
    sections.append(Section(here, True, numbers.asks()))
    return numbers


def _unenforced(root: _Part, sections: list[Section]) -> None:
    for path in ("deployment", "monitoring"):
        if path in root:
            _list_unenforced(documents.mapping(root[path], path), path, sections)


def _list_unenforced(part: _Part, path: str, sections: list[Section]) -> None:
    sections.extend(Section(at(path, key), False, _NOT_YET) for key in part)
    if not part:
        sections.append(Section(path, False, _NOT_YET))


_Rules = dict[tuple[str, str], Rule]


def _rules(registry: _Part, path: str, digest: str, sections: list[Section]) -> _Rules:
    here = at(path, "stage_transitions")
    rules: _Rules = {}
    if "stage_transitions" not in registry:
        return rules
    for written, part in documents.mapping(registry["stage_transitions"], here).items():
        ends = _transition(written, here)
        where = at(here, " -> ".join(ends))
        if ends in rules:
            raise InvalidInput(f"{where}: the transition is listed twice.")
        rules[ends] = Rule(*ends, _gates(part, where, sections), digest)
    if not rules:
        sections.append(Section(here, True, "lists no transition"))
    return rules


def _transition(written: str, path: str) -> tuple[str, str]:
    ends = written.split("->")
    if len(ends) != 2:
        raise InvalidInput(
            f"{path}: '{written:.80}' is no transition; the keys allowed here are of the form "
            "'Staging -> Production'."
        )
    source, target = (documents.checked(stage_named, e.strip(), at(path, written)) for e in ends)
    if source == target:
        raise InvalidInput(f"{path}: '{written:.80}' leads from a stage to itself.")
    return source, target


def _gates(value: object, path: str, sections: list[Section]) -> tuple[Gate, ...]:
    part = documents.mapping(value, path, READERS)
    read = {key: READERS[key](part[key], at(path, key)) for key in READERS if key in part}
    for key, gate in read.items():
        sections.append(Section(at(path, key), True, gate.asks() if gate else "not asked for"))
    if not part:
        sections.append(Section(path, True, "allowed, and asks for nothing"))
    return tuple(gate for gate in read.values() if gate is not None)


def _single(registry: _Part, path: str, rules: _Rules, sections: list[Section]) -> frozenset[str]:
    found = {rule.target for rule in rules.values() if rule.target == PRODUCTION}
    if "single" not in registry:
        return frozenset(found)
    here = at(path, "single")
    for where, item in documents.items(registry["single"], here):
        stage = documents.checked(stage_named, item, where)
        if stage in (NO_STAGE, ARCHIVED):
            raise InvalidInput(f"{where}: {stage} always holds any number of versions.")
        found.add(stage)
    sections.append(Section(here, True, ", ".join(sorted(found))))
    return frozenset(found)


def _aliases(
    registry: _Part, path: str, single: frozenset[str], sections: list[Section]
) -> dict[str, str]:
    if "aliases" not in registry:
        return {a: stage for a, stage in DEFAULT_ALIASES.items() if stage in single}
    here = at(path, "aliases")
    aliases: dict[str, str] = {}
    for written, value in documents.mapping(registry["aliases"], here).items():
        where = at(here, written)
        alias = documents.checked(names.check_alias, written, where)
        stage = documents.checked(stage_named, documents.text(value, where), where)
        if stage not in single:
            raise InvalidInput(
                f"{where}: an alias can follow only a stage that holds one version, and {stage} "
                "is not one; list it under model_registry.single."
            )
        aliases[alias] = stage
        sections.append(Section(where, True, f"follows {stage}"))
    if not aliases:
        sections.append(Section(here, True, "no alias follows a stage"))
    return aliases
