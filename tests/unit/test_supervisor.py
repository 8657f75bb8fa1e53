"""What has to be over before a process is forked."""

import _thread
import ctypes
import sys

import pytest

from modelkeep import supervisor


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which threads there are")
def test_a_thread_that_python_has_forgotten_is_waited_for() -> None:
    before = supervisor.threads()
    assert before > 0
    wait = ctypes.CDLL(None).usleep
    for _ in range(3):
        _thread.start_new_thread(wait, (300_000,))  # which `threading` knows nothing of
    assert supervisor.threads() == before + 3
    supervisor.await_end_of_threads(before)
    assert supervisor.threads() <= before


def test_threads_that_stay_are_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "THREADS_LIMIT_S", 0.05)
    lock = _thread.allocate_lock()
    lock.acquire()
    _thread.start_new_thread(lock.acquire, ())
    try:
        supervisor.await_end_of_threads(0)
    finally:
        lock.release()
