"""Pins: while anyone holds one, garbage collection deletes no bytes.

A pin lasts ten minutes and is renewed every minute, so that one whose holder was killed goes by
itself. A release before there were any had no garbage collection either.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from modelkeep.domain.errors import ModelkeepError
from modelkeep.ports.clock import Clock
from modelkeep.storage.sql import schema
from modelkeep.storage.sql.dialects import Dialect
from modelkeep.storage.sql.upkeep import GONE_SINCE

LASTS_MS = 600_000
RENEW_S = 60.0

_log = logging.getLogger(__name__)


@contextmanager
def pinned(dialect: Dialect, clock: Clock, pin: str) -> Iterator[None]:
    """Holds a pin. Raises Unavailable if the database cannot be written to."""
    with closing(dialect.connect(read_only=False)) as db:
        if schema.current(db, dialect) < GONE_SINCE:
            yield
            return
    _put(dialect, pin, clock.now_ms() + LASTS_MS)
    stop = threading.Event()
    renewer = threading.Thread(target=_renew, args=(dialect, clock, pin, stop), daemon=True)
    renewer.start()
    try:
        yield
    finally:
        stop.set()
        renewer.join()
        with suppress(ModelkeepError):  # it goes by itself, and what was done is done
            _put(dialect, pin, None)


def _renew(dialect: Dialect, clock: Clock, pin: str, stop: threading.Event) -> None:
    while not stop.wait(RENEW_S):
        try:
            _put(dialect, pin, clock.now_ms() + LASTS_MS)
        except ModelkeepError as error:  # the next turn tries again, well before the pin goes
            _log.warning("the pin %r was not renewed: %s", pin, error.message)


def _put(dialect: Dialect, pin: str, until_ms: int | None) -> None:
    with closing(dialect.connect(read_only=False)) as db:
        if until_ms is None:
            db.run("DELETE FROM pins WHERE project_id = 1 AND pin = ?", pin)
            return
        db.run(
            "INSERT INTO pins (project_id, pin, until_ms) VALUES (1, ?, ?)"
            " ON CONFLICT (project_id, pin) DO UPDATE SET until_ms = excluded.until_ms",
            pin,
            until_ms,
        )
