"""Uploads that nobody registered: cleared away when they are old, and nothing refers to them.

An upload is old when nothing came to it for some days. One that a run or a logged model has its
artifacts in, or an experiment keeps them, or whose address a version has for its source, stays.
"""

from modelkeep.domain.access import Caller
from modelkeep.domain.events import Event
from modelkeep.domain.locations import PROXIED, UPLOADS
from modelkeep.ports.work import Work
from modelkeep.services import sources

DAY_MS = 24 * 60 * 60 * 1000
LOOKED_AT = 100  # uploads that one transaction looks at


def old(work: Work, days: int, after: str = "") -> tuple[list[str], str]:
    """The ids of uploads that may go, of the next ones after an id, and the last that was looked at
    ("" when there are no more)."""
    found: list[str] = []
    for _ in range(LOOKED_AT):
        # "0" is the character after "/": it passes over what lies in the upload before.
        page = work.artifacts.page(UPLOADS, f"{after}0" if after else "", 1)
        if not page:
            return found, ""
        after, slash, _ = page[0].path.partition("/")
        if slash and _may_go(work, after, days):
            found.append(after)
    return found, after


def sweep(work: Work, caller: Caller, upload: str, days: int) -> int:
    """Clears an upload away, if it still may go: all its files at once. How many there were."""
    if not _may_go(work, upload, days):
        return 0
    files, size_bytes, _ = work.artifacts.total(_folder(upload))
    work.artifacts.delete(_folder(upload))
    after = {"files": files, "bytes": size_bytes}
    work.record(caller, Event("upload:swept", object={"upload": upload}, after=after))
    return files


def _may_go(work: Work, upload: str, days: int) -> bool:
    folder = _folder(upload)
    files, _, newest_ms = work.artifacts.total(folder)
    if not files or newest_ms > work.now_ms - days * DAY_MS:
        return False
    first = work.artifacts.page(folder, "", 1)[0]
    return (
        sources.owner_of(work, f"{folder}/{first.path}") is None
        and not work.experiments.any_within(folder)
        and not work.versions.any_from(PROXIED + folder)
    )


def _folder(upload: str) -> str:
    return f"{UPLOADS}/{upload}"
