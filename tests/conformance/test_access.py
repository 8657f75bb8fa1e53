"""A server with accounts, from the first start on: by the command line, and on two replicas."""

import re
import time
from pathlib import Path
from typing import Any

import httpx

from modelkeep.domain.credentials import PATTERN
from tests.conftest import StartServer
from tests.support.cli import Outcome, modelkeep
from tests.support.postgres import Postgres
from tests.support.server import Server

NATIVE = "/api/modelkeep/v1"
PASSWORD = "correct horse battery"
MODELS = "/api/2.0/mlflow/registered-models"
REVOKED_WITHIN_S = 1.0


class Person:
    """Somebody at a terminal of their own; their token is in the environment, if anywhere."""

    def __init__(self, server: Server, home: Path, token: str = "") -> None:
        self._url, self._password = server.url, home / "password"
        self._env = {"XDG_CONFIG_HOME": str(home), **({"MODELKEEP_TOKEN": token} if token else {})}
        self._password.write_text(f"{PASSWORD}\n")

    def does(self, *words: str) -> Outcome:
        return modelkeep(*words, url=self._url, env=self._env)

    def says(self, *words: str) -> Any:
        done = self.does(*words, "--json")
        assert done.code == 0, done.err
        return done.json

    def with_password(self, *words: str) -> Outcome:
        return self.does(*words, "--password-file", str(self._password))


def bootstrap_token(server: Server) -> str:
    found = re.findall(PATTERN, server.log_text())
    assert len(found) == 1
    return found[0]


def test_a_team_begins_with_nothing_but_the_servers_own_words(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server("--auth", "on")
    for name in ("first", "home"):
        (tmp_path / name).mkdir()
    first = Person(server, tmp_path / "first", bootstrap_token(server))
    assert first.with_password("users", "first", "boss").code == 0
    assert first.with_password("users", "first", "eve").code == 1  # it is spent
    boss = Person(server, tmp_path / "home")
    assert boss.does("whoami").code == 1
    signed_in = boss.with_password("login", "boss")
    assert signed_in.code == 0, signed_in.err
    session = tmp_path / "home" / "modelkeep" / "sessions.json"
    assert session.stat().st_mode & 0o777 == 0o600
    assert boss.says("whoami")["grants"] == [{"role": "admin", "scope": "*"}]
    assert boss.does("users", "add", "ann", "--no-password").code == 0
    assert boss.does("grants", "add", "ann", "contributor", "--on", "prefix:fraud-").code == 0
    assert boss.does("service-accounts", "add", "ci", "--owner", "ann").code == 0
    assert [u["name"] for u in boss.says("users", "list")] == ["boss", "ann"]
    assert boss.says("service-accounts", "list")[0]["owner"] == "ann"
    assert len(boss.says("grants", "list")) == 2
    token = boss.does("tokens", "create", "notebook", "--of", "ann").out.strip()
    ann = Person(server, tmp_path / "first", token)
    assert "contributor on prefix:fraud-" in ann.does("whoami").out
    assert ann.does("users", "list").code == 1
    (made,) = boss.says("tokens", "list", "--of", "ann")
    assert boss.does("tokens", "revoke", made["id"], "--of", "ann").code == 0
    assert "revoked" in ann.does("whoami").err
    assert boss.does("logout").code == 0
    assert boss.does("users", "list").code == 1
    server.restart()
    assert len(re.findall(PATTERN, server.log_text())) == 1  # there is an administrator


def test_an_operator_lets_an_administrator_in_when_all_are_lost(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server("--auth", "on")
    person = Person(server, tmp_path, bootstrap_token(server))
    assert person.with_password("users", "first", "boss").code == 0
    held = modelkeep("users", "recover", "--data-dir", server.data_dir)
    assert held.code == 1
    assert "serves" in held.err
    server.stop()
    token = modelkeep("users", "recover", "--data-dir", server.data_dir).out.strip()
    server.start()
    again = Person(server, tmp_path, token)
    assert again.with_password("users", "first", "vice").code == 0
    boss = Person(server, tmp_path)
    assert boss.with_password("login", "vice").code == 0
    acts = [e["act"] for e in boss.says("audit", "show")]
    assert acts.count("token:created") == 3
    assert boss.does("audit", "verify").code == 0


def test_what_is_revoked_on_one_replica_is_refused_on_all_within_a_second(
    start_server: StartServer, postgres: Postgres, tmp_path: Path
) -> None:
    database = postgres.create_database()
    one = start_server("--auth", "on", database_url=database)
    token = bootstrap_token(one)
    two = start_server("--auth", "on", database_url=database)
    assert Person(one, tmp_path, token).with_password("users", "first", "boss").code == 0
    body = {"name": "boss", "password": PASSWORD}
    with (
        httpx.Client(base_url=one.url, trust_env=False) as here,
        httpx.Client(base_url=two.url, trust_env=False) as there,
    ):
        session = here.post(f"{NATIVE}/sign-in", json=body).json()["token"]
        here.headers["authorization"] = there.headers["authorization"] = f"Bearer {session}"
        waited = until(there, 200)
        assert waited < REVOKED_WITHIN_S
        assert here.post(f"{NATIVE}/sign-out").status_code == 204
        waited = until(there, 401)
        assert waited < REVOKED_WITHIN_S
        assert here.get(f"{NATIVE}/whoami").status_code == 401
    for server in (one, two):
        server.kill()
    postgres.drop_database(database)


def until(client: httpx.Client, status: int) -> float:
    """How long it took until the calls of a client were answered so, in seconds."""
    began = time.monotonic()
    while client.get(f"{NATIVE}/whoami").status_code != status:
        assert time.monotonic() - began < 10
    return time.monotonic() - began
