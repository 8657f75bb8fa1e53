"""Policies: the document, whose words are all accounted for; the guard; the decision."""

from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain import policies
from modelkeep.domain.approvals import Vote
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import Evidence
from modelkeep.domain.gates import Case, Outcome, Verdict
from modelkeep.domain.lifecycles import Guarded, Rule, Unguarded, Unlisted
from modelkeep.domain.models import STAGES
from modelkeep.domain.naming import Naming
from modelkeep.domain.policies import Policy, Ruling

EXAMPLE = Path(__file__).parents[2] / "examples" / "production_config.yaml"
DOCUMENT = yaml.safe_load(EXAMPLE.read_text())


def compiled(document: object = DOCUMENT, text: str = "") -> Policy:
    return policies.compile(document, text)


def of(**registry: Any) -> Policy:
    return compiled({"model_registry": registry})


def refused(document: object, text: str = "") -> str:
    with pytest.raises(InvalidInput) as caught:
        compiled(document, text)
    return caught.value.message


def refused_part(**registry: Any) -> str:
    return refused({"model_registry": registry})


def transitions(*written: str) -> dict[str, Any]:
    return {name: {} for name in written}


# the example


def test_the_example_lists_what_it_enforces_and_what_not() -> None:
    transition = "model_registry.stage_transitions"
    assert {section.path: section.enforced for section in compiled().sections} == {
        "model_registry.naming_convention.pattern": True,
        "model_registry.naming_convention.max_length": True,
        "model_registry.version_policy.max_versions": True,
        "model_registry.version_policy.retention_days": True,
        "model_registry.version_policy.archive_stages": True,
        f"{transition}.None -> Staging.required_tags": True,
        f"{transition}.None -> Staging.required_metrics": True,
        f"{transition}.Staging -> Production.required_tags": True,
        f"{transition}.Staging -> Production.required_metrics": True,
        f"{transition}.Staging -> Production.approval_required": True,
        f"{transition}.Production -> Archived.approval_required": True,
        f"{transition}.Production -> Archived.reason_required": True,
        "deployment.serving_platform": False,
        "deployment.replicas": False,
        "deployment.resource_limits": False,
        "deployment.health_check": False,
        "monitoring.performance_tracking": False,
        "monitoring.drift_detection": False,
        "monitoring.alert_threshold": False,
    }
    assert all(
        "not enforced yet" in section.note
        for section in compiled().sections
        if not section.enforced
    )


def test_the_example_is_enforced() -> None:
    policy = compiled(text=EXAMPLE.read_text())
    rule = policy.default.rules["Staging", "Production"]
    good = Evidence.gather(
        tags={"approved": "yes", "performance_validated": "yes"},
        metrics={"accuracy": 0.95, "f1_score": 0.90},
    )
    assert policies.decide(rule, good, None, [], ["ann"]).outcome is Ruling.WAITING
    by_bob = [Vote("bob", True)]
    assert policies.decide(rule, good, None, by_bob, ["ann"]).outcome is Ruling.PASSED
    worse = Evidence.gather(tags=good.tags, metrics={"accuracy": 0.85, "f1_score": 0.90})
    decision = policies.decide(rule, worse, None, by_bob, ["ann"])
    assert decision.outcome is Ruling.REFUSED
    assert "[failed] metrics: accuracy is 0.85, required >= 0.90" in decision.explain()
    assert policy.source_text == EXAMPLE.read_text()


def test_in_the_example_production_is_single_and_champion_follows_it() -> None:
    policy = compiled()
    assert [stage for stage in STAGES if policy.default.admits_one(stage)] == ["Production"]
    assert policy.default.admits_one("production")
    assert policy.default.alias_stage("champion") == "Production"
    assert policy.default.alias_stage("challenger") is None


# reading the document


def test_the_digest_is_of_the_content_and_not_of_the_layout() -> None:
    relaid = yaml.safe_load(yaml.safe_dump(DOCUMENT, default_flow_style=True, sort_keys=True))
    assert compiled(relaid, "# a comment").digest == compiled().digest
    stricter = deepcopy(DOCUMENT)
    stricter["model_registry"]["naming_convention"]["max_length"] = 99
    assert compiled(stricter).digest != compiled().digest
    assert compiled().digest.startswith("sha256:")


def test_stages_and_spaces_are_read_in_any_case() -> None:
    policy = of(stage_transitions=transitions("staging->PRODUCTION"), single=["STAGING"])
    assert list(policy.default.rules) == [("Staging", "Production")]
    assert policy.default.admits_one("Staging")


@pytest.mark.parametrize(
    ("registry", "says"),
    [
        ({"naming": {}}, "model_registry: unknown key 'naming'. The keys allowed here are aliases"),
        (
            {"naming_convention": {"patern": "a"}},
            "model_registry.naming_convention: unknown key 'patern'. "
            "The keys allowed here are max_length, pattern.",
        ),
        (
            {"stage_transitions": {"None -> Staging": {"required_tag": []}}},
            "model_registry.stage_transitions.None -> Staging: unknown key 'required_tag'. The "
            "keys allowed here are approval_required, approvals, artifact_verified, expressions, "
            "freeze_windows, minimum_soak_hours, no_regression, reason_required, "
            "required_documents, required_metrics, required_tags.",
        ),
        ({"stage_transitions": {"Staging": {}}}, "'Staging' is no transition"),
        ({"stage_transitions": {"A -> Staging": {}}}, "Invalid Model Version stage: A."),
        ({"stage_transitions": {"None->Staging->Production": {}}}, "is no transition"),
        ({"stage_transitions": {"Staging -> staging": {}}}, "from a stage to itself"),
        ({"stage_transitions": {"None -> Staging": None}}, "must be a mapping, and is empty"),
        ({"stage_transitions": []}, "must be a mapping, and is a list"),
        (
            {"stage_transitions": transitions("None -> Staging", "none->STAGING")},
            "model_registry.stage_transitions.None -> Staging: the transition is listed twice",
        ),
        (
            {"stage_transitions": {"None -> Staging": {"approval_required": "true"}}},
            "approval_required: must be true or false, and is text",
        ),
        (
            {"stage_transitions": {"None -> Staging": {"required_tags": "tested"}}},
            "required_tags: must be a list, and is text",
        ),
        (
            {"stage_transitions": {"None -> Staging": {"required_tags": [True]}}},
            "required_tags[0]: must be text, and is true or false",
        ),
        (
            {"stage_transitions": {"None -> Staging": {"required_tags": ["a"] * 201}}},
            "has 201 items; the limit is 200",
        ),
        ({"naming_convention": {"pattern": "a" * 1001}}, "the limit is 1000"),
        ({"naming_convention": {"pattern": "("}}, "RE2 cannot take this regular expression: mis"),
        ({"naming_convention": {"pattern": "(?=a)"}}, "naming_convention.pattern: RE2 cannot"),
        ({"naming_convention": {"max_length": 0}}, "is 0; it must be from 1 to 256"),
        ({"naming_convention": {"max_length": 257}}, "it must be from 1 to 256"),
        ({"naming_convention": {"max_length": True}}, "must be a whole number"),
        ({"naming_convention": {"max_length": 10.5}}, "must be a whole number, and is a number"),
        ({"version_policy": {"max_version": 1}}, "unknown key 'max_version'"),
        ({"version_policy": {"retention_days": "365"}}, "must be a whole number, and is text"),
        ({"version_policy": {"archive_stages": ["Old"]}}, "archive_stages[0]: Invalid Model"),
        ({"single": ["Shadow"]}, "model_registry.single[0]: Invalid Model Version stage: Shadow"),
        ({"single": "Staging"}, "model_registry.single: must be a list"),
        ({"single": ["Archived"]}, "Archived always holds any number"),
        ({"aliases": {"champion": "Prod"}}, "model_registry.aliases.champion: Invalid Model"),
        ({"aliases": {"best!": "Production"}}, "model_registry.aliases.best!: Invalid alias"),
        ({"aliases": {"best": "Staging"}}, "list it under model_registry.single"),
    ],
)
def test_what_is_not_understood_is_refused_where_it_stands(registry: dict, says: str) -> None:
    assert says in refused({"model_registry": registry})


def test_the_outer_shape_is_held_to() -> None:
    assert "The keys allowed here are deployment, model_registry, monitoring." in refused(
        {"model_registry": {}, "monitor": {}}
    )
    assert "'model_registry' is required" in refused({"deployment": {}})
    for document in (None, [], "model_registry", 3):
        assert "the document: must be a mapping" in refused(document)
    assert "must be a mapping, and is empty" in refused({"model_registry": None})


@pytest.mark.parametrize("mark", ["\u201c", "\u201d", "\u2018", "\u2019"])
def test_typographic_quotation_marks_are_named_wherever_they_are(mark: str) -> None:
    code = f"U+{ord(mark):04X}"
    said = refused_part(
        stage_transitions={"None -> Staging": {"required_tags": ["ok", f"{mark}tested"]}}
    )
    assert "required_tags[1]" in said
    assert code in said
    assert "straighten" in said
    assert code in refused({"model_registry": {}, "deployment": {f"{mark}k": 1}})
    assert code in refused({"model_registry": {}, "monitoring": {"a": [{"b": mark}]}})


def test_a_document_has_a_size() -> None:
    limit = 256 * 1024
    assert compiled(text="#" * limit)
    assert f"{limit} bytes" in refused(DOCUMENT, "#" * (limit + 1))
    assert f"{limit} bytes" in refused(DOCUMENT, "é" * (limit // 2 + 1))


def test_references_cannot_blow_a_document_up() -> None:
    levels = [f"l{n + 1}: &l{n + 1} [{', '.join([f'*l{n}'] * 9)}]" for n in range(12)]
    bomb = "model_registry: {}\nl0: &l0 [a]\n" + "\n".join(levels)
    assert "references" in refused(yaml.safe_load(bomb))
    endless = yaml.safe_load("model_registry: {}\nmonitoring: &m {again: *m}")
    assert "nested deeper than 32" in refused(endless)
    wide = {"model_registry": {}, "monitoring": {"k" * 200_000: [1] * 100_000}}
    assert compiled(wide).sections


def test_what_is_not_enforced_may_hold_any_content() -> None:
    content = yaml.safe_load("{day: 2026-11-20, list: [1, [2.5, null]], flag: yes, text: a}")
    policy = compiled({"model_registry": {}, "deployment": content, "monitoring": {}})
    assert [s.path for s in policy.sections] == [
        *(f"deployment.{key}" for key in content),
        "monitoring",
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, b"x", {1, 2}, object()])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    assert "monitoring.a" in refused({"model_registry": {}, "monitoring": {"a": value}})


def test_a_key_that_is_no_text_is_refused() -> None:
    said = refused(yaml.safe_load("model_registry: {}\nmonitoring: {on: 1}"))
    assert said == "monitoring: the key True is true or false, not text; put it in quotes."


words = st.sampled_from(
    [
        *("model_registry", "deployment", "stage_transitions", "single", "aliases", "champion"),
        *("None -> Staging", "Staging->Production", "required_tags", "required_metrics"),
        *("naming_convention", "pattern", "max_length", "approval_required", "Production"),
        *("accuracy >= 0.9", "version_policy", "\u201ca"),
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=5)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)


@given(documents | st.fixed_dictionaries({"model_registry": documents}))
def test_any_document_compiles_or_is_refused_in_words(document: object) -> None:
    with suppress(InvalidInput):
        assert compiled(document).digest == compiled(deepcopy(document)).digest


# names


def test_names_are_held_to_pattern_and_length() -> None:
    naming = compiled().naming
    assert naming.objection("fraud_detector_2") is None
    assert naming.objection("a" * 100) is None
    assert "the policy allows 100" in (naming.objection("a" * 101) or "")
    for name in ("Fraud", "2fast", "a-b", "", "ok\n", "ok\nbad"):
        assert "does not match" in (naming.objection(name) or "")


def test_an_unanchored_pattern_is_searched_for_and_no_pattern_admits_all() -> None:
    assert Naming.of("prod", None).objection("my-prod-model") is None
    assert Naming.of("(?m)^ok$", None).objection("ok\nbad") is not None
    assert Naming().objection("Anything at all") is None
    assert of().naming.objection("x" * 256) is None


def test_a_hostile_pattern_takes_no_time() -> None:
    assert Naming.of("^(a+)+$", None).objection("a" * 50_000 + "!") is not None


# the guard


def test_a_listed_transition_is_guarded_by_its_rule() -> None:
    policy = compiled()
    found = policy.default.guard("staging", "PRODUCTION")
    assert found == Guarded(policy.default.rules["Staging", "Production"])


@pytest.mark.parametrize(
    ("source", "target", "listed"),
    [
        ("None", "Production", "Into Production it lists: Staging -> Production."),
        ("Archived", "Production", "Into Production it lists: Staging -> Production."),
        ("Production", "Staging", "Into Staging it lists: None -> Staging."),
        ("Staging", "Archived", "Into Archived it lists: Production -> Archived."),
        ("Production", "None", "Out of Production it lists: Production -> Archived."),
    ],
)
def test_a_way_around_a_guard_is_refused_with_the_ways_there_are(source, target, listed) -> None:
    found = compiled().default.guard(source, target)
    assert found == Unlisted(
        f"The policy does not list the transition {source} -> {target}. {listed}"
    )


def test_what_the_policy_is_silent_about_is_unguarded() -> None:
    policy = compiled()
    assert policy.default.guard("Staging", "None") == Unguarded()
    assert policy.default.guard("Archived", "None") == Unguarded()
    for stage in STAGES:
        assert policy.default.guard(stage, stage.upper()) == Unguarded()
    silent = of(stage_transitions=transitions("Staging -> Production"))
    assert silent.default.guard("Production", "Archived") == Unguarded()
    assert of().default.guard("None", "Production") == Unguarded()


def test_leaving_a_single_stage_is_held_to_the_ways_out_that_are_listed() -> None:
    registry = {"stage_transitions": transitions("Staging -> Archived")}
    assert of(**registry).default.guard("Staging", "None") == Unguarded()
    single = of(**registry, single=["Staging"])
    assert isinstance(single.default.guard("Staging", "None"), Unlisted)
    assert isinstance(single.default.guard("Staging", "Production"), Unlisted)


def test_a_stage_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidInput):
        compiled().default.guard("Staging", "Shadow")


@st.composite
def listings(draw) -> Policy:
    ends = st.tuples(st.sampled_from(STAGES), st.sampled_from(STAGES)).filter(
        lambda pair: pair[0] != pair[1]
    )
    chosen = draw(st.sets(ends, max_size=6))
    return of(stage_transitions=transitions(*(f"{a} -> {b}" for a, b in chosen)))


@given(listings(), st.sampled_from(STAGES), st.sampled_from(STAGES))
def test_into_a_guarded_stage_only_listed_transitions_lead(policy, source, target) -> None:
    found = policy.default.guard(source, target)
    if source != target and target in {rule.target for rule in policy.default.rules.values()}:
        assert isinstance(found, Guarded) == ((source, target) in policy.default.rules)
        assert not isinstance(found, Unguarded)


# single stages and aliases


def test_production_is_single_only_when_guarded_or_listed() -> None:
    assert not of().default.admits_one("Production")
    assert of().default.alias_stage("champion") is None
    assert not of(stage_transitions=transitions("Production -> None")).default.admits_one(
        "Production"
    )
    assert of(single=["Production"]).default.admits_one("Production")
    assert of(single=["Production"]).default.alias_stage("champion") == "Production"


def test_aliases_replace_the_default() -> None:
    policy = of(single=["Production", "Staging"], aliases={"challenger": "staging"})
    assert policy.default.alias_stage("challenger") == "Staging"
    assert policy.default.alias_stage("champion") is None
    assert of(single=["Production"], aliases={}).default.alias_stage("champion") is None


# the decision


@dataclass(frozen=True)
class Answers:
    """A gate that gives the answer it was made with, or raises it."""

    name: ClassVar[str] = "stub"
    answer: Any

    def asks(self) -> str:
        return "anything"

    def judge(self, case: Case) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def says(outcome: Outcome) -> Answers:
    return Answers(Verdict("stub", outcome, f"{outcome}"))


def decide(*gates: Answers) -> policies.Decision:
    rule = Rule("Staging", "Production", gates, "sha256:p")
    return policies.decide(rule, Evidence.gather(), "why", [], [])


@given(st.lists(st.sampled_from([*Outcome, None]), max_size=6))
def test_every_gate_is_asked_and_the_worst_answer_decides(outcomes) -> None:
    gates = [Answers(ValueError("x")) if o is None else says(o) for o in outcomes]
    decision = decide(*gates)
    assert [v.outcome for v in decision.verdicts] == [o or Outcome.FAILED for o in outcomes]
    if None in outcomes or Outcome.FAILED in outcomes:
        assert decision.outcome is Ruling.REFUSED
    elif Outcome.PENDING in outcomes:
        assert decision.outcome is Ruling.WAITING
    else:
        assert decision.outcome is Ruling.PASSED


@pytest.mark.parametrize(
    "answer",
    [
        ZeroDivisionError("division by zero"),
        RecursionError(),
        None,
        True,
        "passed",
        Verdict("stub", "passed", "ok"),  # type: ignore[arg-type]
        Verdict("stub", Outcome.PASSED, None),  # type: ignore[arg-type]
    ],
)
def test_a_gate_that_breaks_or_talks_nonsense_has_failed(answer: Any) -> None:
    decision = decide(says(Outcome.PASSED), Answers(answer), says(Outcome.PASSED))
    assert decision.outcome is Ruling.REFUSED
    assert len(decision.verdicts) == 3
    assert decision.verdicts[1].message.startswith("gate stub could not decide: ")


def test_a_decision_says_what_it_was_made_on() -> None:
    decision = decide(says(Outcome.PASSED))
    assert decision.to_json() == {
        "outcome": "passed",
        "verdicts": [{"gate": "stub", "outcome": "passed", "message": "passed"}],
        "policy_digest": "sha256:p",
        "evidence_digest": Evidence.gather().digest(),
    }


def test_a_decision_is_explained_line_by_line_and_no_text_adds_a_line() -> None:
    forged = Answers(Verdict("stub", Outcome.FAILED, "no\n[passed] approval: all"))
    lines = decide(forged, says(Outcome.PENDING)).explain().splitlines()
    assert lines == [r"[failed] stub: no\u{a}[passed] approval: all", "[pending] stub: pending"]
    assert decide().explain() == "The policy asks for nothing here."


def test_a_frozen_bundle_is_decided_the_same_again() -> None:
    rule = compiled().default.rules["None", "Staging"]
    bundle = Evidence.gather(
        tags={"tested": "1", "reviewed": "1"}, metrics={"accuracy": 0.5, "f1_score": float("nan")}
    )
    thawed = Evidence.from_json(bundle.to_json())
    first, again = (policies.decide(rule, e, None, [], []) for e in (bundle, thawed))
    assert first == again
    assert first.verdicts[1].message == "metric f1_score is NaN"


def test_a_barred_name_is_barred_in_any_spelling() -> None:
    rule = of(stage_transitions={"None -> Staging": {"approval_required": True}}).default.rules[
        "None", "Staging"
    ]
    decision = policies.decide(rule, Evidence.gather(), None, [Vote("ann", True)], ["ANN "])
    assert decision.outcome is Ruling.WAITING
