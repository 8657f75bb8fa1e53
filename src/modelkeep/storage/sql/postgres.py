"""A connection to PostgreSQL that waits as seldom as it can.

Every answer that is waited for costs more than the statement itself. So the connection is in
libpq's pipeline mode (PostgreSQL's documentation, "Pipeline Mode"): what nobody needs an answer to
(`later`, `many`), or not yet (`ahead`), is kept back, and goes along with the next statement that
somebody does, or with `settle`. An error in it is raised there, and nothing behind it has happened.
A statement that comes up twice is prepared.

It waits in the calling thread (`Blocking`) or in an event loop (`lanes`).
"""

import select
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from modelkeep.domain.errors import Unavailable
from modelkeep.storage.sql.connection import GONE_S, LOCK_WAIT_S, OutOfTime, Row, away, unheld

PREPARED_LIMIT = 300  # statements of one connection that are prepared, or may be next time
SENT_LIMIT = 256  # statements whose answers nobody has taken: they wait in the socket's buffers

# Raised for values that do not fit, before anything is sent.
VALUE_ERRORS = (psycopg.DataError, UnicodeEncodeError, OverflowError)
ERRORS = (psycopg.Error, *VALUE_ERRORS)


class Waiting(Protocol):
    """How a connection waits for its socket."""

    def until_ready(self, socket: int, or_room: bool) -> None:
        """Returns when there is something to read; with `or_room`, also when one can write.

        Raises psycopg.OperationalError when that takes too long.
        """
        ...

    def closing(self, socket: int) -> None:
        """The socket is closed next."""
        ...


class Blocking:
    """Waits in the calling thread, for so long; other threads run meanwhile."""

    def __init__(self, patience_s: float) -> None:
        self._limit_ms = patience_s * 1000

    def until_ready(self, socket: int, or_room: bool) -> None:
        poll = select.poll()
        poll.register(socket, select.POLLIN | select.POLLOUT if or_room else select.POLLIN)
        if not poll.poll(self._limit_ms):
            raise psycopg.OperationalError("it did not answer in time")

    def closing(self, socket: int) -> None:
        """Nobody else watches it."""


class PostgresDb:
    """See `dialects.Db`. `session` are PostgreSQL's settings, for this connection."""

    def __init__(self, url: str, session: Mapping[str, object], waiting: Waiting) -> None:
        try:
            connection = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=int(LOCK_WAIT_S),
                application_name="modelkeep",
                keepalives_idle=GONE_S,
                keepalives_interval=1,
                keepalives_count=2,
                tcp_user_timeout=GONE_S * 1000,
            )
        except psycopg.Error as error:
            raise away(str(error).split("\n", 1)[0]) from None
        # One type for every integer: a statement is prepared for each combination of types.
        # Of those in a list too, which go as text: their type would stay that of the first list.
        connection.adapters.register_dumper(int, Int8Dumper)
        connection.adapters.register_dumper(int, Int8BinaryDumper)
        connection.pgconn.enter_pipeline_mode()
        # Its holder ends what it holds when it goes, if nobody did before.
        self._connection, self._pg, self._is_closed = connection, connection.pgconn, False
        self.waiting, self.socket = waiting, connection.pgconn.socket
        self._types = Transformer.from_context(connection)
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._named = 0
        self._new: list[tuple[bytes, tuple[int, ...]]] = []  # prepared since the last answer
        self._sent = self._unanswered = self._due = 0
        self._awaited: dict[int, list[Any]] = {}  # by the place of the answer among those due
        self.is_spoilt, self.changes = False, 0
        self.trips = 0  # to the database and back, waited for
        settings = ", ".join(f"set_config('{name}', '{to}', false)" for name, to in session.items())
        self.leave(f"SELECT {settings}")  # beside whoever has them by a URL or a proxy of their own

    # -- statements ------------------------------------------------------------------------

    def all(self, sql: str, *params: Any) -> list[Row]:
        self._send(sql, params)
        return self._rows(self._receive())

    def ahead(self, sql: str, *params: Any) -> Callable[[], list[Row]]:
        self._send(sql, params)
        answer: list[Any] = []
        self._awaited[self._due - 1] = answer

        def rows() -> list[Row]:
            self.settle()
            return self._rows(answer[0])

        return rows

    def one(self, sql: str, *params: Any) -> Row | None:
        rows = self.all(sql, *params)
        return rows[0] if rows else None

    def run(self, sql: str, *params: Any) -> int:
        self._send(sql, params)
        return self._receive().command_tuples or 0

    def later(self, sql: str, *params: Any) -> None:
        self._send(sql, params)
        if self._sent >= SENT_LIMIT:
            self._receive()

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        for row in rows:
            self.later(sql, *row)

    def touched(self, sql: str, rows: Iterable[Row]) -> int:
        before = self._due
        for row in rows:
            self._send(sql, row)
        return sum(result.command_tuples or 0 for result in self._receive_all()[before:])

    def settle(self) -> None:
        if self._sent:
            self._receive()

    def leave(self, sql: str) -> None:
        """Sends a statement and whatever was kept back, and waits for nothing."""
        self._send(sql, ())
        self._sync()

    def among(self, values: Sequence[int] | Sequence[str]) -> tuple[str, Row]:
        return "= ANY(?)", (list(values),)

    def gathered(self, key: str, value: str) -> str:
        return f"json_object_agg({key}, {value})::text"

    # -- the connection --------------------------------------------------------------------

    @property
    def is_usable(self) -> bool:
        return self._pg.status == ConnStatus.OK

    def allow(self, seconds: float) -> None:
        """From now on, waits in the calling thread, for so long."""
        self.waiting = Blocking(seconds)

    def drain(self) -> None:
        """Takes in what has come while nobody waited: an answer to `leave`, or a last word."""
        try:
            self._pg.consume_input()
        except psycopg.Error:
            self.close()

    def close(self) -> None:
        if not self._is_closed:  # by us: one that broke calls itself closed, and keeps its socket
            self._is_closed = True
            self.waiting.closing(self.socket)
            self._pg.finish()

    # -- the wire --------------------------------------------------------------------------

    def _send(self, sql: str, params: Row) -> None:
        try:
            statement = _numbered(sql)
            values = self._types.dump_sequence(params, _AUTO[: len(params)])
            types, formats = self._types.types or (), self._types.formats
            name = self._name(statement, types)
            if name:
                self._pg.send_query_prepared(name, values, formats)
            else:
                self._pg.send_query_params(statement, values, types, formats)
        except ERRORS as error:
            raise _of(error) from error
        self._sent += 1
        self._due += 1
        self.changes += not sql.startswith("SELECT")

    def _name(self, statement: bytes, types: tuple[int, ...]) -> bytes:
        """The name under which it is prepared; empty the first time that it comes up."""
        key = (statement, types)
        name = self._prepared.get(key)
        if name is None:
            if len(self._prepared) >= PREPARED_LIMIT:
                self._pg.send_query_params(b"DEALLOCATE ALL", None)
                self._due += 1
                self._prepared.clear()
            self._prepared[key] = b""
            return b""
        if not name:
            self._named += 1
            name = self._prepared[key] = b"s%d" % self._named
            self._pg.send_prepare(name, statement, types)
            self._due += 1
            self._new.append(key)
        return name

    def _sync(self) -> None:
        try:
            self._pg.pipeline_sync()
            self._sent, self._unanswered = 0, self._unanswered + 1
            while self._pg.flush():
                self.waiting.until_ready(self.socket, True)
                self._pg.consume_input()
        except psycopg.Error as error:
            raise self._broken(error) from error

    def _rows(self, result: Any) -> list[Row]:
        self._types.set_pgresult(result)
        return self._types.load_rows(0, result.ntuples, tuple)

    def _receive(self) -> Any:
        """The answer to the last statement. Raises what went wrong first in any of them."""
        return self._receive_all()[-1]

    def _receive_all(self) -> list[Any]:
        """As `_receive`, the answers to all that was sent since it was called last."""
        self.trips += 1
        self._sync()
        failed, answers = None, list[Any]()
        try:
            while self._unanswered:
                result = self._next()
                if result is None:  # between two statements
                    continue
                if result.status == ExecStatus.PIPELINE_SYNC:
                    self._unanswered -= 1
                elif result.status == ExecStatus.FATAL_ERROR:
                    failed = failed or result
                else:
                    self.is_spoilt |= result.status == ExecStatus.PIPELINE_ABORTED
                    answers.append(result)
        except psycopg.Error as error:
            raise self._broken(error if failed is None else error_from_result(failed)) from error
        (new, self._new), self._due = (self._new, []), 0
        awaited, self._awaited = self._awaited, {}
        if failed is not None:
            for key in new:  # whatever was behind the error was not prepared
                self._prepared.pop(key, None)
            error = error_from_result(failed)
            raise _of(error) from error
        for place, answer in awaited.items():
            answer.append(answers[place])
        return answers

    def _next(self) -> Any:
        while self._pg.is_busy():
            self.waiting.until_ready(self.socket, False)
            self._pg.consume_input()
        result = self._pg.get_result()
        if result is None and self._pg.status != ConnStatus.OK:
            raise psycopg.OperationalError(self._pg.get_error_message())
        return result

    def _broken(self, error: Exception) -> Unavailable:
        """A connection some of whose answers were not read is of no more use."""
        self.close()
        return away(str(error).split("\n", 1)[0])


_AUTO = [PyFormat.AUTO] * 65_536
_CANCELED = "57014"  # what the server says of a statement that ran out of time
# Of its data errors, those that say that a value does not fit: psycopg's own has no code.
_UNHELD = (None, "22003", "22021", "22P05")


def _of(error: Exception) -> Exception:
    """What `dialects.Db` promises to raise."""
    state = getattr(error, "sqlstate", None)
    if state == _CANCELED:
        return OutOfTime()
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return away(str(error).split("\n", 1)[0])
    if isinstance(error, VALUE_ERRORS) and state in _UNHELD:
        return unheld()
    return error


@lru_cache(maxsize=4096)
def _numbered(sql: str) -> bytes:
    """With `$1, $2, …` for the `?`."""
    first, *rest = sql.split("?")
    return (first + "".join(f"${n}{part}" for n, part in enumerate(rest, 1))).encode()
