"""The store that the large files lie in is remembered, and no other is taken for it unseen.

A store has a mark: a random id that lies in it, and that the database remembers together with the
store's name. The first start gives both. Later ones are refused where the settings name another
store, or one without the mark. `accept` is how a store changes that was moved on purpose.
"""

import logging
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from modelkeep.domain.errors import Conflict, Unavailable
from modelkeep.ports.blobs import Blobs
from modelkeep.ports.soundness import Rows
from modelkeep.ports.whereabouts import Whereabouts
from modelkeep.ports.work import Work
from modelkeep.services.soundness import lacking

Run = Callable[..., Any]  # a use case, in the reader or the writer
Opened = Callable[[], AbstractContextManager[Rows]]

_MOVED = (
    "Give the settings of that store (--artifacts, --s3-endpoint-url, --data-dir); or, if the "
    "files were moved on purpose, run `modelkeep accept-store` with these."
)

_log = logging.getLogger(__name__)


def known(work: Work) -> Whereabouts | None:
    """What is remembered."""
    return work.stores.get()


def settle(read: Run, write: Run, opened: Opened, blobs: Blobs) -> Whereabouts:
    """Holds a store against what is remembered, which it becomes where nothing is.

    Raises Conflict for another store, or an empty one where the rows name files; Unavailable.
    """
    found = read(known) or write(_remember, _first(opened, blobs))
    mark = blobs.mark()
    _refuse(found, blobs.where, mark)
    if found.is_marked:
        return found
    try:
        if not mark:
            blobs.set_mark(found.mark)
    except Unavailable as error:  # it may be there for reading alone, for a while
        _log.warning("The store has no mark yet; the next start tries again: %s", error.message)
        return found
    return write(_note_marked, found)


def refuse_other(work: Work, blobs: Blobs) -> None:
    """Raises Conflict for a store that is not the one remembered; Unavailable."""
    found = known(work)
    if found:
        _refuse(found, blobs.where, blobs.mark())


def refuse_moved(work: Work, ours: Whereabouts) -> None:
    """Raises Unavailable if another store was accepted since ours was."""
    now = known(work)
    if now and (now.where, now.mark) != (ours.where, ours.mark):
        raise Unavailable(
            f"The large files lie in {now.where} now, and this process uses {ours.where}: stop it, "
            "and start it with the settings of the new store."
        )


def accept(
    write: Run, opened: Opened, blobs: Blobs, *, with_missing: bool = False
) -> tuple[Whereabouts, int]:
    """Remembers a store from now on, and tells how many of the files that the rows name it lacks.

    Raises Conflict if it lacks any, unless that is to be; Unavailable.
    """
    with opened() as rows:
        count, one = lacking(rows, blobs)
    if count and not with_missing:
        raise Conflict(
            f"{blobs.where} lacks {count} of the files that the registry names, as sha256:{one}. "
            "Copy all of blobs/ there first. Nothing was changed; --with-missing accepts what is "
            "lost."
        )
    return take(write, blobs), count


def take(write: Run, blobs: Blobs) -> Whereabouts:
    """Remembers a store, whatever lies in it."""
    mark = blobs.mark()
    if not mark:
        blobs.set_mark(mark := _new_mark())
    store = Whereabouts(blobs.where, mark, is_marked=True)
    write(_put, store)
    return store


def _first(opened: Opened, blobs: Blobs) -> Whereabouts:
    """What is to be remembered where nothing is. Raises Conflict."""
    mark = blobs.mark()
    if not mark and next(blobs.stored(), None) is None:
        with opened() as rows:
            if next(rows.blobs(), None):
                raise Conflict(
                    f"{blobs.where} is empty, and the registry names files that should be in its "
                    f"store. {_MOVED}"
                )
    return Whereabouts(blobs.where, mark or _new_mark(), is_marked=bool(mark))


def _refuse(found: Whereabouts, where: str, mark: str) -> None:
    if found.is_named(where) and (mark == found.mark or not (found.is_marked or mark)):
        return
    if found.where != where:
        what = f"The registry's large files lie in {found.where}, and these settings name {where}."
    else:
        said = "another store's mark" if mark else "no mark"
        what = (
            f"The registry's large files lie in {where}, and what is there now has {said}: it is "
            "not that store."
        )
    raise Conflict(f"{what} {_MOVED}")


def _remember(work: Work, store: Whereabouts) -> Whereabouts:
    """What was remembered already, by another replica; or else this."""
    if found := work.stores.get():
        return found
    work.stores.put(store)
    return store


def _note_marked(work: Work, store: Whereabouts) -> Whereabouts:
    marked = Whereabouts(store.where, store.mark, is_marked=True)
    if work.stores.get() == store:  # and not accepted anew meanwhile
        work.stores.put(marked)
    return marked


def _put(work: Work, store: Whereabouts) -> None:
    work.stores.put(store)


def _new_mark() -> str:
    return secrets.token_hex(16)
