"""`modelkeep artifacts`: a version's files, listed and brought here.

Nothing that the server says is believed: the list must have the digest that the version has, and
every file the hash that the list says.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec

from modelkeep.cli.client import TAMPERED, Client, Failed
from modelkeep.cli.landing import Landing, State, WrongBytes
from modelkeep.domain import names
from modelkeep.domain.errors import ModelkeepError
from modelkeep.domain.manifests import FILE_LIMIT, File, Manifest

PAGE = 5000  # files a call
NAMED = 5  # files that a message names

Advance = Callable[[int], object]


def listing(client: Client, address: str, folder: str = "") -> dict[str, Any]:
    """The files of a version under a folder, all of them. Ends the command if there are none."""
    found = client.get(f"{address}/artifacts", path=folder, limit=PAGE)
    cursor = found.pop("next")
    # The version may be named by what moves: from here on its number is meant.
    model = address.rsplit("/", 1)[0]
    while cursor and len(found["files"]) <= FILE_LIMIT:
        path = f"{model}/{found['version']}/artifacts"
        page = client.get(path, path=folder, limit=PAGE, cursor=cursor)
        found["files"] += page["files"]
        cursor = page["next"] if page["files"] else None
    return found


def download(
    client: Client, address: str, folder: Path, force: bool, jobs: int, *, quiet: bool
) -> dict[str, Any]:
    """Brings a version's files into a folder; the listing, with what was done for each.

    Raises Failed.
    """
    found = listing(client, address)
    files = _believed(found)
    model = address.rsplit("/", 1)[0]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that partial files are removed
    try:
        with closing(Landing(folder)) as landing:
            missing = _missing(landing, files, folder, force, jobs)
            source = Source(client, f"{model}/{found['version']}/content", landing)
            with _progress(sum(f.size_bytes for f in missing), quiet) as advance:
                _each(jobs, lambda file: source.fetch(file, advance), missing, source.stop)
            _check_all(landing, files, folder, jobs)
    except OSError as error:
        raise Failed(f"{error.filename or folder}: {error.strerror}.") from None
    fresh = {file.path for file in missing}
    for entry in found["files"]:
        entry["state"] = "downloaded" if entry["path"] in fresh else "present"
    return {**found, "directory": str(folder)}


def _believed(found: dict[str, Any]) -> list[File]:
    """The files of a listing, if their paths are harmless and they have the version's digest."""
    try:
        files = msgspec.convert(found["files"], list[File])
        for file in files:
            names.check_path(file.path)
        digest = Manifest.of(files).digest
    except (ModelkeepError, msgspec.ValidationError) as error:
        raise Failed(f"The server's list of files is not to be trusted: {error}", TAMPERED,
                     "integrity_failure") from None  # fmt: skip
    if digest != found["manifest"]:
        raise Failed(
            f"The server's list of files has the digest {digest}, the version {found['manifest']}. "
            "Nothing was written.",
            TAMPERED,
            "integrity_failure",
        )
    return files


def _missing(
    landing: Landing, files: Sequence[File], folder: Path, force: bool, jobs: int
) -> list[File]:
    """The files that must be fetched. Raises Failed if they would overwrite others unasked."""
    states = _each(jobs, landing.state, files, lambda: None)
    blocked = [f for f, s in zip(files, states, strict=True) if s is State.IN_THE_WAY]
    if blocked:
        raise Failed(
            f"Something in {folder} is in the way of {_named(blocked)}: a folder, or a symbolic "
            "link or a file where a folder should be. Nothing was written."
        )
    different = [f for f, s in zip(files, states, strict=True) if s is State.DIFFERENT]
    if different and not force:
        raise Failed(
            f"{folder} has other files under the names of {_named(different)}. Nothing was "
            "written; --force overwrites them.",
            kind="already_exists",
        )
    return [f for f, s in zip(files, states, strict=True) if s is not State.RIGHT]


def _check_all(landing: Landing, files: Sequence[File], folder: Path, jobs: int) -> None:
    """Reads everything once more: names that a disk takes for one would have overwritten another.

    Raises Failed unless the files on the disk have the version's digest.
    """
    states = _each(jobs, landing.state, files, lambda: None)
    wrong = [f for f, s in zip(files, states, strict=True) if s is not State.RIGHT]
    if wrong:
        message = f"{folder} does not hold what was downloaded: {_named(wrong)} changed meanwhile."
        raise Failed(message, TAMPERED, "integrity_failure")


def _named(files: Sequence[File]) -> str:
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    return ", ".join(f"'{file.path}'" for file in files[:NAMED]) + more


class Source:
    """Fetches files from one address; `stop` makes every fetch under way give up."""

    def __init__(self, client: Client, content: str, landing: Landing) -> None:
        self._client, self._content, self._landing = client, content, landing
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def fetch(self, file: File, advance: Advance) -> None:
        """Brings one file; once more if the answer breaks off. Raises Failed."""
        try:
            try:
                self._bring(file, advance)
            except httpx.TransportError:
                self._bring(file, advance)
        except httpx.TransportError as error:
            raise self._cut_off(file, error) from None
        except WrongBytes as wrong:
            raise Failed(
                f"'{file.path}' is not what was registered: {wrong}, not {file.sha256}. "
                "It was not kept.",
                TAMPERED,
                "integrity_failure",
            ) from None

    def _bring(self, file: File, advance: Advance) -> None:
        seen = 0

        def counted(chunks: Iterator[bytes]) -> Iterator[bytes]:
            nonlocal seen
            for chunk in chunks:
                if self._stopped.is_set():
                    raise Failed("Stopped.")
                seen += len(chunk)
                advance(len(chunk))
                yield chunk

        try:
            with self._client.chunks(self._content, path=file.path) as chunks:
                self._landing.land(file, counted(chunks))
        except httpx.TransportError:
            advance(-seen)
            raise

    def _cut_off(self, file: File, error: Exception) -> Failed:
        """A server cuts off a large file whose bytes it finds damaged at the very end."""
        with suppress(httpx.TransportError):
            if not self._client.can_read(self._content, path=file.path):
                message = f"'{file.path}' is damaged on the server, which does not hand it out."
                return Failed(message, TAMPERED, "integrity_failure")
        return self._client.unreachable(error)


def _each(jobs: int, act: Callable[[File], Any], files: Sequence[File],
          stop: Callable[[], object]) -> list[Any]:  # fmt: skip
    """What `act` made of each file, a few at once. After the first failure none is begun."""
    with ThreadPoolExecutor(jobs) as pool:
        tasks = [pool.submit(act, file) for file in files]
        try:
            done, _ = wait(tasks, return_when=FIRST_EXCEPTION)
            failed = [task for task in done if task.exception()]
            if failed:
                failed[0].result()
            return [task.result() for task in tasks]
        except BaseException:
            stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _progress(total_bytes: int, quiet: bool) -> Iterator[Advance]:
    """A bar on standard error, where that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total_bytes)
        yield lambda size: bar.advance(task, size)
