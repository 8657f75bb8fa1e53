"""The units of systemd: installed as they say, checked by systemd itself."""

import configparser
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import httpx
import pytest

from modelkeep.settings import DEFAULTS
from tests.conftest import StartServer
from tests.support.deploying import (
    DEPLOY,
    check_command,
    check_environment,
    longest_stop_s,
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
    for name in ("modelkeep.service", "modelkeep-work.service"):
        assert int(read(name)["TimeoutStopSec"]) > longest_stop_s(DEFAULTS)


def test_the_account_that_they_run_as_is_made(machine: Path) -> None:
    ran(program("systemd-sysusers"), f"--root={machine}")
    made = (machine / "etc/passwd").read_text()
    assert {read(name)["User"] for name in SERVICES} == {made.partition(":")[0]}


def test_what_modelkeep_is_made_of_works_where_no_memory_is_writable_and_executable() -> None:
    assert {read(name)["MemoryDenyWriteExecute"] for name in SERVICES} == {"yes"}
    told = ran(sys.executable, "-c", _UNDER_THE_SAME_RULE)
    if told == "not here\n":
        pytest.skip("this kernel knows no such rule")
    assert told == "all of it\n"


_UNDER_THE_SAME_RULE = """
import ctypes, importlib, mmap, pkgutil
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
    raise SystemExit(print("not here"))
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    pass
else:
    raise SystemExit("the rule does nothing")
import argon2, botocore.session, cel, cryptography.x509, greenlet, modelkeep
import prometheus_client, psycopg, sqlite3, uvloop
for module in pkgutil.walk_packages(modelkeep.__path__, "modelkeep."):
    if "__main__" not in module.name and ".migrations." not in module.name:
        importlib.import_module(module.name)
argon2.PasswordHasher().hash("hunter2")
greenlet.greenlet(lambda: None).switch()
sqlite3.connect(":memory:").execute("SELECT 1")
uvloop.run(__import__("asyncio").sleep(0))
print("all of it")
"""


def test_the_nightly_backup_links_what_the_last_one_has(
    start_server: StartServer, tmp_path: Path
) -> None:
    server, folder = start_server(), tmp_path / "backups"
    folder.mkdir()
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        run = http.post("/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).json()
        place = run["run"]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
        path = f"/api/2.0/mlflow-artifacts/artifacts/{place}/weights"
        assert http.put(path, content=bytes(100_000)).status_code == 200
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "MODELKEEP_DATA_DIR": str(server.data_dir),
    }
    (folder / "2026-01-02T000000Z.partial").mkdir()  # of one that was killed
    monday = folder / "2026-01-01T000000Z"
    ran("modelkeep", "backup", "create", monday, env=environment)
    ran(UNITS / "backup", folder, env=environment)
    *_, tonight = sorted(folder.iterdir())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}Z", tonight.name)
    (blob,) = (b for b in tonight.rglob("*") if b.is_file() and b.stat().st_size == 100_000)
    assert blob.stat().st_nlink == 2
