"""What a line of the log holds, and what never gets into one."""

import json
import logging
import sys
from contextvars import copy_context

import pytest

from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.credentials import TokenKind, mint
from modelkeep.telemetry import logs
from modelkeep.telemetry.logs import JsonLines, TextLines, without_secrets

TOKEN = mint(TokenKind.PERSONAL).text
FORGED = "x\n2026-11-20T10:00:00.000Z INFO modelkeep: all is well\r\x1b[2J\u2028\udc80"


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("modelkeep.x", logging.WARNING, "f", 1, message, args, exc_info)
    made.created = 1_795_298_956.25
    return made


def raised(message: str) -> BaseException:
    try:
        raise ValueError(message)
    except ValueError:
        error = sys.exc_info()[1]
        assert error is not None
        return error


def told_by_ann(lines: logging.Formatter, told: logging.LogRecord) -> str:
    """The line of a record that is written while a request of ann's is answered."""

    def tell() -> str:
        caller = Caller(Actor("ann"), "r1")
        logs.begin_request({"modelkeep.request_id": "r1", "modelkeep.caller": caller})
        return lines.format(told)

    return copy_context().run(tell)


def test_json_has_a_field_for_everything() -> None:
    line = told_by_ann(JsonLines(), record("%d too many", 3, error=raised("no")))
    told = json.loads(line)
    exception = told.pop("exception")
    assert exception.startswith("Traceback")
    assert exception.endswith("ValueError: no")
    assert told == {
        "time": "2026-11-21T22:09:16.250Z",
        "level": "warning",
        "logger": "modelkeep.x",
        "message": "3 too many",
        "request_id": "r1",
        "actor": "ann",
    }


def test_text_is_one_line_with_the_request() -> None:
    line = "2026-11-21T22:09:16.250Z WARNING modelkeep.x: 3 too many"
    assert TextLines().format(record("%d too many", 3)) == line
    assert told_by_ann(TextLines(), record("%d too many", 3)) == f"{line} [r1]"


@pytest.mark.parametrize("lines", [TextLines(), JsonLines()])
def test_nobody_can_write_a_line_of_their_own(lines: logging.Formatter) -> None:
    told = lines.format(record("%s", FORGED))
    assert told.isprintable()
    told = lines.format(record("it failed", error=raised(FORGED)))
    first, *rest = told.split("\n")
    assert "modelkeep.x" in first
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"the token {TOKEN} of ann", TOKEN[16:]),
        ("postgresql://keep:hunter22@db/r", "hunter22"),
        ("host=db password=hunter22 user=keep", "hunter22"),
        ("{'password': 'hunter22'}", "hunter22"),
        ("Authorization: Basic YW5uOmh1bnRlcjIy", "YW5uOmh1bnRlcjIy"),
        ("(b'authorization', b'Bearer abcdefgh.ijkl')", "abcdefgh"),
        ("PUT https://s3/b/k?X-Amz-Credential=AK%2F2&X-Amz-Signature=ab12cd", "ab12cd"),
        ("X-Amz-Security-Token=FwoGZX&x=1", "FwoGZX"),
        ("GET /api/2.0/mlflow-artifacts/signed/eyJh.bcd", "eyJh"),
        ("PUT /ajax-api/2.0/mlflow-artifacts/mpu/part/eyJh.bcd", "eyJh"),
    ],
    ids=range(10),
)
def test_secrets_are_cut_out(text: str, secret: str) -> None:
    assert secret in text
    for lines in (TextLines(), JsonLines()):
        assert secret not in lines.format(record("%s", text))
        assert secret not in lines.format(record("it failed", error=raised(text)))


def test_what_is_no_secret_stays() -> None:
    text = "churn/3 at https://host:5000/api?x=1 by ann@example.org, sha256:abcdef"
    assert without_secrets(text) == text
