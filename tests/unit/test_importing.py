"""The importer's own parts: patience, names of places, and what two sides differ in."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from modelkeep.cli.importing import facts, fitting, http, origins
from modelkeep.cli.importing.http import Http, NoAnswer, Refused
from modelkeep.cli.importing.job import Job, chunks
from modelkeep.cli.importing.keep import Keep
from modelkeep.cli.importing.mlflow import Mlflow
from modelkeep.cli.importing.report import RUNS, Report
from modelkeep.domain.imports import POINTS_LIMIT, End

RUN, MODEL = "0123456789abcdef" * 2, "m-" + "fedcba9876543210" * 2


@contextmanager
def answering(*statuses: int) -> Iterator[tuple[str, list[str]]]:
    """A server that answers with these statuses, one a call, the last for ever; and the calls."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            status = statuses[min(len(calls), len(statuses)) - 1]
            body = b'{"message": "said"}'
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/prefix/", calls
    finally:
        server.shutdown()
        server.server_close()


def impatient(url: str) -> Http:
    return Http(url, connections=1, first_wait_s=0.001, trust_env=False)


def test_a_server_that_says_not_now_is_asked_again() -> None:
    with answering(503, 429, 502, 200) as (url, calls):
        target = impatient(url)
        assert target.get("/a", x=1, y=None) == {"message": "said"}
        assert calls == ["/prefix/a?x=1"] * 4
        target.close()


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (403, 1), (500, 1), (503, http.TRIES)])
def test_a_refusal_is_told_in_the_servers_words(status: int, tries: int) -> None:
    with answering(status) as (url, calls):
        target = impatient(url)
        with pytest.raises(Refused, match="said") as refused:
            target.get("/a")
        assert (refused.value.status, len(calls)) == (status, tries)
        target.close()


def test_nobody_there_is_no_answer() -> None:
    target = impatient("http://127.0.0.1:1")
    with pytest.raises(NoAnswer, match=r"127\.0\.0\.1:1"):
        target.get("/a")
    target.close()


def test_a_source_whose_pages_go_in_a_circle_is_told_of() -> None:
    class Circle(Http):
        def get(self, path: str, /, **params: Any) -> Any:
            return {"metrics": [], "next_page_token": "again"}

    source = Mlflow(Circle("http://127.0.0.1:1", connections=1))
    with pytest.raises(Refused, match="again and again"):
        list(source.history("acc", RUN))


# -- work for many hands -----------------------------------------------------------------------


def job(**parts: Any) -> Job:
    nobody = Http("http://127.0.0.1:1", connections=1)
    known: dict[str, Any] = {
        "source": Mlflow(nobody),
        "here": Mlflow(nobody),
        "keep": Keep(nobody, "http://there"),
        "report": Report("there", "here"),
        "begin": lambda _: None,
        "tick": lambda: None,
        "pool": ThreadPoolExecutor(2),
    }
    return Job(**{**known, **parts})


def test_work_is_done_a_few_at_once_and_answered_in_order() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1_000):
            taken.append(number)
            yield number

    done = job().each(lambda number: number * 2, items())
    assert next(done) == 0
    assert len(taken) < 100  # the rest is not even asked for yet
    assert [0, *done] == [2 * number for number in range(1_000)]
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]


def test_points_are_packed_into_as_few_calls_as_may_be() -> None:
    sent: list[list[dict[str, Any]]] = []

    class Recorder(Http):
        def post(self, path: str, body: Any) -> Any:
            sent.append(body["metrics"])

    points = [(step, 0, float("nan")) for step in range(POINTS_LIMIT - 1)]
    keep = Keep(Recorder("http://127.0.0.1:1", connections=1), "http://there")
    keep.points([("a", "x", points), ("b", "x", points[:3]), ("c", "x", [])])
    assert [[(m["run_id"], len(m["points"])) for m in body] for body in sent] == [
        [("a", POINTS_LIMIT - 1), ("b", 1)],
        [("b", 2)],
    ]
    assert sent[1][0]["points"][0] == (1, 0, "NaN")


# -- places ------------------------------------------------------------------------------------


class Rooted:
    """Both sides of a run and of a logged model, with their artifacts where a test says."""

    def __init__(self, there: str, here: str) -> None:
        self.sides = there, here

    def side(self, index: int) -> Any:
        root = self.sides[index]

        class Side(Mlflow):
            def run(self, run_id: str) -> dict[str, Any]:
                if run_id != RUN:
                    raise Refused(404, "not found")
                return {"info": {"artifact_uri": root}}

            def logged_model(self, model_id: str) -> dict[str, Any]:
                return self.run(RUN if model_id == MODEL else "")

        return Side(Http("http://127.0.0.1:1", connections=1))


OURS = f"mlflow-artifacts:/7/{RUN}/artifacts"


@pytest.mark.parametrize(
    ("root", "source", "named"),
    [
        ("mlflow-artifacts:/1/R/artifacts", "mlflow-artifacts:/1/R/artifacts/model", "/model"),
        ("mlflow-artifacts:/1/R/artifacts", "mlflow-artifacts://h:5/1/R/artifacts/a/b", "/a/b"),
        ("mlflow-artifacts:/1/R/artifacts", "mlflow-artifacts:/1/R/artifacts", ""),
        ("mlflow-artifacts:/1/R/artifacts",
         "http://h/api/2.0/mlflow-artifacts/artifacts/1/R/artifacts/m%20n", "/m n"),
        ("/mlruns/1/R/artifacts", "/mlruns/1/R/artifacts/model", "/model"),
        ("file:///mlruns/1/R/artifacts", "/mlruns/1/R/artifacts/model/", "/model"),
        ("./mlruns/1/R/artifacts", "./mlruns/1/R/artifacts/model", "/model"),
    ],
)  # fmt: skip
def test_a_place_among_a_runs_artifacts_is_named_by_where_they_lie_here(
    root: str, source: str, named: str
) -> None:
    sides = Rooted(root.replace("/R/", f"/{RUN}/"), OURS)
    moved = job(source=sides.side(0), here=sides.side(1))
    source = source.replace("/R/", f"/{RUN}/")
    for run_id in (RUN, None):  # some versions do not say of which run they are
        assert origins.here(moved, {"run_id": run_id}, source) == OURS + named


@pytest.mark.parametrize(
    "source",
    ["s3://bucket/model", f"runs:/{RUN}/model", f"models:/{MODEL}", "models:/churn/3",
     "dummy-source", f"/mlruns/1/{RUN}/artifacts-of-another", "/somewhere/else", "dbfs:/x",
     f"/mlruns/1/{RUN}"],
)  # fmt: skip
def test_every_other_source_is_left_as_it_is(source: str) -> None:
    sides = Rooted(f"/mlruns/1/{RUN}/artifacts", OURS)
    moved = job(source=sides.side(0), here=sides.side(1))
    assert origins.here(moved, {"run_id": RUN}, source) == source


@pytest.mark.parametrize(
    ("source", "unlike", "waits"),
    [
        (f"runs:/{RUN}/model", "model/weights", True),
        (f"runs:/{RUN}/model", "model", True),
        (f"runs:/{RUN}/model", "", True),  # the whole could not be listed
        (f"runs:/{RUN}/model/deep", "model", True),  # nor could this folder
        (f"runs:/{RUN}/model", "models/weights", False),
        (f"runs:/{RUN}/model", "notes.txt", False),
        (OURS + "/model", "model/weights", True),
        (OURS, "notes.txt", True),
        (f"models:/{MODEL}", "MLmodel", True),
        (f"mlflow-artifacts:/7/models/{MODEL}/artifacts", "MLmodel", True),
        ("s3://bucket/model", "MLmodel", False),
    ],
)
def test_a_version_waits_for_the_files_that_it_is_made_of(
    source: str, unlike: str, waits: bool
) -> None:
    waiting = job(unlike={RUN: {unlike}, MODEL: {unlike}})
    assert (origins.unlike(waiting, source) is not None) == waits


# -- what fits, and what differs ---------------------------------------------------------------


def test_what_may_not_be_here_is_left_out_of_its_run_and_named() -> None:
    given = {
        "tags": {"fine": "1", "a//b": "2", "long": "x" * 8_001},
        "params": {"fine": "1", "..": "2"},
        "datasets": [
            {"name": "ds", "digest": "a", "source_type": "", "source": "", "schema": None,
             "profile": None, "tags": {}},
            {"name": "ds", "digest": "x" * 37, "source_type": "", "source": "", "schema": None,
             "profile": None, "tags": {}},
        ],
    }  # fmt: skip
    left = fitting.run(given)
    assert [what for what, _ in left] == ["tag 'a//b'", "tag 'long'", "param '..'", "data set 'ds'"]
    assert (given["tags"], given["params"]) == ({"fine": "1"}, {"fine": "1"})
    assert len(given["datasets"]) == 1
    assert fitting.path("a/../b")
    assert fitting.metric_key("/x")
    assert not fitting.metric_key("acc/val")


def test_differences_name_the_part_and_both_sides() -> None:
    there = {"name": "a", "tags": {"x": "1", "y": "2"}, "end_ms": None, "id": 1}
    here = {"name": "b", "tags": {"x": "1", "z": "3"}, "end_ms": 5, "id": 2}
    assert facts.differences(there, here, ("id",)) == [
        "name is 'a' there and 'b' here",
        "tags.y is '2' there and nothing here",
        "tags.z is nothing there and '3' here",
        "end_ms is nothing there and 5 here",
    ]


def test_a_report_agrees_only_if_every_count_does_and_nothing_is_told() -> None:
    report = Report("there", "here")
    report.saw(RUNS, 2)
    report.same(RUNS)
    assert not report.agrees
    report.same(RUNS)
    assert (report.agrees, report.is_new) == (True, False)
    report.count(RUNS, End.CREATED)
    assert report.is_new
    report.differs(RUNS, "one", "because")
    assert not report.agrees
