"""The command line, as a person or a script uses it: in a process of its own."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import ready

LIMIT_S = 180.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def modelkeep(
    *args: str | Path, url: str = "", user: str = "", env: dict[str, str] | None = None
) -> Outcome:
    """Runs `modelkeep ARGS`; `url` and `user` become options. Settings of the person who runs the
    tests (`MODELKEEP_…`) do not reach it."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MODELKEEP_")}
    options = [*(("--url", url) if url else ()), *(("--user", user) if user else ())]
    env = {**inherited, "COLUMNS": "200", **(env or {})}
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        ended = ready.command([*map(str, args), *options], env, Path.cwd(), out, err)
        try:
            code = ended.wait(LIMIT_S)
        finally:
            ended.kill()
        return Outcome(code, out.read_text(), err.read_text())
