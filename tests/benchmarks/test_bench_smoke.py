"""The benchmarks run: on modelkeep alone, for moments, and nothing is said about how fast it is."""

import json
from pathlib import Path

import pytest

from benchmarks import report, schedule, search
from benchmarks.load import has_wrk
from benchmarks.peers.modelkeep import Modelkeep
from benchmarks.plan import Plan, Sample
from benchmarks.seeds import Catalogue, Crowd

MOMENT = Plan(
    rounds=1,
    load_s=1,
    warm_up_s=0,
    connections=(2,),
    create_on_many=((2, 2),),
    loggers=(2,),
    large_bytes=3 << 20,
    small_files=8,
    small_clients=2,
    commands=1,
    catalogue=Catalogue(models=3, versions=2, aliases=4),
    crowds=(Crowd(2_000),),
    searches=1,
    decisions=4,
    moves=10,
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    if not has_wrk():
        pytest.skip("The load of the benchmarks comes from wrk, which is not on this machine.")
    folder = tmp_path_factory.mktemp("bench")
    peers = [Modelkeep(folder / "modelkeep")]
    planned = schedule.steps(folder, peers, schedule.MEASUREMENTS, MOMENT)

    found, failures = schedule.carry_out(planned)

    assert failures == []
    return found


def test_every_measurement_yields_its_numbers(samples: list[Sample]) -> None:
    found = {sample.measurement: sample for sample in samples}
    assert list(found) == [
        "limit: bare HTTP, 2 connections",
        "limit: durable inserts, SQLite",
        "limit: look-ups by key, SQLite",
        "startup: healthy in a new directory",
        "startup: healthy on data that it has",
        "startup: idle memory (PSS)",
        "alias: 2 connections",
        "describe: a package, 16 connections",
        "describe: our own read, 16 connections",
        "describe: how much slower than our own read",
        "create: one model, 2 connections",
        "create: 2 models, 2 connections",
        "metrics: 2 clients",
        "artifacts: limit, cp of one file and a flush",
        "artifacts: limit, SHA-256, write and flush of one file",
        "artifacts: one file up",
        "artifacts: one file down",
        "artifacts: small files up, 2 clients",
        "artifacts: small files down, 2 clients",
        "cli: --version",
        "gates: a plain transition",
        "gates: one past 1 condition",
        "gates: one past 20 conditions",
        "gates: what 20 conditions add",
        "journal: moves of one alias, 16 connections",
        "journal: moves of one alias, 64 connections",
        "journal: the first page of a long history",
        "journal: the last page of a long history",
        "journal: limit, SHA-256 of its lines",
        "journal: modelkeep-verify",
        "journal: audit verify of the database",
        *(f"search: {name}" for name in search.searches(1)),
        "search: a page of 1,000, the first",
        "search: a page of 1,000, the last",
        "search: an alias, alone",
        "search: an alias, while 8 clients scan",
        "by size: resolve an alias",
        "by size: create a version",
        "by size: create a version, its processors' time",
        "by size: log 1,000 points to a run",
        "by size: the first page of a history",
        "by size: the last page of a history",
    ]
    assert all(sample.value > 0 for name, sample in found.items() if "add" not in name)


def test_the_measurements_see_what_they_are_about(samples: list[Sample]) -> None:
    found = {sample.measurement: sample.detail for sample in samples}
    assert found["alias: 2 connections"]["promotions"] > 0
    assert found["alias: 2 connections"]["checked_reads"] > 0
    assert found["alias: 2 connections"]["stale_reads"] == 0
    assert found["search: a page of 1,000, the last"]["pages"] == 2
    assert found["search: an alias, while 8 clients scan"]["scans_per_s"] > 0
    assert found["artifacts: one file up"]["rss_growth_mb"] < 64
    assert found["journal: modelkeep-verify"]["entries"] > MOMENT.moves
    assert found["journal: moves of one alias, 64 connections"]["changes_per_commit"] > 1


def test_the_report_tells_of_every_measurement(samples: list[Sample], tmp_path: Path) -> None:
    text = report.markdown(samples, {"processors": 2})
    assert all(sample.measurement in text for sample in samples)

    report.save(tmp_path / "results.json", samples, {"processors": 2})
    saved = json.loads((tmp_path / "results.json").read_text())
    assert len(saved["samples"]) == len(samples)
    assert saved["circumstances"] == {"processors": 2}
