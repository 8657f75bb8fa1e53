"""modelkeep's side: the calls of its import API, and where it puts bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from modelkeep.cli.importing.facts import Facts, Point
from modelkeep.cli.importing.http import Http, NotJson, Refused
from modelkeep.cli.importing.mlflow import said
from modelkeep.domain.imports import BROUGHT_PAGE, FILES_PAGE, POINTS_LIMIT, Brought, End, Kind
from modelkeep.domain.manifests import File
from modelkeep_client.transport import API

_PROXY = "/api/2.0/mlflow-artifacts/artifacts"


Metered = tuple[int, int, float]  # step, time in ms, value


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a thing that was given."""

    key: str
    end: End
    reason: str

    @property
    def is_here(self) -> bool:
        """Whether it is here as it was given."""
        return self.end in (End.CREATED, End.CHANGED, End.UNCHANGED)


class Keep:
    """A modelkeep server, written to in the name of what came from `origin`."""

    def __init__(self, http: Http, origin: str) -> None:
        self.http, self._origin = http, origin

    def experiment(self, given: Facts) -> Ended:
        return self._one("experiments", experiment=given)

    def runs(self, given: Sequence[Facts]) -> list[Ended]:
        return self._many("runs", runs=given)

    def logged_models(self, given: Sequence[Facts]) -> list[Ended]:
        return self._many("logged-models", models=given)

    def model(self, given: Facts) -> Ended:
        return self._one("models", model=given)

    def version(self, given: Facts) -> Ended:
        return self._one("versions", version=given)

    def stage(self, model: str, number: int, stage: str, reason: str) -> Ended:
        return self._one("stages", model=model, version=number, stage=stage, reason=reason)

    def alias(self, model: str, alias: str, number: int | None) -> Ended:
        return self._one("aliases", model=model, alias=alias, version=number)

    # -- what is here ----------------------------------------------------------------------

    def match_experiment(self, given: Facts) -> Brought | None:
        """What an import would take for it."""
        return self._match("experiments", experiment=given)

    def match_model(self, given: Facts) -> Brought | None:
        """What it was brought as or, if the source renamed it, may have been."""
        return self._match("models", model=given)

    def brought(self, kind: Kind) -> Iterator[Brought]:
        """Everything that came from there and is here, not deleted."""
        path, after = f"{API}/import/brought", None
        while True:
            page = self.http.get(path, origin=self._origin, kind=kind.value, after=after)
            yield from (Brought(**found) for found in page)
            if len(page) < BROUGHT_PAGE:
                return
            after = page[-1]["key"]

    # -- points of metrics -----------------------------------------------------------------

    def points(self, given: Sequence[tuple[str, str, Sequence[Metered]]]) -> None:
        """Points of metrics: (run, metric, points) each."""
        for metrics in _packed(given):
            self.http.post(f"{API}/import/points", {"metrics": metrics})

    def digests(self, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Run -> metric -> digest of its points (`domain.imports.Points`)."""
        return self.http.post(f"{API}/import/points/digests", {"run_ids": list(run_ids)})

    def model_points(self, model_id: str, run_id: str, points: Sequence[Point]) -> None:
        for start in range(0, len(points), POINTS_LIMIT):
            some = [
                {
                    "model_id": model_id,
                    "key": key,
                    "step": step,
                    "at_ms": at_ms,
                    "dataset_name": name,
                    "dataset_digest": digest,
                    "value": value,
                }
                for _, key, step, at_ms, name, digest, value in points[start : start + POINTS_LIMIT]
            ]
            path = f"{API}/import/logged-models/points"
            self.http.post(path, {"run_id": run_id, "points": some})

    # -- files -----------------------------------------------------------------------------

    def files(self, folder: str) -> Iterator[File]:
        """Those under a folder of the artifact store by path, relative to it."""
        after = None
        while True:
            page = self.http.get(f"{API}/import/files", folder=folder, after=after)
            yield from (File(**found) for found in page)
            if len(page) < FILES_PAGE:
                return
            after = page[-1]["path"]

    def put(self, path: str, chunks: Iterator[bytes], size_bytes: int | None) -> None:
        self.http.put(f"{_PROXY}/{quote(path)}", chunks, size_bytes)

    # -- within ----------------------------------------------------------------------------

    def _one(self, path: str, **body: Any) -> Ended:
        return _ended(self.http.post(f"{API}/import/{path}", {"origin": self._origin, **body}))

    def _match(self, path: str, **body: Any) -> Brought | None:
        given = {"origin": self._origin, **body}
        found = self.http.post(f"{API}/import/{path}/match", given)
        return Brought(**found[0]) if found else None

    def _many(self, path: str, **body: Any) -> list[Ended]:
        found = self.http.post(f"{API}/import/{path}", {"origin": self._origin, **body})
        return [_ended(outcome) for outcome in found]


def process_of(http: Http) -> str:
    """By what a modelkeep server is known while it runs; empty for any other server."""
    try:
        answer = http.get(f"{API}/import/server")
    except (Refused, NotJson):
        return ""
    return str(answer.get("server", "")) if isinstance(answer, dict) else ""


def _packed(given: Sequence[tuple[str, str, Sequence[Metered]]]) -> Iterator[list[Facts]]:
    """The bodies of as few calls as the server's limit allows."""
    metrics: list[Facts] = []
    room = POINTS_LIMIT
    for run_id, key, points in given:
        start = 0
        while start < len(points):
            some = [(s, at_ms, said(v)) for s, at_ms, v in points[start : start + room]]
            metrics.append({"run_id": run_id, "key": key, "points": some})
            start, room = start + len(some), room - len(some)
            if room == 0:
                yield metrics
                metrics, room = [], POINTS_LIMIT
    if metrics:
        yield metrics


def _ended(outcome: dict[str, Any]) -> Ended:
    return Ended(outcome["key"], End(outcome["end"]), outcome["reason"])
