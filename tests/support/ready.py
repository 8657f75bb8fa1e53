"""The `modelkeep` command in processes of their own, of which only the imports were done before.

What it imports takes most of the time that it takes to start, and is the same each time. So it is
imported once, by a process that is forked for each command: that has its own environment, folder,
streams and exit code, and ends by the same signals. What the imports themselves do is shown where
the command is started as it is installed: by `Server(python=…)`, in `deploy`, `benchmarks` and the
demo.
"""

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

# With what the command imports late, so that others of its ways stay quick.
PRELOADED = (
    __name__,
    "tests.support.forked",
    *("modelkeep.cli.main", "modelkeep.cli.commands", "modelkeep.cli.verifier", "rich.tree"),
    *("modelkeep.operations", "modelkeep.server", "modelkeep.supervisor", "modelkeep_client"),
    *("modelkeep.protocols.native.application", "modelkeep.storage.sql.lanes"),
    *("certifi", "cryptography.hazmat.primitives.serialization", "h11", "httpcore"),
    *("litestar.middleware._internal.exceptions.middleware", "litestar.plugins.pydantic"),
    *("pydantic.plugin._loader", "typer._adapters", "uvicorn.loops.uvloop", "uvicorn.lifespan.off"),
)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(PRELOADED))
_alone = threading.Lock()  # the module's own records are not made for several threads


class Ready:
    """A process that runs a function, spoken to as a `subprocess.Popen`."""

    def __init__(self, run: Callable[..., None], *args: Any) -> None:
        self._process = _context.Process(target=run, args=args, daemon=True)
        with _alone:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        with _alone:
            return self._process.exitcode

    def wait(self, limit_s: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        wait([self._process.sentinel], limit_s)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self._process.name, limit_s or 0.0)
        return code

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()


def command(
    words: Sequence[str], env: Mapping[str, str], folder: Path, out: Path, err: Path | None = None
) -> Ready:
    """`modelkeep WORDS`. What it says is added to a file, or to one for each of its streams."""
    return Ready(_run, list(words), dict(env), folder, out, err or out)


def _run(words: list[str], env: dict[str, str], folder: Path, out: Path, err: Path) -> None:
    from modelkeep.cli.main import main

    speak_to(out, err, env.get("PYTHONIOENCODING", "utf-8"))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["modelkeep", *words]
    main()


def speak_to(out: Path, err: Path, encoding: str = "utf-8") -> None:
    """Leads this process's streams to files, and what it reads to nothing."""
    for stream, path in enumerate((Path(os.devnull), out, err)):
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND if stream else os.O_RDONLY
        opened = os.open(path, how, 0o600)
        os.dup2(opened, stream)
        os.close(opened)
    sys.stdout, sys.stderr = (
        open(number, "w", encoding=encoding, errors=errors, closefd=False)
        for number, errors in ((1, "strict"), (2, "backslashreplace"))
    )
