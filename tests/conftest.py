"""Fixtures that more than one folder of tests uses."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG

from tests.support.clients import Client, ClientMissing, client
from tests.support.clock import MovedClock
from tests.support.postgres import Postgres, PostgresMissing, running_postgres
from tests.support.receiver import Receiver
from tests.support.s3 import Store, running_store
from tests.support.server import Server

StartServer = Callable[..., Server]

# No test is timed, nor how long its examples take to be made: a machine may be slow. They are the
# same in each run: what is found must be found again, and by whoever broke it.
hypothesis.settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")
for phase in ("connect", "read", "write", "pool"):  # else 5 s, wherever a test names no limit
    setattr(DEFAULT_TIMEOUT_CONFIG, phase, 60.0)

QUICK = ("services", "contracts", "architecture", "unit")  # folders whose files take little each


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take long come first, so that those who share the files end together."""
    items.sort(key=lambda item: not set(item.path.parts).isdisjoint(QUICK))


def pytest_collection_finish() -> None:
    """The tests themselves stay until the end: no collection of garbage need look at them."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL server for the whole run."""
    try:
        with running_postgres() as server:
            yield server
    except PostgresMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh database, twice: "" stands for SQLite in the data folder, as in the settings."""
    if request.param == "sqlite":
        yield ""
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers, each killed at the end: `start_server("--arg", database_url=…, env=…)`.

    `data_dir=…` chooses the folder, `port=…` the port; `python=…` does the imports anew.
    """
    started: list[Server] = []

    def start(
        *args: str,
        data_dir: Path | None = None,
        database_url: str = "",
        env: dict[str, str] | None = None,
        port: int | None = None,
        python: Path | None = None,
    ) -> Server:
        # Those over one database have one folder, where their large files lie.
        name = urlsplit(database_url).path.strip("/") or len(started)
        folder = data_dir or tmp_path / f"data-{name}"
        server = Server(
            folder, args=args, env=env, database_url=database_url, port=port, python=python
        )
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def server(start_server: StartServer) -> Server:
    """A running server on SQLite, with nothing in it."""
    return start_server()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks on the loopback, which answers 204 until it is told otherwise."""
    with Receiver().running() as running:
        yield running


def _store(kind: str) -> Iterator[Store]:
    try:
        with running_store(kind) as store:
            yield store
    except ClientMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def moto() -> Iterator[Store]:
    """A lenient server of S3, for the whole run."""
    yield from _store("moto")


@pytest.fixture(scope="session")
def swift() -> Iterator[Store]:
    """A strict server of S3, for the whole run."""
    yield from _store("swift")


@pytest.fixture(params=["moto", "swift"])
def s3(request: pytest.FixtureRequest) -> Store:
    """Each of the two in turn, for what must work on any."""
    return request.getfixturevalue(request.param)


def _client(name: str, variable: str, environment: str, folder: Path) -> Client:
    folder.mkdir()
    try:
        return client(name, variable, environment, folder)
    except ClientMissing as missing:
        pytest.skip(str(missing))


_CLIENTS = {
    "mlflow3": ("MLflow 3", "MODELKEEP_MLFLOW3_PYTHON"),
    "mlflow2": ("MLflow 2.10", "MODELKEEP_MLFLOW2_PYTHON"),
    "sagemaker": ("SageMaker SDK", "MODELKEEP_SAGEMAKER_PYTHON"),
}


def installed(environment: str, folder: Path) -> Client:
    """The client of an environment, for fixtures that serve more than one test; skips without."""
    return _client(*_CLIENTS[environment], environment, folder)


@pytest.fixture
def mlflow3(tmp_path: Path) -> Client:
    """The current MLflow client."""
    return installed("mlflow3", tmp_path / "mlflow3")


@pytest.fixture
def mlflow2(tmp_path: Path) -> Client:
    """The oldest MLflow client that modelkeep promises to serve."""
    return installed("mlflow2", tmp_path / "mlflow2")


@pytest.fixture(params=["mlflow3", "mlflow2"])
def mlflow(request: pytest.FixtureRequest) -> Client:
    """Each of the two in turn, for what both must be able to do."""
    return request.getfixturevalue(request.param)
