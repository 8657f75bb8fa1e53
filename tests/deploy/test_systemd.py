"""The units of systemd: installed as they say, checked by systemd itself."""

import configparser
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support.deploying import (
    DEPLOY,
    check_command,
    check_environment,
    outcome,
    program,
    ran,
)

UNITS = DEPLOY / "systemd"
SERVICES = sorted(unit.name for unit in UNITS.glob("*.service"))
MOST_EXPOSED = 1.5  # of 10; a unit that says nothing has 9.6
PROGRAM = "/opt/modelkeep/bin/modelkeep"
BACKUP = "/usr/local/lib/modelkeep/backup"


def read(name: str) -> configparser.SectionProxy:
    unit = configparser.ConfigParser(interpolation=None, strict=False, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(UNITS / name)
    return unit["Service"]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The root of a machine on which the units were installed, with nothing else on it."""
    root = tmp_path / "machine"
    for source, place in (
        *((unit, f"/etc/systemd/system/{unit.name}") for unit in UNITS.glob("*.service")),
        *((unit, f"/etc/systemd/system/{unit.name}") for unit in UNITS.glob("*.timer")),
        (UNITS / "backup", BACKUP),
        (UNITS / "backup", PROGRAM),  # any program
        (UNITS / "modelkeep.sysusers", "/usr/lib/sysusers.d/modelkeep.conf"),
    ):
        installed = root / place.removeprefix("/")
        installed.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, installed)
    return root


def test_systemd_finds_nothing_wrong_with_them(machine: Path) -> None:
    names = sorted(unit.name for unit in (machine / "etc/systemd/system").iterdir())
    said = ran(
        program("systemd-analyze"),
        *("verify", f"--root={machine}", "--man=no", "--recursive-errors=no"),
        *names,
    )
    assert not re.search(r"Unknown|not executable|fail|[Ii]gnor", said), said


def test_a_unit_that_is_wrong_would_be_told_of(machine: Path) -> None:
    unit = machine / "etc/systemd/system/modelkeep.service"
    unit.write_text(unit.read_text().replace("ProtectHome=yes", "ProtectHomes=yes"))
    _, said = outcome(
        program("systemd-analyze"),
        *("verify", f"--root={machine}", "--man=no", "--recursive-errors=no", unit.name),
    )
    assert "ProtectHomes" in said


@pytest.mark.parametrize("name", SERVICES)
def test_they_are_little_exposed(name: str) -> None:
    threshold = f"--threshold={round(MOST_EXPOSED * 10)}"
    ran(
        program("systemd-analyze"),
        *("security", "--offline=true", threshold, "--no-pager", UNITS / name),
    )


@pytest.mark.parametrize("name", SERVICES)
def test_what_they_start_is_a_command_of_modelkeep(name: str) -> None:
    words = shlex.split(read(name)["ExecStart"])
    if words[0] == BACKUP:
        assert len(words) == 2
    else:
        assert words[0] == PROGRAM
        check_command(words[1:])


def test_the_file_of_settings_holds_settings_of_ours_that_go_together() -> None:
    lines = (UNITS / "modelkeep.env").read_text().splitlines()
    as_it_is = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
    assert check_environment(as_it_is).auth
    uncommented = [line.removeprefix("#") for line in lines if re.match(r"#?[A-Z_0-9]+=", line)]
    everything = check_environment(dict(line.split("=", 1) for line in uncommented))
    assert everything.workers == 2
    assert everything.artifacts_place


def test_they_wait_longer_for_the_end_than_a_server_takes() -> None:
    from modelkeep.supervisor import STOP_LIMIT_S

    for name in ("modelkeep.service", "modelkeep-work.service"):
        assert int(read(name)["TimeoutStopSec"]) > STOP_LIMIT_S


def test_the_account_that_they_run_as_is_made(machine: Path) -> None:
    ran(program("systemd-sysusers"), f"--root={machine}")
    made = (machine / "etc/passwd").read_text()
    assert {read(name)["User"] for name in SERVICES} == {made.partition(":")[0]}
