"""How far it is: counters on a terminal, now and then a line anywhere else. On standard error."""

import sys
import time
from types import TracebackType
from typing import Any

from modelkeep.cli.importing.report import KINDS, Report

LINE_EVERY_S = 10.0
DRAWN_EVERY_S = 0.2


class Progress:
    """Shows how a report fills, while it is open; `tick` is called now and then."""

    def __init__(self, report: Report) -> None:
        self._report, self._shown_s = report, time.monotonic()
        self._live: Any = None

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
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

    def tick(self) -> None:
        now_s = time.monotonic()
        every_s = LINE_EVERY_S if self._live is None else DRAWN_EVERY_S
        if now_s - self._shown_s < every_s:
            return
        self._shown_s = now_s
        if self._live is None:
            print(self._line(), file=sys.stderr, flush=True)
        else:
            self._live.update(self._line(), refresh=True)

    def _line(self) -> str:
        counts = self._report.counts
        done = [f"{kind} {counts[kind].source:,}" for kind in KINDS if counts[kind].source]
        return ", ".join([*done, f"{self._report.bytes_read / 1e6:,.1f} MB read"])
