"""Artifacts: paths that name bytes, and the frozen trees of versions under their own addresses.

The bytes of a file of up to `SMALL_BYTES` are stored in the same commit as the row that names
them; larger ones lie among the blobs before any row does.

Everything under `modelkeep/versions/<id>/` is read-only: it is what that version froze. All other
paths are the runs' and logged models' own and may be written, overwritten and deleted.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from modelkeep.domain import names
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import Forbidden, IntegrityFailure, InvalidInput, NotFound, Unavailable
from modelkeep.domain.locations import RESERVED
from modelkeep.domain.manifests import File
from modelkeep.domain.models import Version
from modelkeep.domain.objects import OBJECTS, addresses_of
from modelkeep.ports.artifacts import Entry
from modelkeep.ports.work import Joint, Work
from modelkeep.services import buckets, garbage, hands
from modelkeep.services.catalog import locate, resolve
from modelkeep.services.sources import VERSION_FOLDER, check_bytes

SMALL_BYTES = 32 << 10


@dataclass(frozen=True, slots=True)
class Found:
    """A file, with its bytes where it is a small one, and the version that it is of, if any."""

    file: File
    small: bytes | None
    version: Version | None = None


def check_writable(path: str) -> str:
    """The path, if a client may write there. Raises InvalidInput, or Forbidden for frozen ones."""
    names.check_path(path)
    if path.split("/", 1)[0] == RESERVED:
        raise Forbidden(
            f"'{path}' belongs to a registered version, whose files never change. "
            "Log the new file to a run and register a new version."
        )
    return path


def check_put(work: Work, caller: Caller, path: str) -> None:
    """Raises InvalidInput, or Forbidden, where `put` would."""
    buckets.refuse_elsewhere(work, check_writable(path))
    hands.check_path(work, caller, path)


def put(
    work: Work,
    caller: Caller,
    path: str,
    sha256: str,
    size_bytes: int,
    began_ms: int | None = None,
) -> None:
    """Makes a path name these stored bytes from now on; `began_ms` is when they began to come.

    Raises InvalidInput; Forbidden for what is frozen, or somebody else's; Unavailable if the bytes
    may have been deleted meanwhile (see `garbage.claim`).
    """
    _name(work, [(caller, File(path, sha256, size_bytes))])
    garbage.claim(work, sha256, began_ms)


@Joint
def put_small(work: Work, uploads: Sequence[tuple[Caller, str, str, bytes]]) -> None:
    """As `put`, with the bytes: at most `SMALL_BYTES`, which hash to the SHA-256 before them."""
    files = [
        (caller, File(path, sha256, len(content))) for caller, path, sha256, content in uploads
    ]
    # First, for nobody waits for it.
    work.artifacts.keep([(sha256, content) for _, _, sha256, content in uploads])
    _name(work, files)


def _name(work: Work, files: Sequence[tuple[Caller, File]]) -> None:
    for _, file in files:
        buckets.refuse_elsewhere(work, check_writable(file.path))
    hands.on_paths(work, [(caller, file.path) for caller, file in files])
    for _, file in files:
        _check_labels(work, file.path)
    authored = [(file, caller.actor.name) for caller, file in files]
    if not work.artifacts.put(authored, work.now_ms):
        raise next(filter(None, (_clash(work, file.path) for _, file in files)))


def _check_labels(work: Work, path: str) -> None:
    """Nobody votes on an address where nothing lies, and gets what is put there later. Raises
    Forbidden."""
    if not path.startswith(f"{OBJECTS}/"):
        return
    if work.governance.binds_label(addresses_of(path)):
        raise Forbidden(
            f"A version whose source is where '{path}' lies was approved, or waits for votes, "
            "without bytes of ours: put it elsewhere, and register it."
        )


def fetch(work: Work, path: str) -> Found:
    """As `find`. Raises IntegrityFailure if the bytes no longer hash to their name."""
    return with_bytes(work, *find(work, path))


def fetch_in_version(work: Work, name: str, number: int, path: str) -> Found:
    """As `fetch`, of a registered version's files as they were frozen."""
    names.check_path(path)
    version = locate(work, name, number)
    check_bytes(work, version)
    file = work.artifacts.frozen_file(version.id, path)
    if file is None:
        raise NotFound(f"No such artifact: '{path}'")
    return with_bytes(work, file, version)


def fetch_named(work: Work, name: str, which: str, path: str) -> Found:
    """As `fetch_in_version`, of the version that a person means (see `catalog.resolve`)."""
    return fetch_in_version(work, name, resolve(work, name, which).number, path)


def with_bytes(work: Work, file: File, version: Version | None = None) -> Found:
    if file.size_bytes > SMALL_BYTES:
        return Found(file, None, version)
    kept = work.artifacts.kept(file.sha256)
    if kept is not None and hashlib.sha256(kept).hexdigest() != file.sha256:
        raise IntegrityFailure(
            f"The stored bytes sha256:{file.sha256} are damaged and are not served."
        )
    return Found(file, kept, version)


def find(work: Work, path: str) -> tuple[File, Version | None]:
    """The bytes that a path names, and whose version's they are. Raises NotFound in MLflow's words,
    Blocked for a version that may not be loaded."""
    names.check_path(path)
    version_id, rest = _version_in(path)
    version = None
    if version_id is None:
        file = work.artifacts.get(path)
    else:
        version = living(work, version_id, path)
        check_bytes(work, version)
        file = work.artifacts.frozen_file(version.id, rest)
    if file is None:
        raise NotFound(f"No such artifact: '{path}'")
    if not file.is_hashed:
        raise Unavailable(
            f"'{path}' was just uploaded and is being checked. Try again in a moment."
        )
    return file, version


def files_of(
    work: Work, name: str, which: str, folder: str, after: str, limit: int
) -> tuple[Version, list[File]]:
    """A version and a page of its files under a folder ("" is the top), those after a path;
    or the one file of that path.

    Raises NotFound, also for a version whose bytes are not held here.
    """
    if folder:
        names.check_path(folder)
    names.check_text(after, "cursor", names.PATH_LIMIT)
    version = resolve(work, name, which)
    if version.manifest is None:
        raise NotFound(
            f"{name}/{version.number} is unverified: its bytes are not held here, so there are no "
            f"digests to check them by. Its source is {version.source}"
        )
    files = work.artifacts.frozen_page(version.id, folder, after, limit)
    if files or after or not folder:
        return version, files
    file = work.artifacts.frozen_file(version.id, folder)
    if file is None:
        raise NotFound(f"There is no '{folder}' in {name}/{version.number}.")
    return version, [file]


def listing(work: Work, folder: str) -> list[Entry]:
    """The direct children of a folder, by name; none for a folder that isn't there."""
    if not folder:
        return work.artifacts.children("")
    names.check_path(folder)
    version_id, rest = _version_in(folder)
    if version_id is None:
        return work.artifacts.children(folder)
    return work.artifacts.frozen_children(living(work, version_id, folder).id, rest)


def delete(work: Work, caller: Caller, path: str) -> None:
    """Forgets a file, or all under a folder; versions that froze them keep theirs. Raises as `put`,
    and NotFound."""
    hands.on_path(work, caller, check_writable(path))
    if work.artifacts.delete(path) == 0:
        raise NotFound(f"No such artifact: '{path}'")


def _version_in(path: str) -> tuple[int | None, str]:
    """The version id and the rest of a path under `modelkeep/versions/`; None for other paths."""
    if not path.startswith(VERSION_FOLDER + "/"):
        return None, path
    number, _, rest = path.removeprefix(VERSION_FOLDER + "/").partition("/")
    if not (number.isascii() and number.isdecimal()) or len(number) > 18:
        raise NotFound(f"No such artifact: '{path}'")
    return int(number), rest


def living(work: Work, version_id: int, path: str) -> Version:
    """The version that a path names. Raises NotFound, in MLflow's words for the path."""
    version = work.versions.by_id(version_id)
    if version is None or version.deleted:
        raise NotFound(f"No such artifact: '{path}'")
    return version


def _clash(work: Work, path: str) -> InvalidInput | None:
    """A name is a file or a folder, never both: a client could not write both to its disk."""
    clash = work.artifacts.clash(path)
    if clash == path:
        return InvalidInput(f"'{path}' is a folder; it cannot be a file as well.")
    if clash is not None:
        return InvalidInput(f"'{clash}' is a file; '{path}' cannot lie in it.")
    return None
