"""What the benchmarks' table says, of samples that are written down here."""

from pathlib import Path

import pytest

from benchmarks import peers, profiles, report, results
from benchmarks.plan import MACHINE, Sample


def rate(measurement: str, server: str, value: float, p99_ms: float = 20, size: int = 0) -> Sample:
    detail = {"p50_ms": p99_ms / 2, "p99_ms": p99_ms}
    return Sample(measurement, server, value, "/s", rate=True, detail=detail, size=size)


def took(measurement: str, server: str, value_ms: float, size: int = 0) -> Sample:
    detail = {"p50_ms": value_ms, "p99_ms": value_ms * 2}
    return Sample(measurement, server, value_ms, "ms", rate=False, detail=detail, size=size)


def test_a_ratio_is_of_medians_on_the_same_kind_of_database() -> None:
    create = "create: one model, 16 connections"
    samples = [
        *(rate(create, "mlflow-sqlite", value) for value in (90, 100, 1)),
        *(rate(create, "modelkeep-sqlite", value) for value in (3_600, 9_000, 1_000)),
        rate(create, "mlflow-postgresql", 100),
        rate(create, "modelkeep-postgresql", 1_000),
    ]

    on_sqlite, on_postgresql = results.lines(samples)

    assert (on_sqlite.database, on_sqlite.ratios) == ("sqlite", {"mlflow": 40})
    assert (on_postgresql.database, on_postgresql.ratios) == ("postgresql", {"mlflow": 10})


def test_where_mlflow_takes_no_part_the_ratio_is_to_who_does() -> None:
    case = "describe: a package, 16 connections"
    samples = [rate(case, "moto-sqlite", 300), rate(case, "modelkeep-sqlite", 9_000)]
    (line,) = results.lines(samples)
    assert (line.ratios, [v.reached for v in line.verdicts]) == ({"moto": 30}, [True])
    text = report.markdown(samples, {})
    assert "beside moto" in text
    assert "beside MLflow" not in text


def test_where_less_is_better_the_ratio_is_the_peers_by_ours() -> None:
    samples = [
        took("search: all versions", "mlflow-sqlite", 120, 100_000),
        took("search: all versions", "modelkeep-sqlite", 4, 100_000),
    ]

    (line,) = results.lines(samples)

    assert line.ratios == {"mlflow": 30}


def test_a_target_that_is_missed_tells_what_was_found() -> None:
    create = "create: one model, 16 connections"
    samples = [rate(create, "mlflow-sqlite", 100), rate(create, "modelkeep-sqlite", 3_000, 60)]

    text = report.markdown(samples, {})

    assert "| ≥ 35 times; ≤ 50 ms at p99 | no, 30 times; no, 60 ms at p99 |" in text


def test_a_target_that_is_reached_says_yes() -> None:
    create = "create: one model, 16 connections"
    samples = [rate(create, "mlflow-sqlite", 100), rate(create, "modelkeep-sqlite", 3_500, 50)]

    assert "| yes; yes |" in report.markdown(samples, {})


def test_an_alias_is_held_against_the_same_server_with_nothing_behind_it() -> None:
    samples = [
        rate("limit: bare HTTP, 64 connections", MACHINE, 30_000),
        rate("alias: 64 connections", "modelkeep-sqlite", 12_000),
    ]

    (line,) = results.lines(samples)

    assert [(v.target, v.found) for v in line.verdicts] == [
        ("≥ 50 % of the limit", "40 % of the limit")
    ]


def test_what_is_varied_in_size_is_one_line_with_its_growth() -> None:
    search = "search: all versions"
    samples = [
        took(search, "modelkeep-sqlite", 2, 1_000),
        took(search, "mlflow-sqlite", 120, 100_000),
        took(search, "modelkeep-sqlite", 4, 100_000),
        took(search, "modelkeep-sqlite", 6, 1_000_000),
    ]

    text = report.markdown(samples, {})

    assert f"| {search} | 2 (4) | 4 (8) | 6 (12) | 3 | 120 (240) | 30 | ≤ 5 ms | no, 6 ms |" in text


def test_a_failure_is_told_beside_the_results() -> None:
    samples = [rate("metrics: one client", "modelkeep-sqlite", 150_000)]

    assert "**Failed**: alias: it broke" in report.markdown(samples, {}, ["alias: it broke"])


def test_an_earlier_run_completes_this_one_with_whole_kinds_alone(tmp_path: Path) -> None:
    alias, later = "alias: 1 connections", "alias: 64 connections"
    saved = [
        rate(alias, "modelkeep-sqlite", 1),
        rate(later, "modelkeep-sqlite", 2),
        took("search: all versions", "modelkeep-sqlite", 3, 1_000),
    ]
    earlier = tmp_path / "earlier.json"
    report.save(earlier, saved, {"taken": "yesterday", "plan": "full"})
    now = [rate(alias, "modelkeep-sqlite", 9)]

    samples, told = report.completed(now, {"taken": "today"}, earlier)

    assert samples == [*now, saved[2]]
    assert told == {"taken": "today", "of an earlier run, yesterday (full)": "search"}
    assert report.completed(saved, {}, earlier) == (saved, {})


@pytest.mark.parametrize("text", ["", "[]", '{"samples": [{}]}', '{"samples": []}'])
def test_what_is_no_earlier_run_is_refused(tmp_path: Path, text: str) -> None:
    earlier = tmp_path / "earlier.json"
    earlier.write_text(text)

    with pytest.raises(report.NotResults, match="is not what --out wrote"):
        report.completed([], {}, earlier)


def test_the_block_of_a_document_is_replaced_and_the_rest_is_left(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"# Title\n\n{report.BEGIN}\nold\n{report.END}\n\nThe end.\n")

    report.write_block(document, "new\n")
    report.write_block(document, "newer\n")

    assert document.read_text() == (
        f"# Title\n\n{report.BEGIN}\n\nnewer\n\n{report.END}\n\nThe end.\n"
    )


def test_a_document_without_a_block_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("# Title\n")

    with pytest.raises(report.NoBlock, match="bench: begin"):
        report.write_block(document, "new\n")


def test_the_documentation_has_the_block_that_is_written_to() -> None:
    before, after = report.require_block(Path(__file__).parents[2] / "docs" / "performance.md")

    assert before.startswith("# How fast it is")
    assert "What it rests on" in after


def test_every_module_of_a_peer_is_found_by_its_product() -> None:
    assert list(peers.found()) == ["mlflow", "modelkeep", "moto"]


def test_a_profile_counts_each_functions_own_time_and_no_waiting() -> None:
    stacks = profiles.stacks_in(
        "thread (0x7F): MainThread;run (app.py:3);send (http.py:10) 6\n"
        "thread (0x7F): MainThread;run (app.py:3);send (http.py:12) 2\n"
        "thread (0x8F): writer;run (app.py:3);commit (writer.py:8) 2\n"
        "thread (0x8F): writer;run (app.py:3);Condition.wait (threading.py:320) 90\n"
    )

    text = profiles.table("alias", stacks)

    assert "Threads: MainThread 80.0 %, writer 20.0 %" in text
    assert "| 80.0 % | `send (http.py)` |" in text
    assert "wait" not in text
