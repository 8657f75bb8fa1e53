"""Gates that look further: at the occupant, at expressions, at documents, at the clock."""

import math
from typing import Any

import pytest

from modelkeep.domain.approvals import Vote
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.evidence import Evidence, Occupant, Standing
from modelkeep.domain.gates import READERS, Case, Outcome, Verdict
from modelkeep.domain.gates.base import needs_of

PASSED, FAILED, PENDING = Outcome.PASSED, Outcome.FAILED, Outcome.PENDING
HOUR_MS = 3_600_000
NOON_MS = 1_795_176_000_000  # 2026-11-20T12:00Z
STANDING = Standing(3, "Staging", NOON_MS - 10 * HOUR_MS, "sha256:00")


def judge(
    key: str, value: object, votes: tuple[Vote, ...] = (), now: int = NOON_MS, **given: Any
) -> Verdict:
    gate = READERS[key](value, "here")
    assert gate is not None
    evidence = Evidence.gather(**{"standing": STANDING, **given})
    return gate.judge(Case(evidence, "", votes, frozenset(), now))


def occupant(**metrics: float) -> Occupant:
    return Occupant(2, "sha256:02", {"team": "risk"}, {"depth": "3"}, metrics)


# -- no regression -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "mine", "theirs", "outcome"),
    [
        ("auc", 0.9, 0.9, PASSED),
        ("auc", 0.9, 0.91, FAILED),
        ({"metric": "auc", "margin": 0.02}, 0.9, 0.91, PASSED),
        ({"metric": "auc", "margin_pct": 1}, 0.9, 0.91, FAILED),
        ({"metric": "auc", "margin_pct": 2}, 0.9, 0.91, PASSED),
        ("rmse", 1.1, 1.0, FAILED),
        ("rmse", 0.9, 1.0, PASSED),
        ({"metric": "rmse", "margin_pct": 10}, 1.1, 1.0, PASSED),
        ({"metric": "cost", "better": "lower"}, 2.0, 1.0, FAILED),
        ("auc", math.nan, 0.9, FAILED),
        ("auc", 0.9, math.nan, FAILED),
        ("auc", math.inf, 0.9, FAILED),
        ("auc", 0.9, -math.inf, FAILED),
        ("auc", -0.0, 0.0, PASSED),
    ],
)
def test_a_version_is_held_against_the_one_it_would_displace(limit, mine, theirs, outcome) -> None:
    metric = limit if isinstance(limit, str) else limit["metric"]
    there = occupant(**{metric: theirs})
    assert (
        judge("no_regression", [limit], metrics={metric: mine}, occupant=there).outcome is outcome
    )


def test_a_metric_that_either_side_lacks_is_a_regression() -> None:
    verdict = judge("no_regression", ["auc"], metrics={}, occupant=occupant(auc=0.9))
    assert verdict == Verdict("regression", FAILED, "its metric auc is missing")
    verdict = judge("no_regression", ["auc"], metrics={"auc": 0.9}, occupant=occupant())
    assert verdict.message == "version 2's metric auc is missing"


def test_the_first_version_has_nothing_to_be_worse_than() -> None:
    assert judge("no_regression", ["auc"], metrics={}).outcome is PASSED


@pytest.mark.parametrize(
    "value",
    [
        "auc",
        [{}],
        [{"metric": "auc", "margin": -1}],
        [{"metric": "auc", "margin": 1, "margin_pct": 1}],
        [{"metric": "auc", "margin": "1"}],
        [{"metric": "auc", "better": "up"}],
        [{"metric": "auc", "slack": 1}],
        [3],
    ],
)
def test_a_limit_that_cannot_be_read_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="here"):
        READERS["no_regression"](value, "here")


# -- expressions ---------------------------------------------------------------------------------

FACTS: dict[str, Any] = {
    "tags": {"team": "risk"},
    "params": {"depth": "4"},
    "metrics": {"auc": 0.9, "bad": math.nan},
    "run_id": "r1",
    "git_commit": "abc",
    "documents": {"card": "sha256:1"},
    "card": {"risk": {"rating": "high"}, "owners": ["ann", "bob"]},
}


@pytest.mark.parametrize(
    "source",
    [
        "metrics.auc >= occupant.metrics.auc - 0.005",
        "occupant == null || metrics.auc > 0.5",
        "tags.team == 'risk' && params['depth'] == '4'",
        "run.git_commit != ''",
        "card.risk.rating in ['high', 'low']",
        "card.owners.all(o, o.size() > 0)",
        "'card' in documents && version.number == 3 && version.stage == 'Staging'",
        "tags.team.matches('^r.*k$')",
        "has(tags.team) && !has(tags.nope)",
        "metrics['auc'] > 0.1 && occupant.metrics.auc > 0.1",
    ],
)
def test_a_condition_that_is_true_passes(source: str) -> None:
    there = occupant(auc=0.9)
    assert judge("expressions", [source], occupant=there, **FACTS).outcome is PASSED


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("metrics.auc > 0.95", "is False"),
        ("metrics.nope > 0.1", "there is no nope"),
        ("!(metrics.bad < 0.9)", "there is no bad"),
        ("metrics.auc", "is 0.9"),
        ("'true'", "is 'true'"),
        ("metrics.auc / 0.0 > 0.0 && 1 / 0 == 1", "cannot be decided"),
        ("metrics.auc > tags.team", "cannot be decided"),
        ("occupant.metrics.auc > 0.1", "cannot be decided"),
        ("metrics.all(m, metrics[m] > 0.1)", "not all are finite: bad"),
        ("!(has(metrics.bad) && metrics.bad < 0.9)", "not all are finite: bad"),
        ("metrics.size() == 1", "not all are finite: bad"),
    ],
)
def test_anything_but_true_fails_and_says_why(source: str, says: str) -> None:
    verdict = judge("expressions", [source], **FACTS)
    assert verdict.outcome is FAILED
    assert says in verdict.message


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("metrics.auc >=", "is no expression"),
        ("metric.auc > 1", "speaks of metric;"),
        ("__import__('os')", "calls __import__"),
        ("tags.map(t, t).size() > 0", "uses map"),
        ("tags.all(t, tags.all(u, u == t))", "a macro or a pattern within a macro"),
        ("tags.all(t, t.matches('a+'))", "a macro or a pattern within a macro"),
        ("tags.all(t, t != ')' && tags.exists(u, u == t))", "a macro or a pattern within a macro"),
        (r"r'\' == '' || tags.map(t, t) == ''", "prefix"),
        ("true // '\n&& tags.map(t, t) == ['']", "line feed"),
        ("tags.join() == ''", "calls join"),
        ("(" * 400 + "true" + ")" * 400, "is no expression"),
    ],
)
def test_what_is_wrong_or_could_take_long_is_refused_with_its_place(source, says) -> None:
    with pytest.raises(InvalidInput, match=r"^here\[0\]: ") as refused:
        READERS["expressions"]([source], "here")
    assert says in refused.value.message


def test_only_what_a_condition_speaks_of_is_gathered_for_it() -> None:
    def needs(source: str) -> set[str]:
        gate = READERS["expressions"]([source], "here")
        assert gate is not None
        return {need.value for need in needs_of(gate)}

    assert needs("metrics.auc > 0.1") == set()
    assert needs("card.x == occupant.number") == {"card", "occupant"}


# -- bytes, documents, time ----------------------------------------------------------------------


def test_a_label_is_no_artifact() -> None:
    assert judge("artifact_verified", True).outcome is PASSED
    label = Standing(3, "Staging", 0, None)
    assert judge("artifact_verified", True, standing=label).outcome is FAILED
    assert READERS["artifact_verified"](False, "here") is None


def test_every_document_must_be_attached() -> None:
    verdict = judge("required_documents", ["card", "report"], documents={"card": "sha256:1"})
    assert verdict == Verdict("documents", FAILED, "report is not attached")
    assert judge("required_documents", ["card"], documents={"card": "x"}).outcome is PASSED
    with pytest.raises(InvalidInput, match="no name of a document"):
        READERS["required_documents"](["The Card"], "here")


def test_a_version_has_to_stay_long_enough() -> None:
    assert judge("minimum_soak_hours", 10).outcome is PASSED
    verdict = judge("minimum_soak_hours", 10.5)
    assert verdict.outcome is FAILED
    assert verdict.message.endswith("required 10.5 h, reached 2026-11-20T12:30:00.000Z")


@pytest.mark.parametrize(
    ("at_ms", "outcome"),
    [(NOON_MS - 1, PASSED), (NOON_MS, FAILED), (NOON_MS + HOUR_MS - 1, FAILED),
     (NOON_MS + HOUR_MS, PASSED)],
)  # fmt: skip
def test_nothing_moves_while_it_is_frozen(at_ms: int, outcome: Outcome) -> None:
    window = {"from": "2026-11-20T12:00", "until": "2026-11-20T14:00+01:00", "reason": "sale"}
    verdict = judge("freeze_windows", [window], now=at_ms)
    assert verdict.outcome is outcome
    assert (": sale" in verdict.message) is (outcome is FAILED)


@pytest.mark.parametrize(
    "window",
    [{"from": "2026-11-20"}, {"from": "2026-11-20", "until": "2026-11-20"},
     {"from": "soon", "until": "2026-11-20"}, {"from": "0001-01-01", "until": "x"}],
)  # fmt: skip
def test_a_window_that_is_none_is_refused(window: object) -> None:
    with pytest.raises(InvalidInput, match=r"here\[0\]"):
        READERS["freeze_windows"]([window], "here")


# -- quorum --------------------------------------------------------------------------------------


def votes(*names: str, roles: tuple[str, ...] = ("reviewer",)) -> tuple[Vote, ...]:
    return tuple(Vote(name, True, roles=roles) for name in names)


@pytest.mark.parametrize(
    ("quorum", "cast", "outcome"),
    [
        (2, votes("ann"), PENDING),
        (2, votes("ann", "bob"), PASSED),
        (2, votes("ann", "ANN "), PENDING),
        ({"quorum": 1, "role": "admin"}, votes("ann"), PENDING),
        ({"quorum": 1, "role": "admin"}, votes("ann", roles=("admin",)), PASSED),
        ([2, {"role": "admin"}], votes("ann", "bob"), PENDING),
        ([2, {"role": "admin"}], votes("ann") + votes("bob", roles=("admin",)), PASSED),
        (2, (*votes("ann", "bob"), Vote("eve", False)), FAILED),
        (1, votes("anonymous"), PENDING),
    ],
)
def test_a_quorum_is_of_people(quorum: object, cast: tuple[Vote, ...], outcome: Outcome) -> None:
    assert judge("approvals", quorum, cast).outcome is outcome


@pytest.mark.parametrize("value", [0, 21, "two", {"quorum": 1, "role": "king"}, {"people": 1}])
def test_a_quorum_that_cannot_be_met_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="here"):
        READERS["approvals"](value, "here")


# -- the bundle ----------------------------------------------------------------------------------


def test_a_bundle_that_says_where_the_version_stands_reads_back_the_same() -> None:
    bundle = Evidence.gather(standing=STANDING, occupant=occupant(auc=0.9, bad=math.nan), **FACTS)
    assert bundle.to_json()["v"] == 2
    assert Evidence.from_json(bundle.to_json()).digest() == bundle.digest()
    digest = "f4eed2ba44e2eca79016e092a0f897040f7c1a2baa63faab6044973f79f95045"
    assert bundle.digest() == f"sha256:{digest}"  # approvals are bound to it, for ever
