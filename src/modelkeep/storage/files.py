"""Small files that must be whole or not there at all, whenever the machine stops."""

import contextlib
import os
import tempfile
import threading
from pathlib import Path

from modelkeep.domain.errors import Unavailable


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


def check_room(folder: Path, min_free_bytes: int) -> None:
    """Raises Unavailable unless a file can be written there, with so much room beside it."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"room")
            file.flush()
        left = free_bytes(folder)
    except OSError as error:
        raise Unavailable(f"The data directory cannot be written to: {error.strerror}.") from None
    if left < min_free_bytes:
        raise Unavailable(
            f"The disk of the data directory has {left} bytes left, and needs "
            f"{min_free_bytes} (--min-free-bytes)."
        )


def free_bytes(folder: Path) -> int:
    """What is left on a folder's disk for whoever is no administrator of the machine."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


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
