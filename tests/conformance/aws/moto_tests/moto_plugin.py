"""A plug-in of pytest that asks moto's own tests of a server; for the Python that has moto.

moto's decorator, under which moto would answer in the server's place, leaves every call as it is.
Each test has a server of its own, with nothing in it, to which boto3's variables lead. Tests that
call no service are of moto's insides, and are left out.

What fails on purpose is listed in `known.toml`, with a reason and words of the failure. It has to
fail, and so; every other test has to pass. `make moto` runs them; `MODELKEEP_PYTHON` is the Python
that has modelkeep.
"""

import os
import socket
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import moto
import pytest

ACCOUNT = "123456789012"  # which moto's tests name
START_LIMIT_S = 60.0
_KNOWN = Path(__file__).with_name("known.toml")
_WORDS = pytest.StashKey[str]()


def _live(test: Callable[..., Any] | None = None) -> Any:
    """In the place of `mock_aws`, which is a decorator and a context."""
    if test is None:
        return nullcontext()
    test.calls_services = True
    return test


moto.mock_aws = _live  # before the tests are imported, which take it from there


@pytest.fixture(autouse=True)
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fresh server without accounts, where boto3 finds it."""
    url = f"http://127.0.0.1:{_free_port()}"
    for name, value in (
        ("AWS_ENDPOINT_URL", url),
        ("AWS_ACCESS_KEY_ID", "AKIAANNANNANNANNANNA"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_CONFIG_FILE", os.devnull),
        ("AWS_SHARED_CREDENTIALS_FILE", os.devnull),
    ):
        monkeypatch.setenv(name, value)
    words = ("serve", "--auth", "off", "--aws-account", ACCOUNT, "--port", url.rpartition(":")[2])
    command = [os.environ["MODELKEEP_PYTHON"], "-m", "modelkeep", *words]
    command += ["--data-dir", str(tmp_path / "data")]
    settings = {k: v for k, v in os.environ.items() if not k.startswith("MODELKEEP_")}
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=tmp_path, env=settings, stdout=out, stderr=out)
    try:
        _wait_for(url, process, log)
        yield
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < START_LIMIT_S:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=2).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"The server is not up. Its log ends:\n{log.read_text()[-4000:]}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what calls no service, and marks what is known to fail."""
    inside = [item for item in items if not _calls_services(item)]
    config.hook.pytest_deselected(items=inside)
    items[:] = [item for item in items if item not in inside]
    known = {
        test: (group["why"], group["told"])
        for group in tomllib.loads(_KNOWN.read_text())["known"]
        for test in group["tests"]
    }
    for item in items:
        if found := known.pop(_name(item), None):
            why, item.stash[_WORDS] = found
            item.add_marker(pytest.mark.xfail(reason=why, strict=True))
    if known:
        raise pytest.UsageError(f"{_KNOWN.name} lists what there is not: {', '.join(known)}")


def _calls_services(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    return hasattr(item.function, "calls_services") or "sagemaker_client" in item.fixturenames


def _name(item: pytest.Item) -> str:
    return f"{item.path.stem}::{item.name}"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    """What fails otherwise than is known has failed."""
    report: pytest.TestReport = yield
    words = item.stash.get(_WORDS, "")
    if report.skipped and call.excinfo is not None and words not in str(call.excinfo.value):
        report.outcome = "failed"
        report.longrepr = f"Not with the words '{words}', but: {call.excinfo.exconly()}"
    return report
