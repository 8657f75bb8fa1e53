"""Backups as a folder, or as one file of tar.

A folder is written as `NAME.partial` and renamed once it is whole. What a killed try left there is
used by the next one: a blob has its name only when all of it is on the disk. With an earlier
backup at hand, blobs that it has are linked instead of copied. A tar is written as `NAME.partial`
too, and from the beginning each time.
"""

import contextlib
import hashlib
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from modelkeep.domain.backups import MANIFEST, Part
from modelkeep.domain.errors import Conflict, IntegrityFailure, InvalidInput, Unavailable
from modelkeep.ports.backups import Reading, Writing

CHUNK_BYTES = 1 << 20
_NEW = ".new"
_NAME = re.compile(r"[a-z0-9_.]+(/[a-z0-9_.]+)*")


def create(target: Path, since: Path | None) -> Writing:
    """A backup to be written: a tar if its name ends so, else a folder.

    `since` is an earlier backup, a folder. Raises Conflict if the name is taken, Unavailable.
    """
    if target.exists():
        raise Conflict(f"{target} is there already; give the backup a name of its own.")
    with _storing(target):
        if target.suffix == ".tar":
            if since is not None:
                raise InvalidInput("--since is for backups in folders: a tar has everything.")
            return TarWriting(target)
        if since is not None and not (since / MANIFEST).is_file():
            raise InvalidInput(f"{since} is no backup in a folder.")
        return FolderWriting(target, since)


def open_backup(source: Path) -> Reading:
    """Raises InvalidInput for what is no backup, or not a whole one."""
    partial = source.name.endswith(".partial")
    if partial or not source.exists():
        left = source if partial else _partial(source)
        if left.exists():
            raise InvalidInput(f"{left} was never finished: it is not a backup.")
        raise InvalidInput(f"There is no {source}.")
    if source.is_dir():
        if not (source / MANIFEST).is_file():
            raise InvalidInput(f"{source} has no {MANIFEST}: it is not a backup, or not whole.")
        return FolderReading(source)
    return TarReading(source)


class FolderWriting:
    """See `ports.backups.Writing`."""

    def __init__(self, target: Path, since: Path | None) -> None:
        self._target, self._folder, self._since = target, _partial(target), since
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def holds(self, name: str, size_bytes: int) -> bool:
        file = self._folder / name
        if _has_size(file, size_bytes):
            return True
        earlier = self._since / name if self._since else None
        if earlier is None or not _has_size(earlier, size_bytes):
            return False
        with _storing(file):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                os.link(earlier, file)
            except OSError:  # another disk, or one that knows no links: it is copied as any other
                return False
        return True

    def add(self, name: str, chunks: Iterator[bytes]) -> Part:
        file = self._folder / name
        with _storing(file):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = file.with_name(file.name + _NEW)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as to:
                part = _write(name, chunks, to)
                to.flush()
                os.fsync(to.fileno())
            new.replace(file)
        return part

    def finish(self, manifest: bytes) -> None:
        self.add(MANIFEST, iter((manifest,)))
        with _storing(self._target):
            for folder, _, files in os.walk(self._folder):
                for name in files:
                    if name.endswith(_NEW):  # what a killed try was at
                        (Path(folder) / name).unlink()
                _flush_folder(Path(folder))
            self._folder.rename(self._target)
            _flush_folder(self._target.absolute().parent)

    def close(self) -> None:
        """What is there stays for the next try."""


class TarWriting:
    """See `ports.backups.Writing`. Parts whose size is not known yet are kept beside it first."""

    def __init__(self, target: Path) -> None:
        self._target, self._new = target, _partial(target)
        file = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._file = os.fdopen(file, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)

    def holds(self, name: str, size_bytes: int) -> bool:
        return False

    def add(self, name: str, chunks: Iterator[bytes]) -> Part:
        with _storing(self._new), tempfile.TemporaryFile(dir=self._target.parent) as spool:
            part = _write(name, chunks, spool)
            spool.seek(0)
            member = tarfile.TarInfo(name)
            member.size, member.mode = part.size_bytes, 0o600
            self._tar.addfile(member, spool)
        return part

    def finish(self, manifest: bytes) -> None:
        self.add(MANIFEST, iter((manifest,)))
        with _storing(self._new):
            self._tar.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._new.rename(self._target)
            _flush_folder(self._target.absolute().parent)

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.close()
        self._new.unlink(missing_ok=True)


class FolderReading:
    """See `ports.backups.Reading`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> Iterator[bytes]:
        try:
            with open(self._folder / _checked(name), "rb", buffering=0) as file:
                yield from _chunks(file)
        except OSError as error:
            raise IntegrityFailure(f"{name} cannot be read: {error.strerror}.") from None

    def names(self) -> Iterator[str]:
        for folder, _, files in os.walk(self._folder):
            for file in files:
                yield str((Path(folder) / file).relative_to(self._folder))

    def close(self) -> None:
        """Nothing is held."""


class TarReading:
    """See `ports.backups.Reading`."""

    def __init__(self, file: Path) -> None:
        try:
            self._tar = tarfile.open(file, "r:")
            self._members = {member.name: member for member in self._tar}
        except (OSError, tarfile.TarError) as error:
            raise InvalidInput(f"{file} is no backup, or was cut off: {error}.") from None
        if MANIFEST not in self._members:
            self._tar.close()
            raise InvalidInput(f"{file} has no {MANIFEST}: it is not a backup, or not whole.")

    def read(self, name: str) -> Iterator[bytes]:
        member = self._members.get(name)
        file = self._tar.extractfile(member) if member and member.isfile() else None
        if file is None:
            raise IntegrityFailure(f"{name} is not in the backup.")
        try:
            yield from _chunks(file)
        except (OSError, tarfile.TarError) as error:
            raise IntegrityFailure(f"{name} cannot be read: {error}.") from None

    def names(self) -> Iterator[str]:
        yield from self._members

    def close(self) -> None:
        self._tar.close()


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def _checked(name: str) -> str:
    """A name that a manifest gave, and that leads nowhere else."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise IntegrityFailure(f"'{name[:100]}' cannot be in a backup.")
    return name


def _has_size(file: Path, size_bytes: int) -> bool:
    try:
        return file.stat().st_size == size_bytes
    except OSError:
        return False


def _write(name: str, chunks: Iterator[bytes], to: IO[bytes]) -> Part:
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size_bytes += len(chunk)
        to.write(chunk)
    return Part(name, size_bytes, digest.hexdigest())


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _storing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"The backup could not be written to {file}: {error.strerror}.") from None
