"""The log: one line a record on standard error, as text or as JSON, and ids for requests.

* What was sent to us is shown escaped: nobody can end a line of the log and begin another.
* What looks like a token, a password or a signature is cut out, wherever it came from.
* A record that is written while a request is answered names the request and who makes it.
"""

import json
import logging
import random
import re
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from modelkeep.domain.credentials import PATTERN
from modelkeep.domain.errors import IntegrityFailure

ACCESS = "modelkeep.access"  # the logger of the access log
# Libraries that tell of each request; the last four print headers and signatures.
_QUIET = ("urllib3", "httpx", "httpcore", "botocore", "opentelemetry")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SECRETS = (
    (re.compile(PATTERN), "[token]"),
    (re.compile(r"(\w://[^\s:/@]*:)[^\s/@]+@"), r"\1[password]@"),
    (re.compile(r"(?i)(\bpassword['\"]?\s*[=:]\s*)[^\s&,;]+"), r"\1[password]"),
    (re.compile(r"(?i)(\b(?:basic|bearer)\s+)[\w.~+/\-]{8,}=*"), r"\1[credentials]"),
    (re.compile(r"(?i)(x-amz-(?:signature|credential|security-token)=)[^&\s'\"]+"), r"\1[signed]"),
    (re.compile(r"(/(?:signed|mpu/part)/)[^\s?'\"/]+"), r"\1[grant]"),
)

_log = logging.getLogger(__name__)
_request: ContextVar[Mapping[str, Any] | None] = ContextVar("request", default=None)


def tell_of_damage(error: Exception) -> None:
    """Whoever asked is refused damaged or missing bytes; whoever keeps them has to hear of it."""
    if isinstance(error, IntegrityFailure):
        _log.error("%s `modelkeep fsck` says of which files.", error.message)


def begin_request(scope: Mapping[str, Any]) -> None:
    """From here on, in this context, records are of this request (an ASGI scope)."""
    _request.set(scope)


def configure(level: str, form: str = "text") -> None:
    """Everything at this level or above goes to standard error, as text or as json."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for library in _QUIET:
        logging.getLogger(library).setLevel(logging.WARNING)


def request_id(given: str | None) -> str:
    """The caller's request id if it is a plain token of at most 64 characters, else a new one."""
    if given and _REQUEST_ID.fullmatch(given):
        return given
    # It keeps requests apart, and nothing secret: the system is not worth asking for it.
    return f"{random.getrandbits(64):016x}"


def without_secrets(text: str) -> str:
    """The text with what looks like a secret cut out."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class TextLines(logging.Formatter):
    """Time, level, logger, message, and the request's id; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        context = _context()
        line = f"{_instant(record)} {record.levelname} {record.name}: {record.getMessage()}"
        if "request_id" in context and not _fields(record):
            line += f" [{context['request_id']}]"
        lines = [line, *("    " + text for text in _exception(record).splitlines())]
        return without_secrets("\n".join(map(_escaped, lines)))


class JsonLines(logging.Formatter):
    """One JSON object: time, level, logger, message; request_id, actor and trace_id where there
    are any, exception, and the fields of the access log."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": _instant(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= _context() | _fields(record)
        if exception := _exception(record):
            told["exception"] = exception
        shown = {k: without_secrets(v) if isinstance(v, str) else v for k, v in told.items()}
        return json.dumps(shown)  # in ASCII: nothing in it can end the line


def _instant(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _context() -> dict[str, str]:
    """What is known of the request that is being answered."""
    scope = _request.get()
    if scope is None:
        return {}
    told = {"request_id": scope["modelkeep.request_id"]}
    if (caller := scope.get("modelkeep.caller")) is not None:
        told["actor"] = caller.actor.name
    if trace := scope.get("modelkeep.trace_id"):
        told["trace_id"] = trace
    return told


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "fields", {})


def _exception(record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[1]:
        return "".join(traceback.format_exception(record.exc_info[1])).rstrip()
    return ""


def _escaped(line: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", line)
