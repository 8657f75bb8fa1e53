"""Calls that are made again, over the wire."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.office import Office
from tests.support.receiver import Receiver
from tests.support.server import Server

NATIVE = "/api/v1"
POLICY = "model_registry: {stage_transitions: {None -> Production: {required_tags: [tested]}}}"


@pytest.fixture
def http_(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}{NATIVE}", trust_env=False, timeout=60) as client:
        yield client


def send(
    http: httpx.Client, key: str, path: str, method: str = "POST", **body: Any
) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return http.request(method, path, headers=headers, json=body or None)


def replayed(answer: httpx.Response) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


def acts(http: httpx.Client) -> list[str]:
    return [entry["act"] for entry in http.get("/journal/entries", params={"limit": 1000}).json()]


def test_the_first_answer_is_given_again_to_the_letter(http_: httpx.Client) -> None:
    first = send(http_, "a", "/models", name="churn")
    again = send(http_, "a", "/models", name="churn")
    assert (replayed(first), replayed(again)) == (False, True)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    gone = [send(http_, "b", "/models/churn", "DELETE") for _ in range(2)]
    assert [(g.status_code, g.content, replayed(g)) for g in gone] == [
        (204, b"", False),
        (204, b"", True),
    ]
    assert acts(http_) == ["model:created", "model:deleted"]


def test_a_refusal_is_an_answer_that_is_kept(http_: httpx.Client) -> None:
    send(http_, "model", "/models", name="churn")
    send(http_, "version", "/models/churn/versions", source="s3://elsewhere/model")
    http_.post("/policy", json={"source": POLICY})
    order = {"model": "churn", "version": 1, "stage": "Production"}
    first = send(http_, "move", "/promotions", **order)
    again = send(http_, "move", "/promotions", **order)
    assert (first.status_code, replayed(again), again.content) == (403, True, first.content)
    assert again.headers["content-type"] == "application/problem+json"
    assert again.json()["decision"]["verdicts"][0]["outcome"] == "failed"
    assert sum("refused" in act for act in acts(http_)) == 1
    http_.patch("/models/churn/versions/1", json={"tags": {"tested": "yes"}})
    assert send(http_, "another", "/promotions", **order).json()["result"] == "moved"


def test_a_key_with_another_call_is_refused(http_: httpx.Client) -> None:
    send(http_, "a", "/models", name="churn")
    for answer in (
        send(http_, "a", "/models", name="other"),
        send(http_, "a", "/models/churn", "PATCH", name="churn"),
        send(http_, "a", "/models/churn", "DELETE"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    theirs = http_.post("/models", json={"name": "other"}, headers={"Idempotency-Key": "a"},
                        auth=("bob", "-"))  # fmt: skip
    assert theirs.status_code == 200


def test_a_call_has_one_key_that_can_be_one(http_: httpx.Client) -> None:
    for keys, said in (
        (["a", "b"], "one header Idempotency-Key"),
        (["a", "a"], "one header Idempotency-Key"),
        ([""], "1 to 255 printable"),
        (["x" * 256], "1 to 255 printable"),
    ):
        headers = [("Idempotency-Key", key) for key in keys]
        answer = http_.post("/models", json={"name": "churn"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
        assert said in answer.json()["detail"]
    assert acts(http_) == []


def test_what_is_due_is_done_and_told_once(http_: httpx.Client) -> None:
    first, again = (send(http_, "a", "/retention/runs", model="none") for _ in range(2))
    assert (first.status_code, again.status_code) == (404, 404)  # nothing was done, nothing is kept
    http_.post("/models", json={"name": "churn"})
    first, again = (send(http_, "a", "/retention/runs", model="churn") for _ in range(2))
    assert (first.content, replayed(again)) == (again.content, True)
    assert first.json()[0]["due"] == []


def test_a_token_is_made_once_and_its_secret_told_once(start_server: StartServer) -> None:
    server = start_server("--auth", "on")
    office = Office(server)
    headers = {"Authorization": f"Bearer {office.token}"}
    with httpx.Client(
        base_url=f"{server.url}{NATIVE}", trust_env=False, timeout=60, headers=headers
    ) as http:
        for kind in ({"name": "rob"}, {"name": "trainer", "kind": "service", "owner": "rob"}):
            made = [send(http, f"make {kind['name']}", "/accounts", **kind) for _ in range(2)]
            assert [(m.status_code, replayed(m)) for m in made] == [(200, False), (200, True)]
        first, again = (send(http, "a", "/accounts/rob/tokens", label="ci") for _ in range(2))
        told = first.json()
        assert (first.status_code, again.status_code) == (200, 409)
        assert again.json()["code"] == "conflict"
        assert told["id"] in again.json()["detail"]
        assert told["token"] not in again.text
        assert [token["id"] for token in http.get("/accounts/rob/tokens").json()] == [told["id"]]
        revoked = [
            send(http, "gone", f"/accounts/rob/tokens/{told['id']}", "DELETE") for _ in range(2)
        ]
        assert [r.status_code for r in revoked] == [204, 204]
    with closing(sqlite3.connect(server.data_dir / "modelkeep.db")) as db:
        kept = " ".join(str(row) for row in db.execute("SELECT * FROM replies"))
    assert told["id"] in kept
    assert told["token"] not in kept


def test_what_failed_may_be_tried_again_under_its_key(http_: httpx.Client) -> None:
    assert send(http_, "a", "/models/churn/versions", source="s3://b/m").status_code == 404
    http_.post("/models", json={"name": "churn"})
    assert send(http_, "a", "/models/churn/versions", source="s3://b/m").json()["version"] == 1


def test_of_many_at_once_one_has_an_effect(http_: httpx.Client) -> None:
    http_.post("/models", json={"name": "churn"})
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(
            lambda _: send(http_, "a", "/models/churn/versions", source="s3://b/m"), range(24)
        ))  # fmt: skip
    assert {answer.content for answer in answers} == {answers[0].content}
    assert [replayed(answer) for answer in answers].count(False) == 1
    assert acts(http_) == ["model:created", "version:created"]


def test_a_webhook_is_tried_out_once(start_server: StartServer, receiver: Receiver) -> None:
    server = start_server("--webhook-allow-private")
    with httpx.Client(base_url=f"{server.url}{NATIVE}", trust_env=False, timeout=60) as http:
        facts = {"name": "w", "url": receiver.url, "events": ["PROMPT/CREATED"]}
        made = [send(http, "make", "/webhooks", **facts) for _ in range(2)]
        assert made[0].content == made[1].content
        path = f"/webhooks/{made[0].json()['id']}"
        tried = [send(http, "try", f"{path}/test", event="PROMPT/CREATED") for _ in range(2)]
        assert [replayed(answer) for answer in tried] == [False, True]
        assert tried[0].json() == tried[1].json()
        assert len(http.get(f"{path}/deliveries").json()) == 1


def test_a_server_killed_before_it_answers_has_done_each_call_once(
    start_server: StartServer, database_url: str
) -> None:
    """Calls whose answers nobody reads, a kill once some are committed, and all of them again."""
    calls = 40
    server = start_server(database_url=database_url)
    with httpx.Client(base_url=f"{server.url}{NATIVE}", trust_env=False, timeout=60) as http:
        http.post("/models", json={"name": "churn"})

        def register(number: int) -> httpx.Response:
            return send(http, f"key-{number}", "/models/churn/versions", source=f"s3://b/{number}")

        def lost(number: int) -> None:
            with suppress(httpx.TransportError):
                register(number)

        with ThreadPoolExecutor(8) as pool:
            for number in range(calls):
                pool.submit(lost, number)
            until_some_are_kept(server, database_url)
            server.kill()
        server.start()
        answers = [register(number) for number in range(calls)]
        assert any(replayed(answer) for answer in answers)
        found = http.get("/models/churn/versions", params={"limit": 1000}).json()["versions"]
    told = {answer.json()["source"]: answer.json()["version"] for answer in answers}
    assert told == {version["source"]: version["version"] for version in found}
    assert len(told) == calls


def until_some_are_kept(server: Server, database_url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if database_url:
            import psycopg

            with psycopg.connect(database_url) as db:
                row = db.execute("SELECT count(*) FROM replies").fetchone()
        else:
            with closing(sqlite3.connect(server.data_dir / "modelkeep.db")) as db:
                row = db.execute("SELECT count(*) FROM replies").fetchone()
        if row and row[0] >= 5:
            return
    raise AssertionError("nothing was kept")
