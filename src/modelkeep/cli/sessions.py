"""The sessions of this person on this machine: a token for each server, in a file of their own."""

import json
import os
from contextlib import suppress
from pathlib import Path


def token_for(url: str) -> str:
    """The token of the session with a server; empty without one."""
    return _read().get(url, "")


def keep(url: str, token: str) -> None:
    """Keeps a session's token where only its owner can read it; an empty one is forgotten.

    Raises OSError.
    """
    sessions = _read() | {url: token}
    path = _path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(new, "x", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        json.dump({known: kept for known, kept in sessions.items() if kept}, file)
    new.replace(path)


def _path() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "modelkeep" / "sessions.json"


def _read() -> dict[str, str]:
    with suppress(OSError, ValueError):
        found = json.loads(_path().read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {str(url): str(token) for url, token in found.items()}
    return {}
