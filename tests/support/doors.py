"""One wish, said at every door of one server: MLflow's calls, our API, the SDK, the command line.

A door tells how it ended in one of a few words, if the answer is just what its users are promised;
anything else fails.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import httpx
import uvicorn
from typer.testing import CliRunner

from modelkeep.cli.client import Client as CommandClient
from modelkeep.cli.commands import app as commands
from modelkeep.server import listen
from modelkeep_client import Client
from modelkeep_client import errors as sdk
from tests.support.estate import Estate
from tests.support.ward import TLS

API, NATIVE = "/api/2.0/mlflow", "/api/v1"


@dataclass(frozen=True, slots=True)
class Told:
    """How it ended: "done", "refused" by the policy, "waits" for approvals, "void", "stale" (an
    epoch), "forbidden" by the roles, or "invalid"; and what a person reads."""

    how: str
    text: str


class House:
    """An estate that listens on the loopback, for doors that need an address."""

    def __init__(self, estate: Estate, url: str) -> None:
        self.estate, self.url = estate, url
        self._http = httpx.Client(base_url=url, verify=TLS, trust_env=False, timeout=60)

    def send(
        self, method: str, path: str, by: str, body: Any = None, content: bytes | None = None
    ) -> httpx.Response:
        """`by` is the name of an account, or a token."""
        headers = {"authorization": f"Bearer {self.token(by)}"}
        return self._http.request(method, path, json=body, content=content, headers=headers)

    def made(self, method: str, path: str, by: str, body: Any = None) -> Any:
        answer = self.send(method, path, by, body)
        assert answer.is_success, answer.text
        return answer.json()

    def token(self, by: str) -> str:
        return self.estate.tokens.get(by, by)

    def sdk(self, by: str) -> Client:
        return Client(self.url, token=self.token(by))

    def close(self) -> None:
        self._http.close()


@contextmanager
def open_house(estate: Estate) -> Iterator[House]:
    """Serves the estate from a thread, over real sockets, by the estate's own clock."""
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(estate.asgi, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    house = House(estate, f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        yield house
    finally:
        house.close()
        server.should_exit = True
        thread.join(20)
        listener.close()


# -- what each door's users are told ---------------------------------------------------------------

Ask = Callable[[House, str, str, int], Told]  # by whom, model, version: into Production

_NATIVE = {
    (403, "refused"): "refused",
    (409, "void"): "void",
    (409, "stale_revision"): "stale",
    (403, "forbidden"): "forbidden",
    (400, "invalid_input"): "invalid",
}
_SDK = {
    sdk.Refused: "refused",
    sdk.Waiting: "waits",
    sdk.Void: "void",
    sdk.StaleEpoch: "stale",
    sdk.Forbidden: "forbidden",
    sdk.InvalidCall: "invalid",
}

_COMMANDS = {
    (0, "moved"): "done",
    (0, "unchanged"): "done",
    (1, "refused"): "refused",
    (1, "void"): "void",
    (2, "waiting"): "waits",
}


def by_mlflow(answer: httpx.Response) -> Told:
    """MLflow has one word for whatever is not allowed; what it is, the message says."""
    if answer.status_code == 200:
        return Told("done", answer.text)
    body = answer.json()
    text = body["message"]
    assert set(body) <= {"error_code", "message"}, body
    if (answer.status_code, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE"):
        return Told("invalid", text)
    assert (answer.status_code, body["error_code"]) == (403, "PERMISSION_DENIED"), answer.text
    if text.startswith("Permission denied."):
        return Told("forbidden", text)
    return Told("waits" if "modelkeep approve" in text else "refused", text)


def by_native(answer: httpx.Response) -> Told:
    body = answer.json()
    if answer.status_code == 200:
        waits = body.get("result") == "waiting"
        return Told("waits" if waits else "done", body.get("message", ""))
    assert answer.headers["content-type"] == "application/problem+json"
    return Told(_NATIVE[answer.status_code, body["code"]], body["detail"])


def by_sdk(call: Callable[[], Any]) -> Told:
    try:
        result = call()
    except sdk.ClientError as error:
        return Told(_SDK[type(error)], error.message)
    return Told("waits" if getattr(result, "is_waiting", False) else "done", "")


def by_command(house: House, by: str, *args: str) -> Told:
    """Told by the exit code, and by the word that scripts read."""
    environment = {"MODELKEEP_TOKEN": house.token(by), "COLUMNS": "200"}
    line = [*args, "--url", house.url, "--json"]
    with patch.object(sys, "argv", ["modelkeep", *line]), _closing_connections():
        ended = CliRunner().invoke(commands, line, env=environment)
    if ended.stdout:
        result = json.loads(ended.stdout)
        how = _COMMANDS[ended.exit_code, result["result"]]
        return Told(how, result.get("detail") or result["message"])
    error = json.loads(ended.stderr)["error"]
    code: str = error["code"]
    how = {"stale_revision": "stale", "invalid_input": "invalid"}.get(code, code)
    assert ended.exit_code == {"invalid": 64}.get(how, 1), ended.stderr
    return Told(how, error["message"])


@contextmanager
def _closing_connections() -> Iterator[None]:
    """Closes what commands leave to the end of their process, which is not ours."""
    made: list[CommandClient] = []
    make = CommandClient.__init__

    def noted(self: CommandClient, *args: Any, **kwargs: Any) -> None:
        made.append(self)
        make(self, *args, **kwargs)

    with patch.object(CommandClient, "__init__", noted):
        yield
    for client in made:
        if "transport" in vars(client):
            client.transport.close()
