"""What an import came to: counts of both sides, and everything in which they differ."""

import threading
from dataclasses import dataclass, field
from typing import Any

from modelkeep.cli.client import plain
from modelkeep.domain.imports import End

LISTED = 1_000  # differences that are kept word for word; more are only counted
SHOWN = 50  # differences that are printed for a person

EXPERIMENTS, RUNS, POINTS = "experiments", "runs", "metric points"
LOGGED_MODELS, MODEL_POINTS = "logged models", "logged models' points"
MODELS, VERSIONS, STAGES, ALIASES = "models", "versions", "stages", "aliases"
FILES = "files"
KINDS = (
    *(EXPERIMENTS, RUNS, POINTS, LOGGED_MODELS, MODEL_POINTS),
    *(MODELS, VERSIONS, STAGES, ALIASES, FILES),
)

_DONE = {  # columns, and what is in them
    "source": "source",
    "here": "here",
    "new": "created",
    "changed": "changed",
    "unchanged": "unchanged",
    "only here": "only_here",
}
_FORESEEN = {
    "source": "source",
    "to bring": "missing",
    "already here": "here",
    "differ": "differing",
    "only here": "only_here",
}
_DRY = "Nothing was brought: this was a dry run. It looked at no histories of metrics and no files."


@dataclass(slots=True)
class Count:
    """Of one kind: how many the source has, how many are here and the same, what was done.

    `only_here` came from there once; `missing` are those that a dry run did not find here.
    """

    source: int = 0
    here: int = 0
    missing: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    only_here: int = 0

    @property
    def differing(self) -> int:
        """Of a dry run: how many are here, and not as the source has them."""
        return self.source - self.here - self.missing


@dataclass(slots=True)
class Report:
    """May be written to by several threads."""

    source: str
    target: str
    counts: dict[str, Count] = field(default_factory=lambda: {kind: Count() for kind in KINDS})
    lines: list[dict[str, str]] = field(default_factory=list)
    unlisted: int = 0
    bytes_read: int = 0
    by_digest: int = 0  # files
    by_size: int = 0
    elsewhere: int = 0  # runs and logged models
    _gate: threading.Lock = field(default_factory=threading.Lock)

    @property
    def agrees(self) -> bool:
        """Whether both sides are the same in all that was asked for."""
        return not self.lines and all(c.source == c.here for c in self.counts.values())

    @property
    def is_new(self) -> bool:
        """Whether anything was brought over now."""
        return any(count.created or count.changed for count in self.counts.values())

    # -- writing ---------------------------------------------------------------------------

    def saw(self, kind: str, number: int = 1) -> None:
        """So many are at the source."""
        with self._gate:
            self.counts[kind].source += number

    def same(self, kind: str, number: int = 1) -> None:
        """So many are here, and the same as at the source."""
        with self._gate:
            self.counts[kind].here += number

    def lacks(self, kind: str) -> None:
        """One of the source's is not here, and would be brought."""
        with self._gate:
            self.counts[kind].missing += 1

    def only_here(
        self, kind: str, name: str, why: str = "the source has it no more", number: int = 1
    ) -> None:
        """So many came from the source before and are not there by now."""
        with self._gate:
            self.counts[kind].only_here += number
        self.differs(kind, name, why)

    def count(self, kind: str, end: End, number: int = 1) -> None:
        """So many ended so."""
        with self._gate:
            count = self.counts[kind]
            if end is End.CREATED:
                count.created += number
            elif end is End.CHANGED:
                count.changed += number
            elif end is End.UNCHANGED:
                count.unchanged += number

    def differs(self, kind: str, name: str, why: str) -> None:
        """Something is not here, or not as the source has it."""
        with self._gate:
            if len(self.lines) < LISTED:
                self.lines.append({"kind": kind, "name": name, "why": why})
            else:
                self.unlisted += 1

    def read(self, size_bytes: int) -> None:
        """So many bytes of a file came over, and their digests agree."""
        with self._gate:
            self.bytes_read += size_bytes
            self.by_digest += 1

    def sized(self) -> None:
        """A file was here with the same size, and was not read again."""
        with self._gate:
            self.by_size += 1

    def stays(self) -> None:
        """The files of a run or logged model stay in their object store, whose address is kept."""
        with self._gate:
            self.elsewhere += 1

    # -- telling ---------------------------------------------------------------------------

    def to_json(self, *, dry_run: bool) -> dict[str, Any]:
        """A dry run does not know whether both sides agree."""
        return {
            "source": self.source,
            "target": self.target,
            "dry_run": dry_run,
            "agrees": None if dry_run else self.agrees,
            "anything_new": self.is_new,
            "counts": {
                kind: {name: getattr(count, name) for name in Count.__dataclass_fields__}
                for kind, count in self.counts.items()
            },
            "bytes_read": self.bytes_read,
            "files_compared_by_digest": self.by_digest,
            "files_compared_by_size": self.by_size,
            "left_in_object_stores": self.elsewhere,
            "differences": self.lines,
            "differences_not_listed": self.unlisted,
        }

    def show(self, *, dry_run: bool) -> None:
        columns = _FORESEEN if dry_run else _DONE
        head = ("", *columns)
        numbers = {
            kind: [getattr(count, name) for name in columns.values()]
            for kind, count in self.counts.items()
        }
        rows = [(kind, *map(str, row)) for kind, row in numbers.items() if any(row)]
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
        for name, *numbers in (head, *rows):
            cells = (cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))
            print("  ".join([name.ljust(widths[0]), *cells]))
        self._show_files()
        for line in self.lines[:SHOWN]:
            print(plain(f"  {line['kind']}  {line['name']}: {line['why']}"))
        more = len(self.lines) + self.unlisted - SHOWN
        if more > 0:
            print(f"  and {more} more; --json lists {LISTED} of them")
        print(_DRY if dry_run else plain(self._verdict()))

    def _show_files(self) -> None:
        if self.by_digest or self.by_size:
            megabytes = self.bytes_read / 1e6
            print(f"Files: {self.by_digest} compared by SHA-256 ({megabytes:,.1f} MB read)")
        if self.by_size:
            print(f"  and {self.by_size} by size alone; --verify reads those again as well")
        if self.elsewhere:
            print(f"The files of {self.elsewhere} runs and logged models stay in object stores.")

    def _verdict(self) -> str:
        new = "" if self.is_new else "Nothing was new. "
        if self.agrees:
            return f"{new}All that {self.source} lists is at {self.target}, and the same."
        extra = sum(count.only_here for count in self.counts.values())
        left = f" Of what came before, {extra} are only here; nothing was deleted." if extra else ""
        return f"{new}{self.source} and {self.target} do not agree: see above.{left}"
