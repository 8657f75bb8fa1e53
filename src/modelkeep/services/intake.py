"""Bytes that did not come through the server, and the versions that are made of them.

What a client put into our store by itself is an *arrival*: its path is there at once, under a mark
in place of a digest, and is read once it is hashed. A version that is registered of such files
waits (PENDING_REGISTRATION) and gets its digest then. So does a version whose source lies in
another store, on the list of `--ingest`, until its files were taken in. One that was registered
before that list, or imported, is a label meanwhile, and stays one where nothing can be taken in.

Either way the tree is fixed when it is frozen, an event says so, and what waited for an approval of
the mere label is void.
"""

from collections.abc import Sequence

from modelkeep.domain import names
from modelkeep.domain.access import Actor, Caller, Kind
from modelkeep.domain.approvals import Status
from modelkeep.domain.errors import InvalidInput, LimitExceeded, NotFound
from modelkeep.domain.events import Event
from modelkeep.domain.manifests import FILE_LIMIT, File, Manifest, marked
from modelkeep.domain.models import FAILED, PENDING
from modelkeep.domain.stores import Place
from modelkeep.ports.intake import Arrival, Intake
from modelkeep.ports.stores import Foreign
from modelkeep.ports.work import Work
from modelkeep.services import artifacts, garbage
from modelkeep.services.catalog import subject
from modelkeep.services.steps import close_requests

SYSTEM = Caller(Actor("modelkeep", True, Kind.SYSTEM))
LEASE_MS = 120_000  # of a version, renewed while there is progress; of an object it is longer
SLOW_BYTES_A_MS = 10_000
ATTEMPTS_LIMIT = 8  # with a pause that doubles up to an hour: some four hours
ABSENT_LIMIT = 3  # attempts at what is not there: a minute
PAUSE_MS = 15_000
PAUSE_LIMIT_MS = 3_600_000
FIND_LIMIT = 50
BYTES_LIMIT = 1 << 40  # of one version that is taken in: 1 TiB


# -- what clients put into our store by themselves ----------------------------------------------


def land(work: Work, caller: Caller, path: str, key: str, size_bytes: int) -> None:
    """Makes a path name an object of our store, which the caller brought and which is yet to be
    hashed. To do it again, although the path was written meanwhile, does nothing.

    Raises as `artifacts.put`.
    """
    arrival_id = work.intakes.land(path, key, size_bytes, work.now_ms)
    if arrival_id is not None:
        artifacts.put(work, caller, path, marked(arrival_id), size_bytes)


def arrivals(work: Work, limit: int) -> list[Arrival]:
    """Leases some that are due, for as long as a slow store takes."""
    found = work.intakes.lease_arrivals(work.now_ms, work.now_ms + LEASE_MS, limit)
    until_ms = work.now_ms + LEASE_MS * len(found)
    for arrival in found:
        until_ms += arrival.size_bytes // SLOW_BYTES_A_MS
        work.intakes.put_off_arrival(arrival.id, until_ms)
    return found


def settle(work: Work, arrival: Arrival, sha256: str, began_ms: int) -> None:
    """Gives an arrival its digest wherever it is named, and freezes the versions that waited.

    `began_ms` is when it began to be stored under that digest. Raises Unavailable if it may have
    been deleted there since.
    """
    if not work.intakes.is_open(arrival.id):
        return  # another worker did
    garbage.claim(work, sha256, began_ms)
    mark = marked(arrival.id)
    waiting = work.intakes.waiting_for(mark)
    work.intakes.resolve(mark, sha256)
    file = work.artifacts.get(arrival.path)
    if file is not None and file.sha256 == mark:
        (author,) = work.artifacts.authors(arrival.path)
        named = File(arrival.path, sha256, arrival.size_bytes)
        work.artifacts.put([(named, author)], work.now_ms)
    work.intakes.end_arrival(arrival.id, work.now_ms)
    for version_id in waiting:
        files = [file for file, _ in work.intakes.expected(version_id)]
        if all(file.is_hashed for file in files):
            freeze(work, version_id, files)


def refuse_arrival(work: Work, arrival: Arrival, why: str) -> None:
    """Gives up an object that is not what was uploaded; so are the versions that wait for it."""
    mark = marked(arrival.id)
    for version_id in work.intakes.waiting_for(mark):
        _fail(work, version_id, FAILED, f"{arrival.path}: {why}")
    file = work.artifacts.get(arrival.path)
    if file is not None and file.sha256 == mark:
        work.artifacts.delete(arrival.path)
    work.intakes.end_arrival(arrival.id, work.now_ms)


def put_off_arrival(work: Work, arrival: Arrival) -> None:
    """Tries it again later, as long as it takes: it was acknowledged."""
    work.intakes.put_off_arrival(arrival.id, work.now_ms + _pause_ms(arrival.attempts))


def has_landed(work: Work, key: str) -> bool:
    """Whether an upload was completed before; told for a while after it was hashed, too."""
    return work.intakes.has_landed(key)


def prune(work: Work, before_ms: int) -> None:
    """Forgets the uploads that were hashed before a moment."""
    work.intakes.prune(before_ms)


def orphans(work: Work, keys: Sequence[str]) -> list[str]:
    """Those of the objects that nothing here will hash."""
    known = work.intakes.known_keys(keys)
    return [key for key in keys if key not in known]


# -- what is taken in from elsewhere ------------------------------------------------------------


def takes(work: Work, address: str) -> bool:
    """Whether a version's files are taken in from an address."""
    try:
        place = Place.parse(address)
    except InvalidInput:
        return False
    return any(listed.covers(place) for listed in work.intakes.places)


def is_due(work: Work) -> bool:
    return work.intakes.is_due(work.now_ms)


def undiscovered(work: Work, place: Place) -> list[int]:
    """Some versions whose source lies in a place, and whose files nobody thought of yet."""
    low = str(place)
    return work.intakes.find(f"{low}/", f"{low}0", FIND_LIMIT)  # "0" is the character after "/"


def discover(work: Work, version_ids: Sequence[int]) -> None:
    for version_id in version_ids:
        work.intakes.open(version_id, work.now_ms)


def claim(work: Work) -> Intake | None:
    """Leases the next version that is due."""
    return work.intakes.lease_intake(work.now_ms, work.now_ms + LEASE_MS)


def check_tree(place: Place, found: Sequence[Foreign]) -> Sequence[Foreign]:
    """What was listed, if a version can be made of it.

    Raises NotFound where there is nothing, InvalidInput for names that no folder could have,
    LimitExceeded.
    """
    if not found:
        raise NotFound(f"There is no object at {place}, nor any under it.")
    if len(found) > FILE_LIMIT:
        raise LimitExceeded(f"A version may have at most {FILE_LIMIT} files.")
    size_bytes = sum(file.size_bytes for file in found)
    if size_bytes > BYTES_LIMIT:
        raise LimitExceeded(f"{place} has {size_bytes} bytes; at most {BYTES_LIMIT} are taken in.")
    paths = {names.check_path(file.path) for file in found}
    for path in paths:
        folders = (path[:at] for at, letter in enumerate(path) if letter == "/")
        if clash := next((folder for folder in folders if folder in paths), None):
            raise InvalidInput(f"{place}/{clash} is a file; '{path}' cannot lie in it.")
    return found


def taken(work: Work, intake: Intake) -> dict[str, tuple[File, str]]:
    """The files that an earlier attempt took in already, by path, with their ETags."""
    return {file.path: (file, etag) for file, etag in work.intakes.expected(intake.version_id)}


def keep(
    work: Work, intake: Intake, file: File, etag: str, small: bytes | None, began_ms: int
) -> None:
    """Notes a file that was taken in, and renews the lease.

    `began_ms` is when it began to be stored. Raises Unavailable if it may have been deleted since.
    """
    if small is not None:
        work.artifacts.keep([(file.sha256, small)])
    else:
        garbage.claim(work, file.sha256, began_ms)
    work.intakes.expect(intake.version_id, [file], etag)
    renew(work, intake, f"taking in: {file.path} is here")


def renew(work: Work, intake: Intake, note: str) -> None:
    work.intakes.put_off_intake(intake.version_id, work.now_ms + LEASE_MS, note)


def finish(work: Work, intake: Intake, paths: frozenset[str]) -> None:
    """Freezes a version of the files at these paths, all of which were taken in."""
    files = [file for file, _ in work.intakes.expected(intake.version_id) if file.path in paths]
    freeze(work, intake.version_id, files)
    work.intakes.put_off_intake(intake.version_id, None, "done")


def put_off(work: Work, intake: Intake, why: str, limit: int = ATTEMPTS_LIMIT) -> None:
    """Tries it again later, or gives it up after so many times."""
    if intake.attempts + 1 >= limit:
        refuse(work, intake, why)
        return
    _say(work, intake, f"Its files are not taken in yet: {why}")
    due_ms = work.now_ms + _pause_ms(intake.attempts)
    work.intakes.put_off_intake(intake.version_id, due_ms, why)


def refuse(work: Work, intake: Intake, why: str) -> None:
    """Fails a version that waited, leaves any other a label, and says why."""
    version = work.versions.by_id(intake.version_id)
    if version is not None:
        status = FAILED if version.status == PENDING else version.status
        _fail(work, version.id, status, f"Its files were not taken in: {why}")
    work.intakes.put_off_intake(intake.version_id, None, why)


def _say(work: Work, intake: Intake, message: str) -> None:
    """Tells whoever waits for a version why it is not ready yet."""
    version = work.versions.by_id(intake.version_id)
    if version is not None and version.status == PENDING and not version.deleted:
        work.versions.set_status(version.id, PENDING, message, work.now_ms)


# -- either way ---------------------------------------------------------------------------------


def freeze(work: Work, version_id: int, files: Sequence[File]) -> None:
    """A version's bytes are these. Nothing happens to one that has some, or is deleted."""
    work.intakes.forget(version_id)
    version = work.versions.by_id(version_id)
    if version is None or version.deleted or version.manifest is not None:
        return
    manifest = Manifest.of(files)
    work.versions.hold(version_id, work.artifacts.freeze(manifest), work.now_ms)
    waiting = work.governance.pending([version_id])
    closed = close_requests(work, waiting, Status.VOID, "The version's bytes are known by now.")
    after = {"manifest": manifest.digest, "files": len(manifest.files), "size": manifest.size_bytes}
    event = Event(
        "version:bytes:verified",
        object=subject(version) | {"manifest": manifest.digest},
        before={"manifest": None, "status": version.status},
        after=after | ({"requests": closed} if closed else {}),
    )
    work.record(SYSTEM, event, model_id=version.model_id)


def _fail(work: Work, version_id: int, status: str, why: str) -> None:
    work.intakes.forget(version_id)
    version = work.versions.by_id(version_id)
    if version is None or version.deleted or version.manifest is not None:
        return
    work.versions.set_status(version_id, status, why, work.now_ms)
    event = Event(
        "version:bytes:refused",
        object=subject(version),
        before={"status": version.status},
        after={"status": status},
        texts={"reason": why},
    )
    work.record(SYSTEM, event, model_id=version.model_id)


def _pause_ms(attempts: int) -> int:
    return min(PAUSE_MS << attempts, PAUSE_LIMIT_MS)
