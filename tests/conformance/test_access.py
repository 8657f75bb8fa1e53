"""A server with accounts, from the first start on: by the command line, and on two replicas."""

import gc
import json
import time
import warnings
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from modelkeep.cli.commands import app
from modelkeep.services.directory import POLL_S
from tests.conftest import StartServer
from tests.support.cli import Outcome, modelkeep
from tests.support.office import NATIVE, PASSWORD, Office, bootstrap_token
from tests.support.postgres import Postgres
from tests.support.server import Server

LIMIT_S = 20.0  # of a machine that has much else to do


class Person:
    """Somebody at a terminal of their own; their token is in the environment, if anywhere."""

    def __init__(self, server: Server, home: Path, token: str = "") -> None:
        home.mkdir(exist_ok=True)
        self._env = {
            "MODELKEEP_URL": server.url,
            "XDG_CONFIG_HOME": str(home),
            "MODELKEEP_TOKEN": token,
            "COLUMNS": "200",
        }

    def does(self, *words: str, types: str = "") -> Outcome:
        result = CliRunner().invoke(app, list(words), input=types, env=self._env)
        done = Outcome(result.exit_code, result.stdout, result.output)
        del result  # which holds the frames of the command, and they its connection
        with warnings.catch_warnings():  # a command leaves that to the end of its process
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        return done

    def says(self, *words: str) -> Any:
        done = self.does(*words, "--json")
        assert done.code == 0, done.err
        return done.json


def test_a_team_begins_with_nothing_but_the_servers_own_words(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server("--auth", "on")
    token = bootstrap_token(server)
    first = Person(server, tmp_path / "first", token)
    twice = f"{PASSWORD}\n{PASSWORD}\n"
    made = first.does("users", "first", "boss", types=twice)
    assert made.code == 0, made.err
    assert PASSWORD not in made.err
    assert first.does("users", "first", "eve", types=twice).code == 1  # it is spent
    boss = Person(server, tmp_path / "home")
    assert boss.does("whoami").code == 1
    assert boss.does("login", "boss", types="wrong\n").code == 1
    assert boss.does("login", "boss", types=f"{PASSWORD}\n").code == 0
    session = tmp_path / "home" / "modelkeep" / "credentials"
    assert session.stat().st_mode & 0o777 == 0o600
    assert boss.says("whoami")["grants"] == [{"role": "admin", "scope": "*"}]
    assert boss.does("users", "add", "ann", "--no-password").code == 0
    assert boss.does("grants", "add", "ann", "contributor", "--on", "prefix:a").code == 0
    assert boss.does("service-accounts", "add", "ci", "--owner", "ann").code == 0
    assert [u["name"] for u in boss.says("users", "list")] == ["boss", "ann"]
    assert [s["owner"] for s in boss.says("service-accounts", "list")] == ["ann"]
    assert len(boss.says("grants", "list")) == 2
    token = boss.does("tokens", "create", "notebook", "--of", "ann").out.strip()
    ann = Person(server, tmp_path / "first", token)
    assert "contributor on prefix:a" in ann.does("whoami").err
    assert ann.does("users", "list").code == 1
    (made_token,) = boss.says("tokens", "list", "--of", "ann")
    assert boss.does("tokens", "revoke", made_token["id"], "--of", "ann").code == 0
    assert "revoked" in ann.does("whoami").err
    assert boss.does("grants", "remove", "ann", "contributor", "--on", "prefix:a").code == 0
    new = "another good one\n"
    changed = boss.does("users", "set-password", "boss", types=f"{PASSWORD}\n{new}{new}")
    assert changed.code == 0, changed.err
    assert boss.does("whoami").code == 1  # it ended the session
    assert boss.does("login", "boss", types=new).code == 0
    assert boss.does("users", "delete", "ci").code == 0
    for word in ("disable", "enable", "delete"):
        assert boss.does("users", word, "ann").code == 0
    assert boss.does("logout").code == 0
    assert json.loads(session.read_text()) == {}
    assert boss.does("users", "list").code == 1
    server.restart()
    assert bootstrap_token(server)  # and no second one: there is an administrator


def test_an_operator_lets_an_administrator_in_when_all_are_lost(start_server: StartServer) -> None:
    server = start_server("--auth", "on")
    Office(server)
    held = modelkeep("users", "recover", "--data-dir", server.data_dir)
    assert held.code == 1
    assert "serves" in held.err
    server.stop()
    recovered = modelkeep("users", "recover", "--data-dir", server.data_dir)
    server.start()
    vice = Office(server, "vice", recovered.out.strip())
    assert vice.get("/whoami")["grants"] == [{"role": "admin", "scope": "*"}]
    entries = vice.get("/journal/entries")
    kinds = [e["post"]["kind"] for e in entries if e["act"] == "token:created"]
    assert kinds == ["b", "i", "b", "i"]
    assert entries[-2]["act"] == "token:revoked"


@pytest.mark.postgresql
def test_what_is_revoked_on_one_replica_is_refused_on_all_within_a_second(
    start_server: StartServer, postgres: Postgres
) -> None:
    database = postgres.create_database()
    one = start_server("--auth", "on", database_url=database)
    two = start_server("--auth", "on", database_url=database)
    office = Office(one)
    headers = {"authorization": f"Bearer {office.token}"}
    with httpx.Client(base_url=two.url + NATIVE, trust_env=False, headers=headers) as there:
        assert POLL_S <= 0.5  # and the rest of the second is for the looking
        until(there, 200)
        sign_out = httpx.post(f"{one.url}{NATIVE}/sign-out", headers=headers, trust_env=False)
        assert sign_out.status_code == 204
        again = httpx.get(f"{one.url}{NATIVE}/whoami", headers=headers, trust_env=False)
        assert again.status_code == 401
        until(there, 401)
    for server in (one, two):
        server.kill()
    postgres.drop_database(database)


def until(client: httpx.Client, status: int) -> None:
    """Returns when the calls of a client are answered so."""
    deadline = time.monotonic() + LIMIT_S
    while client.get("/whoami").status_code != status:
        assert time.monotonic() < deadline
