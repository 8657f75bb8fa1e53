"""A PostgreSQL server of the tests' own, with a fresh database for each test.

It lives in a temporary folder, listens on the loopback alone, asks for a password, and flushes
what it commits, as a real one does. Its databases sort text by the rules of English where the
release can: a statement that relies on the order of bytes without saying so fails here.
"""

import contextlib
import itertools
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from tests.support.ports import free_port

START_LIMIT_S = 90.0
STOP_LIMIT_S = 30.0


Launch = Callable[[], "subprocess.Popen[Any]"]


class PostgresMissing(Exception):
    """PostgreSQL's programs aren't on this machine; the message says what to do."""


class Postgres:
    """A server, which makes databases. `running_postgres` hands out started ones."""

    def __init__(self, port: int, password: str, launch: Launch, log: Path) -> None:
        self.port = port
        self._password = password
        self._numbers = itertools.count(1)
        self._launch, self._log = launch, log
        self._process: subprocess.Popen[Any] | None = None

    def start(self) -> None:
        """Returns once it answers; after a crash it has recovered by then."""
        self._process = self._launch()
        _wait_until_up(self._process, self, self._log)

    def crash(self) -> None:
        """PostgreSQL's "immediate" shutdown: as if the power went, for it and all its clients."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """PostgreSQL's "fast" shutdown: it waits for no client. Harmless to one that is gone."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(STOP_LIMIT_S)

    def url(self, database: str) -> str:
        return f"postgresql://modelkeep:{self._password}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """The URL of a new and empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8".encode())
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Removes a database that `create_database` made, and whoever is still connected to it."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@contextlib.contextmanager
def running_postgres(also_at: str = "") -> Iterator[Postgres]:
    """Starts a server; stops it and removes its folder at the end, whatever happened.

    `also_at` is another of this machine's addresses, at which it lets in whoever is beside it.

    Raises PostgresMissing when there is nothing to start.
    """
    programs = _programs()
    # Not pytest's folder: its path may be too long for a socket, and closed to another user.
    folder = Path(tempfile.mkdtemp(prefix="modelkeep-postgres-"))
    try:
        as_user = _as_ordinary_user(folder)
        password = secrets.token_urlsafe(12)
        _initialise(programs, folder, password, as_user)
        if also_at:
            with (folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {also_at}/24 scram-sha-256\n")
        port, log = free_port(), folder / "log"

        def launch() -> "subprocess.Popen[Any]":
            with log.open("ab") as output:
                return subprocess.Popen(
                    [
                        *(programs / "postgres", "-D", folder / "data", "-p", str(port)),
                        *("-c", f"listen_addresses=127.0.0.1,{also_at}".rstrip(",")),
                        *("-c", f"unix_socket_directories={folder}"),
                    ],
                    cwd=folder,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    **as_user,
                )

        postgres = Postgres(port, password, launch, log)
        try:
            postgres.start()
            yield postgres
        finally:
            postgres.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of the newest PostgreSQL on this machine."""
    on_path = shutil.which("initdb"), shutil.which("postgres")
    if all(on_path):
        return Path(str(on_path[0])).resolve().parent
    releases = list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not releases:
        raise PostgresMissing(
            "PostgreSQL's programs (postgres, initdb) are not on this machine; "
            "`make test` installs them."
        )
    return max(releases, key=lambda found: float(found.parts[-3])).parent


def _as_ordinary_user(folder: Path) -> dict[str, Any]:
    """Arguments for `subprocess` that run a program as the folder's owner.

    PostgreSQL refuses to run as root, so a root gives the folder to somebody else.
    """
    if os.geteuid() != 0:
        return {}
    known = {user.pw_name: user for user in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _initialise(programs: Path, folder: Path, password: str, as_user: dict[str, Any]) -> None:
    password_file = folder / "password"
    password_file.write_text(password)
    version = subprocess.run(
        [programs / "initdb", "--version"], capture_output=True, text=True, check=True
    ).stdout
    release = int(re.findall(r"\d+", version)[0])
    english = ["--locale-provider=icu", "--icu-locale=en-US"] if release >= 15 else []
    outcome = subprocess.run(
        [
            *(programs / "initdb", "-D", folder / "data", "--username=modelkeep"),
            *("--auth=scram-sha-256", f"--pwfile={password_file}"),
            *("--encoding=UTF8", "--locale=C", *english),
        ],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        **as_user,
    )
    if outcome.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{outcome.stdout}{outcome.stderr}")


def _wait_until_up(process: "subprocess.Popen[Any]", postgres: Postgres, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(postgres.url("postgres"), connect_timeout=2).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()[-4000:]}")
