"""The benchmarks run: on modelkeep alone, for moments, and nothing is said about how fast it is."""

import json
from pathlib import Path

import pytest

from benchmarks import report, run, search
from benchmarks.load import has_wrk
from benchmarks.peers.modelkeep import Modelkeep
from benchmarks.plan import Catalogue, Plan
from benchmarks.seeds import Crowd

MOMENT = Plan(
    rounds=1,
    load_s=1,
    warm_up_s=0,
    connections=(2,),
    create_on=(1,),
    loggers=(2,),
    large_bytes=3 << 20,
    small_files=8,
    small_clients=2,
    catalogue=Catalogue(models=3, versions=2, aliases=4),
    crowd=Crowd(2_000),
    searches=1,
    decisions=20,
)


def test_every_measurement_yields_its_numbers(tmp_path: Path) -> None:
    if not has_wrk():
        pytest.skip("The load of the benchmarks comes from wrk, which is not on this machine.")
    peer = Modelkeep(tmp_path / "modelkeep")

    samples = run.run(tmp_path, [peer], list(run.MEASUREMENTS), MOMENT)

    found = {sample.measurement: sample for sample in samples}
    assert list(found) == [
        "limit: bare HTTP, 16 connections",
        "limit: durable inserts, SQLite",
        "startup: healthy",
        "startup: idle memory (PSS)",
        "alias: 2 connections",
        "create: one model, 2 connections",
        *(f"search: {name}" for name in search.searches(1)),
        "search: a page of 1,000, the first",
        "search: a page of 1,000, the last",
        "an alias, alone",
        "an alias, while 8 clients scan",
        "metrics: 2 clients",
        "artifacts: limit, cp of one file and a flush",
        "artifacts: limit, SHA-256, write and flush of one file",
        "artifacts: one file up",
        "artifacts: one file down",
        "artifacts: small files up, 2 clients",
        "artifacts: small files down, 2 clients",
        "gates: a plain transition",
        "gates: one past 20 conditions",
        "gates: what 20 conditions add",
    ]
    assert all(sample.value > 0 for name, sample in found.items() if "add" not in name)
    alias, create = found["alias: 2 connections"].detail, found["create: one model, 2 connections"]
    assert alias["promotions"] > 0
    assert alias["checked_reads"] > 0
    assert alias["stale_reads"] == 0
    assert found["search: a page of 1,000, the last"].detail["pages"] == 2
    assert found["an alias, while 8 clients scan"].detail["scans_per_s"] > 0
    assert found["artifacts: one file up"].detail["rss_growth_mb"] < 64
    assert create.detail["changes"] >= create.detail["commits"] > 0

    table = report.table(samples)
    assert all(name in table for name in found)
    report.save(tmp_path / "results.json", samples, {"processors": 2})
    saved = json.loads((tmp_path / "results.json").read_text())
    assert len(saved["samples"]) == len(samples)
