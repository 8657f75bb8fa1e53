"""The steps by their revisions, and what they are written in."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Protocol, cast

from modelkeep.storage.sql.connection import Db
from modelkeep.storage.sql.migrations import versions

Words = Mapping[str, str]  # what a database calls its types, by our words for them


class Step(Protocol):
    """A module of `versions`."""

    def upgrade(self, db: Db, words: Words) -> None: ...


def revisions() -> list[str]:
    """In order."""
    return sorted(_names())


def between(found: str, revision: str) -> Iterator[Step]:
    """The steps from one revision, or from nothing, to another."""
    for step, name in sorted(_names().items()):
        if found < step <= revision:
            yield cast("Step", importlib.import_module(f"{versions.__name__}.{name}"))


def run_all(db: Db, statements: str, words: Words) -> None:
    """Runs statements, of which all but the last end with a semicolon at the end of a line."""
    for statement in statements.format_map(words).split(";\n"):
        db.later(statement)  # a hundred of them: to be waited for costs as much as they do


def _names() -> dict[str, str]:
    names = (module.name for module in pkgutil.iter_modules(versions.__path__))
    return {name.partition("_")[0]: name for name in names}
