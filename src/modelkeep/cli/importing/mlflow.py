"""What a server says through MLflow's REST API. Both sides speak it, and are read by the same code.

Everything comes in pages, as plain JSON; `facts` says what is made of it. Nothing here depends on
a release of MLflow from 2.10 on: what an older one has no answer for is found empty.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from modelkeep.cli.importing.http import Http, Refused

Wire = dict[str, Any]

API = "/api/2.0/mlflow"
PAGE = 100  # runs, or logged models: they may carry a lot
MANY = 1_000  # things that carry little
BULK_RUNS = 20  # runs in one call for histories: all that 2.10 takes
HISTORY_LIMIT = 25_000  # points in one answer, in every release
_PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"


class Mlflow:
    """A server that speaks MLflow's REST API."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def get(self, path: str, /, **params: Any) -> Wire:
        return self.http.get(f"{API}/{path}", **params)

    def post(self, path: str, body: Wire) -> Wire:
        return self.http.post(f"{API}/{path}", body)

    # -- experiments and runs --------------------------------------------------------------

    def experiments(self) -> Iterator[Wire]:
        """Deleted ones too, oldest first: whoever gave up a name comes before whoever took it."""
        body = {"max_results": MANY, "view_type": "ALL", "order_by": ["creation_time ASC"]}
        return self._posted("experiments/search", body, "experiments")

    def experiment(self, experiment_id: str) -> Wire:
        return self.get("experiments/get", experiment_id=experiment_id)["experiment"]

    def runs(self, experiment_id: str) -> Iterator[Wire]:
        """Deleted ones too; those that began first come first, so that new ones come last."""
        body = {
            "experiment_ids": [experiment_id],
            "run_view_type": "ALL",
            "max_results": PAGE,
            "order_by": ["attributes.start_time ASC"],
        }
        return self._posted("runs/search", body, "runs")

    def run(self, run_id: str) -> Wire:
        return self.get("runs/get", run_id=run_id)["run"]

    def some_runs(self, experiment_id: str, run_ids: Sequence[str]) -> Iterator[Wire]:
        """Those of the runs that are there."""
        listed = ", ".join(f"'{run_id}'" for run_id in run_ids)
        body = {
            "experiment_ids": [experiment_id],
            "run_view_type": "ALL",
            "max_results": len(run_ids),
            "filter": f"attributes.run_id IN ({listed})",
        }
        return self._posted("runs/search", body, "runs")

    def histories(self, key: str, run_ids: Sequence[str]) -> list[Wire] | None:
        """Every point of one metric in at most `BULK_RUNS` runs; None if there are too many."""
        answer = self.http.get(
            "/ajax-api/2.0/mlflow/metrics/get-history-bulk", metric_key=key, run_id=list(run_ids)
        )
        points = answer.get("metrics", [])
        return points if len(points) < HISTORY_LIMIT else None

    def history(self, key: str, run_id: str) -> Iterator[list[Wire]]:
        """Every point of one metric of a run, in pages; 2.10 knows only one, with all of them."""
        given = {"run_id": run_id, "metric_key": key, "max_results": HISTORY_LIMIT}
        for page in _pages(lambda t: self.get("metrics/get-history", page_token=t, **given)):
            yield page.get("metrics", [])

    # -- logged models ---------------------------------------------------------------------

    def logged_models(self, experiment_id: str) -> Iterator[Wire]:
        body = {"experiment_ids": [experiment_id], "max_results": PAGE}
        try:
            yield from self._posted("logged-models/search", body, "models")
        except Refused as refused:
            if refused.status not in (404, 405):  # what a release without them answers
                raise

    def logged_model(self, model_id: str) -> Wire:
        return self.get(f"logged-models/{model_id}")["model"]

    # -- the registry ----------------------------------------------------------------------

    def models(self) -> list[Wire]:
        """Registered models and prompts, which MLflow lists apart; oldest first, as experiments."""
        found: dict[str, Wire] = {}
        for where in (None, _PROMPTS):
            some = self._got("registered-models/search", "registered_models", filter=where)
            found.update((model["name"], model) for model in some)
        return sorted(found.values(), key=lambda model: model.get("creation_timestamp", 0))

    def model(self, name: str) -> Wire:
        return self.get("registered-models/get", name=name)["registered_model"]

    def versions(self, name: str) -> Iterator[Wire]:
        """The living versions of a model or prompt, lowest number first."""
        quote = '"' if "'" in name else "'"
        named = f"name = {quote}{name}{quote}"
        for where in (named, f"{named} AND {_PROMPTS}"):
            found = None
            params = {"filter": where, "order_by": "version_number ASC"}
            for found in self._got("model-versions/search", "model_versions", **params):
                yield found
            if found is not None:
                return

    def version(self, name: str, number: int) -> Wire:
        return self.get("model-versions/get", name=name, version=str(number))["model_version"]

    def download_uri(self, name: str, number: int) -> str:
        path = "model-versions/get-download-uri"
        return self.get(path, name=name, version=str(number))["artifact_uri"]

    # -- pages -----------------------------------------------------------------------------

    def _posted(self, path: str, body: Wire, items: str) -> Iterator[Wire]:
        def turn(token: str | None) -> Wire:
            return self.post(path, {**body, "page_token": token} if token else body)

        for page in _pages(turn):
            yield from page.get(items, ())

    def _got(self, path: str, items: str, /, **params: Any) -> Iterator[Wire]:
        for page in _pages(lambda t: self.get(path, max_results=MANY, page_token=t, **params)):
            yield from page.get(items, ())


def _pages(turn: Callable[[str | None], Wire]) -> Iterator[Wire]:
    """Page after page. Some releases answer with the token of the very page that they gave."""
    token: str | None = None
    while True:
        page = turn(token)
        yield page
        before, token = token, page.get("next_page_token") or None
        if token is None:
            return
        if token == before:
            raise Refused(200, "its pages do not go on: it gives one token again and again")


def number(value: Any) -> float:
    """A metric's value on MLflow's wire: a number, or "NaN", "Infinity", "-Infinity"."""
    return float(value) if value is not None else 0.0


def pairs(listed: Sequence[Wire] | None) -> dict[str, str]:
    """Tags or params as a mapping."""
    return {pair["key"]: pair.get("value", "") for pair in listed or ()}


def said(value: float) -> float | str:
    """A value as modelkeep's API takes it: JSON has no NaN."""
    text = json.dumps(value)
    return text if text in ("NaN", "Infinity", "-Infinity") else value
