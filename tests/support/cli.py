"""The command line, as a person or a script uses it: in a process of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIMIT_S = 60.0


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
    ended = subprocess.run(
        [sys.executable, "-m", "modelkeep", *map(str, args), *options],
        check=False,
        env={**inherited, "COLUMNS": "200", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    return Outcome(ended.returncode, ended.stdout, ended.stderr)
