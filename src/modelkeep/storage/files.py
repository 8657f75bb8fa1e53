"""Small files that must be whole or not there at all, whenever the machine stops."""

import contextlib
import os
import threading
from pathlib import Path


def write_durably(file: Path, content: bytes) -> None:
    """Puts a file in the place of another, on disk when it returns, for its owner alone."""
    _written(file, content).replace(file)
    _flush(file.parent)


def made_once(file: Path, content: bytes) -> bytes:
    """What the file holds: this, unless it is there already or another process was faster."""
    new = _written(file, content)
    with contextlib.suppress(FileExistsError):
        os.link(new, file)
    new.unlink()
    _flush(file.parent)
    return file.read_bytes()


def _written(file: Path, content: bytes) -> Path:
    """The content on the disk, under a name that nobody else uses meanwhile."""
    new = file.with_name(f"{file.name}.{os.getpid()}.{threading.get_ident()}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    return new


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
