"""One import: both servers, what is wanted, and the report that is being written."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from modelkeep.cli.importing.facts import Facts
from modelkeep.cli.importing.fitting import Left
from modelkeep.cli.importing.http import Refused
from modelkeep.cli.importing.keep import Ended, Keep
from modelkeep.cli.importing.mlflow import Mlflow
from modelkeep.cli.importing.report import Report

WORKERS = 8  # calls under way at once, to each side

T = TypeVar("T")
U = TypeVar("U")


@dataclass(slots=True)
class Seen:
    """What the source has, by the ids that it has here, as far as it was looked for.

    `whole` are the experiments of which every run and logged model was listed, `listed` the models,
    with their names, of which every version was.
    """

    experiments: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    logged_models: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)
    listed: dict[str, str] = field(default_factory=dict)
    versions: set[tuple[str, str]] = field(default_factory=set)  # model, number


@dataclass(frozen=True, slots=True)
class Job:
    """`here` reads modelkeep as `source` reads its peer.

    `begin` says what is begun, `tick` shows how far it is.

    `verify` reads every file again; `reason` is given for moves into guarded stages. `unlike` are
    the files, and folders, in which what is here is not what the source has.
    """

    source: Mlflow
    here: Mlflow
    keep: Keep
    report: Report
    begin: Callable[[str], None]
    tick: Callable[[], None]
    pool: ThreadPoolExecutor
    with_artifacts: bool = True
    verify: bool = False
    reason: str = ""
    unlike: dict[str, set[str]] = field(default_factory=dict)  # run or logged model -> paths
    seen: Seen = field(default_factory=Seen)

    def each(self, task: Callable[[T], U], items: Iterable[T]) -> Iterator[U]:
        """What a task comes to for each item, in order; a few at once, and never more waiting."""
        waiting: deque[Future[U]] = deque()
        for item in items:
            waiting.append(self.pool.submit(task, item))
            if len(waiting) >= 2 * WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def note(self, kind: str, name: str, ended: Ended) -> bool:
        """Puts an outcome into the report; whether the thing is here as it was given."""
        self.report.count(kind, ended.end)
        if not ended.is_here:
            self.report.differs(kind, name, ended.reason)
        return ended.is_here

    def compared(self, kind: str, name: str, differing: Sequence[str]) -> None:
        """Puts into the report in what both sides of a thing differ, or that they do not."""
        if differing:
            self.report.differs(kind, name, "; ".join(differing))
        else:
            self.report.same(kind)

    def fitted(
        self, kind: str, key: str, fit: Callable[[Facts], list[Left]], given: Facts
    ) -> Facts:
        """A thing of the source without what may not be here of it; `key` names the thing."""
        self.report.saw(kind)
        for what, why in fit(given):
            self.report.differs(kind, f"{given[key]}: {what}", why)
        return given

    def brought(
        self,
        kind: str,
        key: str,
        bring: Callable[[Sequence[Facts]], list[Ended]],
        given: Sequence[Facts],
    ) -> list[Ended]:
        """What came of a page of things; one that is refused is brought one by one, to find why."""
        try:
            return bring(given)
        except Refused as refused:
            if len(given) > 1:
                return [end for one in given for end in self.brought(kind, key, bring, [one])]
            self.report.differs(kind, given[0][key], refused.message)
            return []


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items in lists of at most `size`."""
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
