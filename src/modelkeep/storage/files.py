"""Small files that must be whole or not there at all, whenever the machine stops."""

import os
import threading
from pathlib import Path


def write_durably(file: Path, content: bytes) -> None:
    """Puts a file in the place of another, on disk when it returns, for its owner alone."""
    new = file.with_name(f"{file.name}.{threading.get_ident()}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
