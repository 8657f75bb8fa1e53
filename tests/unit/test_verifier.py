"""The off-line verifier, as a command: what it takes for an export, and what it passes over."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import modelkeep_verify
from tests.support.exports import Line, entries, export

ENTRIES = entries(3)


def verify(*args: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, modelkeep_verify.__file__, *map(str, args)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def written(file: Path, lines: list[Line], before: str = "") -> Path:
    file.write_text(before + "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


@pytest.mark.parametrize("content", ["", "\n\n", "PK\x03\x04", "[1, 2]\n", '{"kind": "else"}\n{}'])
def test_what_is_no_export_is_wrong_usage_and_not_tampering(tmp_path: Path, content: str) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_text(content)
    ended = verify(file)
    assert (ended.returncode, ended.stdout) == (64, "")
    assert "not an export of a journal; `modelkeep audit export` makes one" in ended.stderr


def test_a_mark_before_an_export_is_passed_over(tmp_path: Path) -> None:
    assert verify(written(tmp_path / "a", export(ENTRIES), before="\ufeff")).returncode == 0
    garbled = written(tmp_path / "b", export(ENTRIES)[1:], before="x\n")
    assert verify(garbled).returncode == 2  # an export that lost its head is still one


def test_tables_that_it_does_not_know_are_named(tmp_path: Path) -> None:
    *lines, end = export(ENTRIES)
    strange = {"kind": "row", "table": "tea", "row": {"leaves": 3}}
    ended = verify(written(tmp_path / "a", [*lines, strange, strange, end]), "--json")
    report = json.loads(ended.stdout)
    assert (ended.returncode, report["tables_not_compared"]) == (0, ["tea"])
    told = verify(written(tmp_path / "a", [*lines, strange, end])).stdout
    assert "NOT COMPARED: tea, of which this verifier knows nothing." in told
    assert f"{report['rows_compared']} rows of the tables" in told


def test_its_help_lists_every_option() -> None:
    told = verify("--help").stdout
    for option in ("--vkey KEY", "--witness KEY", "-k N", "--since FILE", "--max-age SECONDS",
                   "--json"):  # fmt: skip
        assert option in told
