"""Logging and request ids."""

import logging
import re
import secrets

_REQUEST_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")


def configure_logging(level: str) -> None:
    """Plain lines on standard error: time, level, logger, message."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for library in ("httpx",):  # which tells of each request
        logging.getLogger(library).setLevel(logging.WARNING)


def request_id(given: str | None) -> str:
    """The caller's request id if it is a plain token of at most 64 characters, else a new one."""
    if given and _REQUEST_ID.fullmatch(given):
        return given
    return secrets.token_hex(8)
