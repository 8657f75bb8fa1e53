"""An HTTP client that does little beside the call, for those who make thousands of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from types import TracebackType
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

LIMIT_S = 60.0


@dataclass(frozen=True)
class Answer:
    """As much of an `httpx.Response` as is asked of it."""

    url: SplitResult
    status_code: int
    headers: HTTPMessage
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.content)


class Wire:
    """One connection to a server. Targets go out as they are given: nothing is encoded."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=LIMIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def request(
        self,
        method: str,
        target: str,
        *,
        content: bytes | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        if json is not None:
            content, headers = _as_json(json), {"Content-Type": "application/json"}
        self._connection.request(method, target, content, dict(headers or {}))
        answer = self._connection.getresponse()
        return Answer(urlsplit(target), answer.status, answer.headers, answer.read())

    def get(self, target: str) -> Answer:
        return self.request("GET", target)

    def post(self, target: str, **body: Any) -> Answer:
        return self.request("POST", target, **body)


def _as_json(value: Any) -> bytes:
    return json.dumps(value).encode()
