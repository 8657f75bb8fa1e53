"""What time lets go of, and what is kept all the same."""

from typing import Any

import pytest
from msgspec import structs

from modelkeep.domain import policies, retention
from modelkeep.domain.lifecycles import MLFLOW, Lifecycle
from modelkeep.domain.models import Version
from modelkeep.domain.retention import DAY_MS, Fate, Standing
from modelkeep.domain.semver import Semver

NOW_MS = 1_000 * DAY_MS


def cycle(**registry: Any) -> Lifecycle:
    return policies.compile({"model_registry": registry}, "").default


SEEDS = cycle(
    version_policy={
        "max_versions": 50, "retention_days": 365, "archive_stages": ["Archived", "Staging"],
    }
)  # fmt: skip


def due(of: Lifecycle, stage: str, days: float, number: int = 9, oldest_kept: int = 0) -> Any:
    since_ms = NOW_MS - round(days * DAY_MS)
    found = retention.due(of, Standing(1, number, stage, since_ms), oldest_kept, NOW_MS)
    return (found.fate, found.rule) if found else None


def test_a_version_is_retired_after_its_days_in_a_stage_that_may_go() -> None:
    for stage in ("Archived", "Staging"):
        assert due(SEEDS, stage, 365) == (Fate.RETIRE, "retention_days")
        assert due(SEEDS, stage, 364.9) is None
    for stage in ("None", "Production"):
        assert due(SEEDS, stage, 9999) is None


def test_a_version_is_retired_when_it_is_not_among_the_newest() -> None:
    assert due(SEEDS, "Archived", 0, number=9, oldest_kept=10) == (Fate.RETIRE, "max_versions")
    assert due(SEEDS, "Archived", 0, number=10, oldest_kept=10) is None
    assert due(SEEDS, "None", 0, number=9, oldest_kept=10) is None


def test_only_the_archive_goes_where_no_stages_are_named() -> None:
    of = cycle(version_policy={"retention_days": 1})
    assert due(of, "Archived", 2)
    assert due(of, "Staging", 2) is None


def test_a_version_is_archived_after_its_days_in_a_stage() -> None:
    of = cycle(stages=[{"name": "Staging", "archive_after_days": 30}, "Production"])
    assert due(of, "Staging", 30) == (Fate.ARCHIVE, "archive_after_days")
    assert due(of, "Staging", 29) is None
    assert due(of, "Archived", 999) is None


@pytest.mark.parametrize("days", [1, 364, 365, 366, 10**9])
def test_nothing_is_due_that_stands_there_for_less_than_the_shortest_time(days: int) -> None:
    latest = retention.latest_due_ms(SEEDS, NOW_MS)
    since_ms = max(NOW_MS - days * DAY_MS, 0)
    found = retention.due(SEEDS, Standing(1, 1, "Archived", since_ms), 0, NOW_MS)
    assert (found is not None) == (since_ms <= latest)


def test_without_a_limit_nothing_is_ever_due() -> None:
    listed = cycle(version_policy={"archive_stages": ["Archived", "Staging", "None"]})
    for of in (MLFLOW, cycle(version_policy={}), listed):
        assert retention.stages(of) == ()
        assert retention.latest_due_ms(of, NOW_MS) == -1
    assert retention.stages(SEEDS) == ("Archived", "Staging")


VERSION = Version(
    id=7, model_id=1, model_name="churn", number=7, source="s3://b/x", run_id=None,
    logged_model_id=None, run_link=None, description="", stage="Staging", manifest=None,
    author="ann", created_ms=0, updated_ms=0, semver=Semver(7, 0, 0), semver_fixed=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "because"),
    [
        ({}, None),
        ({"stage": "Production"}, "it holds Production"),
        ({"aliases": ("best",)}, "alias best points to it"),
        ({"tags": {"modelkeep.hold": "litigation"}}, "its tag modelkeep.hold says so"),
        ({"tags": {"modelkeep.hold": ""}}, "its tag modelkeep.hold says so"),
        ({"tags": {"modelkeep.hold": "No"}}, None),
    ],
)
def test_what_is_in_use_is_kept(facts: dict[str, Any], because: str | None) -> None:
    assert retention.kept(SEEDS, structs.replace(VERSION, **facts), {}, None) == because


def test_what_a_rollback_or_a_request_needs_is_kept() -> None:
    back = retention.kept(SEEDS, VERSION, {7: "Production"}, None)
    assert back == "a rollback of Production would return to it"
    assert retention.kept(SEEDS, VERSION, {}, 3) == "request 3 waits for an approval"
    single = cycle(single=["Staging"])
    assert retention.kept(single, VERSION, {}, None) == "it holds Staging"
