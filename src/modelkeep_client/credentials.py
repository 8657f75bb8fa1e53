"""Which token belongs to which server.

`~/.config/modelkeep/credentials` (below XDG_CONFIG_HOME where that is set) is a JSON object from
a server's address to a token. It is for its owner's eyes: anything else is refused.
"""

import json
import os
import stat
from pathlib import Path

from modelkeep_client.errors import ClientError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def path() -> Path:
    """Where tokens are kept."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "modelkeep" / "credentials"


def token_for(url: str) -> str:
    """MODELKEEP_TOKEN, else the token that is kept for an address; "" if there is none.

    Raises ClientError for a file that others may read, or that is not what it should be.
    """
    given = os.environ.get("MODELKEEP_TOKEN", "")
    if given:
        return given
    token = _kept().get(url.rstrip("/"), "")
    return token if isinstance(token, str) else ""


def keep(url: str, token: str) -> None:
    """Keeps a token for an address, where only its owner can read it; an empty one is forgotten.

    Raises OSError, and ClientError as `token_for` does.
    """
    all_kept = _kept() | {url.rstrip("/"): token}
    where = path()
    where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = where.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(new, "x", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        json.dump({known: kept for known, kept in all_kept.items() if kept}, file)
    new.replace(where)


def _kept() -> dict[str, object]:
    try:
        with path().open(encoding="utf-8") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS:
                raise ClientError(f"Others may read {path()}: run chmod 600 on it.")
            kept = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ClientError(f"{path()} cannot be read: {error}.") from None
    return kept if isinstance(kept, dict) else {}
