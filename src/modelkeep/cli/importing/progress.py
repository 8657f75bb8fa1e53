"""How far it is, on standard error: counters on a terminal, now and then a line anywhere else."""

import sys
import time
from types import TracebackType
from typing import Any

from modelkeep.cli.importing.report import KINDS, Report

LINE_EVERY_S = 10.0
DRAWN_EVERY_S = 0.2


class Progress:
    """Shows how a report fills, while it is open.

    `begin` says which stage begins, and that the one before has ended; `tick` is called now and
    then. A quiet one says nothing.
    """

    def __init__(self, report: Report, *, quiet: bool = False) -> None:
        self._report, self._quiet = report, quiet
        self._stage, self._began_s, self._shown_s = "", 0.0, 0.0
        self._live: Any = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty() and not self._quiet:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        elif error is None:
            self._end()

    def begin(self, stage: str) -> None:
        self._end()
        self._stage, self._began_s = stage, time.monotonic()
        self._show(f"{stage} …")

    def tick(self) -> None:
        every_s = LINE_EVERY_S if self._live is None else DRAWN_EVERY_S
        if time.monotonic() - self._shown_s >= every_s:
            self._show(f"{self._stage} … {self._counted()}")

    def _end(self) -> None:
        if self._stage:
            took_s = time.monotonic() - self._began_s
            self._show(f"{self._stage}: done in {took_s:,.0f} s. {self._counted()}")

    def _show(self, line: str) -> None:
        self._shown_s = time.monotonic()
        if self._live is not None:
            self._live.update(line, refresh=True)
        elif not self._quiet:
            print(line, file=sys.stderr, flush=True)

    def _counted(self) -> str:
        counts = self._report.counts
        done = [f"{kind} {counts[kind].source:,}" for kind in KINDS if counts[kind].source]
        return ", ".join([*done, f"{self._report.bytes_read / 1e6:,.1f} MB read"])
