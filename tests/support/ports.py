"""Ports of the loopback that are free, and stay so until whoever asked has bound them.

They lie below those that the system gives to whoever names none. Each process that asks has some of
its own, on this machine: another run of the tests, or another worker of the same, has others.
"""

import itertools
import os
import socket
from functools import cache

LOWEST, EACH, PROCESSES = 16_000, 500, 32


def free_port() -> int:
    """A port that nothing listens on, and that is given to nobody else for a long while."""
    return next(port for port in _ports() if _is_free(port))


@cache
def _ports() -> "itertools.cycle[int]":
    return itertools.cycle(_own())


def _own() -> range:
    """The ports of this process: those whose name it holds until it ends."""
    for number in range(PROCESSES):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0modelkeep-tests-{number}")  # in no folder, and in this network alone
        except OSError:
            name.close()
            continue
        name.detach()
        return _share(number)
    return _share(os.getpid() % PROCESSES)  # many runs, or a system without such names


def _share(number: int) -> range:
    return range(LOWEST + EACH * number, LOWEST + EACH * (number + 1))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
