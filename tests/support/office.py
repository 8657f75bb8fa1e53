"""A server with accounts, in a process of its own, and its administrator."""

import re
from typing import Any

import httpx

from modelkeep.domain.credentials import PATTERN
from tests.support.server import Server

NATIVE = "/api/v1"
PASSWORD = "correct horse battery"


def bootstrap_token(server: Server) -> str:
    """The one that the server has printed."""
    (token,) = re.findall(PATTERN, server.log_text())
    return token


class Office:
    """What an administrator does over HTTP."""

    def __init__(self, server: Server, name: str = "boss", token: str = "") -> None:
        self._url, self.name = server.url + NATIVE, name
        self._token = token or bootstrap_token(server)
        body = {"name": name, "password": PASSWORD}
        self.post("/first-admin", body)
        self._token = self.post("/sign-in", body)["token"]

    @property
    def token(self) -> str:
        return self._token

    def get(self, path: str) -> Any:
        return self._call("GET", path).json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, body).json()

    def user(self, name: str, role: str, scope: str) -> str:
        """A person with a grant; their token."""
        self.post("/accounts", {"name": name})
        self.post(f"/accounts/{name}/grants", {"role": role, "scope": scope})
        return self.post(f"/accounts/{name}/tokens", {})["token"]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self._token}"}
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer = client.request(method, self._url + path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer
