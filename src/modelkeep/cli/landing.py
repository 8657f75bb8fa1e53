"""Where downloaded files land: in one folder, and nowhere else, whatever their paths say.

Every folder on the way to a file is opened in the one above it and never through a symbolic link,
so that no path and nobody who changes the folder meanwhile can lead a file out of it. A file is
written under a name of its own, and gets its name only when its bytes are right.
"""

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

from modelkeep.domain import names
from modelkeep.domain.manifests import File

PARTIAL = ".modelkeep-partial-"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class State(Enum):
    """What is where a file is to land."""

    ABSENT = "absent"
    RIGHT = "right"  # the very bytes
    DIFFERENT = "different"
    IN_THE_WAY = "in the way"  # a folder, or a symbolic link or a file on the way there


class WrongBytes(Exception):
    """What arrived is not what was registered."""


class Landing:
    """A folder, made if it is not there. Safe for many threads. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._root)

    def state(self, file: File) -> State:
        """Reads what is there, if it has the right size."""
        try:
            with self._parent(file.path, create=False) as (parent, name):
                facts = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if not stat.S_ISREG(facts.st_mode):  # a link can be replaced by a file
                    is_link = stat.S_ISLNK(facts.st_mode)
                    return State.DIFFERENT if is_link else State.IN_THE_WAY
                if facts.st_size != file.size_bytes:
                    return State.DIFFERENT
                with open(os.open(name, _LOOK, dir_fd=parent), "rb") as found:
                    digest = hashlib.file_digest(found, "sha256").hexdigest()
                return State.RIGHT if digest == file.sha256 else State.DIFFERENT
        except FileNotFoundError:
            return State.ABSENT
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                return State.IN_THE_WAY
            raise

    def land(self, file: File, chunks: Iterable[bytes]) -> None:
        """Writes a file. Raises WrongBytes, and leaves nothing behind, if they're not its bytes."""
        with self._parent(file.path, create=True) as (parent, name):
            partial = PARTIAL + secrets.token_hex(8)
            try:
                with open(os.open(partial, _NEW, 0o666, dir_fd=parent), "wb") as target:
                    target.writelines(_checked(file, chunks))
                os.rename(partial, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(partial, dir_fd=parent)
                raise

    @contextmanager
    def _parent(self, path: str, *, create: bool) -> Iterator[tuple[int, str]]:
        """The open folder that a file lies in, and its name there. Raises InvalidInput, OSError."""
        *folders, name = names.check_path(path).split("/")
        here = os.dup(self._root)
        try:
            for folder in folders:
                if create:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=here)
                below = os.open(folder, _FOLDER, dir_fd=here)
                os.close(here)
                here = below
            yield here, name
        finally:
            os.close(here)


def _checked(file: File, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks; WrongBytes at the first byte too many, or at the end if the hash is another."""
    digest, seen = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        seen += len(chunk)
        if seen > file.size_bytes:
            raise WrongBytes(f"more than its {file.size_bytes} bytes came")
        yield chunk
    if digest.hexdigest() != file.sha256:
        raise WrongBytes(f"the {seen} bytes that came have the SHA-256 {digest.hexdigest()}")
