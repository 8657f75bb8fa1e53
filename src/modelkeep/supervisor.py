"""Several processes that serve as one: they accept from one socket, over one PostgreSQL.

The parent serves nobody. It prepares the database and the directory, forks, starts anew whichever
process ends by itself, and on SIGTERM or SIGINT lets all of them finish what they have under way;
a second signal ends them at once. Processes whose parent was killed finish, too.
"""

import logging
import os
import signal
import socket
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from modelkeep import server
from modelkeep.bootstrap import Running
from modelkeep.domain.errors import ModelkeepError
from modelkeep.opening import Opening
from modelkeep.settings import Settings

PAUSE_S = 1.0  # before one that did not live longer than this is started anew
STOP_LIMIT_S = 20.0  # for what any of them closes, beyond the time for its requests
THREADS_LIMIT_S = 2.0  # for threads to be gone that have ended

_TASKS = Path("/proc/self/task")  # of Linux

_WATCHED = (*server.STOP_SIGNALS, signal.SIGCHLD)

_log = logging.getLogger(__name__)


def serve(settings: Settings, opening: Opening | None = None) -> None:
    """Serves with as many processes as the settings say, until SIGTERM or SIGINT. If it is one,
    with what was opened for it."""
    if settings.workers == 1:
        server.serve(settings, opening)
        return
    before = threads()
    with closing(Running(settings)) as running:
        running.reserve_buckets()
        if settings.auth:
            server.let_first_admin_in(running)
    await_end_of_threads(before)
    with server.listen(settings.host, settings.port) as listener:
        Supervisor(settings, listener).run()


def threads() -> int:
    """How many this process has, as the system counts them; 0 where it does not say."""
    return len(list(_TASKS.iterdir())) if _TASKS.is_dir() else 0


def await_end_of_threads(before: int) -> None:
    """Returns when there are no more than there were, or after `THREADS_LIMIT_S`.

    Python counts a thread as ended while it still puts away what libraries keep for each thread.
    OpenSSL, by which PostgreSQL's passwords are checked, has a lock for that: forked at this
    moment, a process would find it locked for good, and wait for it at its first connection.
    """
    deadline = time.monotonic() + THREADS_LIMIT_S
    while threads() > before and time.monotonic() < deadline:
        time.sleep(0.001)


class Supervisor:
    """Keeps `settings.workers` processes running."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings, self._listener = settings, listener
        self._started_s: dict[int, float] = {}  # by process
        self._places: dict[int, int] = {}  # of each process, from 1: what its metrics are known by
        self._stop_limit_s = settings.drain_s + settings.grace_s + STOP_LIMIT_S
        self._parent_lives, self._held_by_parent = os.pipe()

    def run(self) -> None:
        signal.signal(signal.SIGCHLD, lambda *_: None)  # one that is ignored cannot be waited for
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
        try:
            for _ in range(self._settings.workers):
                self._start()
            while signal.sigwait(_WATCHED) == signal.SIGCHLD:
                for process in self._reap():
                    self._replace(process)
        finally:
            self._stop()

    def _start(self) -> None:
        taken = self._places.values()
        place = next(n for n in range(1, self._settings.workers + 1) if n not in taken)
        process = os.fork()
        if process == 0:
            self._serve(place)
        self._started_s[process] = time.monotonic()
        self._places[process] = place

    def _serve(self, place: int) -> None:
        """In the child; it never returns into what the parent was doing."""
        code = 1
        try:
            os.close(self._held_by_parent)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # What the terminal tells all of them at once, the parent passes on.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGCHLD))
            threading.Thread(target=self._end_with_parent, daemon=True).start()
            server.serve_beside(self._settings, self._listener, str(place))
            code = 0
        except SystemExit:
            code = 0
        except ModelkeepError as error:
            _log.error("a process could not serve: %s", error.message)
        except BaseException:  # noqa: BLE001 - nothing above this may handle it
            _log.exception("a process failed")
        finally:
            logging.shutdown()
            os._exit(code)

    def _end_with_parent(self) -> None:
        os.read(self._parent_lives, 1)  # which nobody writes to: it ends when the parent does
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self._stop_limit_s)  # and then there is nobody who would kill it
        os._exit(1)

    def _reap(self) -> list[int]:
        """The processes that have ended."""
        ended: list[int] = []
        while self._started_s.keys() - set(ended):
            process, _ = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                break
            ended.append(process)
        return ended

    def _replace(self, process: int) -> None:
        lived_s = time.monotonic() - self._started_s.pop(process)
        del self._places[process]
        _log.warning("process %d ended after %.0f s; another takes its place", process, lived_s)
        if lived_s < PAUSE_S:
            time.sleep(PAUSE_S)
        self._start()

    def _stop(self) -> None:
        self._listener.close()  # whichever process closes it last lets in who waits
        for process in self._started_s:
            os.kill(process, signal.SIGTERM)
        deadline, is_over = time.monotonic() + self._stop_limit_s, False
        while self._started_s and not is_over:
            for process in self._reap():
                del self._started_s[process]
            told = signal.sigtimedwait(_WATCHED, 1.0) if self._started_s else None
            is_over = time.monotonic() > deadline or (
                told is not None and told.si_signo != signal.SIGCHLD
            )
        for process in self._started_s:
            _log.error("process %d did not stop in time", process)
            os.kill(process, signal.SIGKILL)
        if self._started_s:
            sys.exit(1)
