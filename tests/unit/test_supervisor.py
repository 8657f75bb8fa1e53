"""What has to be over before a process is forked."""

import _thread
import subprocess
import sys

import pytest

from modelkeep import supervisor


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which threads there are")
def test_a_thread_that_python_has_forgotten_is_waited_for() -> None:
    told = subprocess.run(
        [sys.executable, "-c", WAITING], check=False, capture_output=True, text=True
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "1 4 1\n", "")


# In a process that has no other threads. They end a while after it has begun to wait for them.
WAITING = """
import _thread, os, subprocess
from modelkeep import supervisor
before = supervisor.threads()
till, over = os.pipe()
for _ in range(3):
    _thread.start_new_thread(os.read, (till, 1))  # which `threading` knows nothing of
during = supervisor.threads()
subprocess.Popen(["sh", "-c", "sleep 0.3; printf 123"], stdout=over)
supervisor.THREADS_LIMIT_S = 60
supervisor.await_end_of_threads(before)
print(before, during, supervisor.threads(), flush=True)
os._exit(os.wait()[1])
"""


def test_threads_that_stay_are_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "THREADS_LIMIT_S", 0.05)
    lock = _thread.allocate_lock()
    lock.acquire()
    _thread.start_new_thread(lock.acquire, ())
    try:
        supervisor.await_end_of_threads(0)
    finally:
        lock.release()
