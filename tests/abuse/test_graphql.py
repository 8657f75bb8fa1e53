"""Queries that cost more to answer than to send (CVE-2025-0453), and those that are none."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.abuse.test_paths_and_sources import Attacker
from tests.support.server import Server

JSON = "application/json"


@pytest.fixture
def attacker(server: Server) -> Iterator[Attacker]:
    with closing(Attacker(server)) as attacker:
        yield attacker


def errors(attacker: Attacker, query: str) -> str:
    """What is wrong with a query, of which nothing may have been answered."""
    body = json.dumps({"query": query}).encode()
    status, answer = attacker.send("POST", "/graphql", body, JSON)
    assert status == 200, answer
    told = json.loads(answer)
    assert told["data"] is None
    assert len(answer) < 10_000
    return told["errors"][0]


def nested(levels: int) -> str:
    return "{a" * levels + "}" * levels


BEYOND = (
    ("{" + "test{output}" * 11 + "}", "at most 10 root fields, got 11"),
    ("{" + " ".join(f"a{i}:test{{output}}" for i in range(11)) + "}", "at most 10 root fields"),
    ("{...F ...F}fragment F on Query{" + "test{output}" * 11 + "}", "at most 10 root fields"),
    ("{test{" + " ".join(f"a{i}:output" for i in range(11)) + "}}", "at most 10 aliases"),
    (nested(11), "maximum depth of 10"),
    (nested(2000), "nested too deeply"),
    ("{test(inputString:" + "[" * 3000 + "]" * 3000 + "){output}}", "nested too deeply"),
    ("{test{" + "output " * 1001 + "}}", "maximum total selections of 1000"),
    # One that is not used is read all the same.
    ("{test{output}}fragment F on Test{" + "output " * 1001 + "}", "maximum total selections"),
    ("{test{...F}}fragment F on Test{...G}fragment G on Test{...F}", "Cannot spread fragment"),
    ("{" + "a " * 10_001 + "}", "more than 10000 tokens"),
    ("#\n" * 1_001 + "{test{output}}", "comments"),
    ("{__schema{types{name}}}", "introspection has been disabled"),
    ('{__type(name:"Query"){name}}', "introspection has been disabled"),
    ("{", "Syntax Error"),
    ('{test(inputString:"\\ud800"){output}}', "Syntax Error"),
    ("subscription{test{output}}", "subscription"),
    ("mutation{createRun{run}}", "Cannot query field"),
)


NO_QUERIES = (
    b"",
    b"[]",
    b"{}",
    b'{"query": 5}',
    b'{"query": "{test{output}}", "variables": {"a": "\\ud800"}}',
    b'{"query": "{test{output}}", "variables": 5}',
    b'{"query": "{test{output}}", "variables": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
    b'{"query": "' + b"a" * (1 << 20) + b'"}',
)


def test_a_query_beyond_the_bounds_is_not_begun(attacker: Attacker) -> None:
    for query, told in BEYOND:
        assert told in errors(attacker, query)


def test_a_query_makes_only_so_many_calls(attacker: Attacker) -> None:
    for _ in range(101):
        attacker.run()
    query = '{mlflowSearchRuns(input:{experimentIds:["0"]}){runs{modelVersions{name}}}}'
    assert "at most 100 calls" in errors(attacker, query)


def test_a_body_that_is_no_query_is_the_clients_mistake(attacker: Attacker) -> None:
    for body in NO_QUERIES:
        status, answer = attacker.send("POST", "/graphql", body, JSON)
        assert (status, json.loads(answer)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_an_answer_has_only_so_many_fields(attacker: Attacker) -> None:
    run = attacker.run()
    for first in range(0, 2000, 1000):
        steps = range(first, first + 1000)
        points = [{"key": "m", "value": 1, "timestamp": 1, "step": step} for step in steps]
        attacker.made("runs/log-batch", run_id=run, metrics=points)
    found = " ".join(f"f{i}:key" for i in range(10))
    asked = f'mlflowGetMetricHistoryBulkInterval(input:{{runIds:["{run}"],metricKey:"m"}})'
    point = "{" + found + " key value step timestamp runId}"
    lists = " ".join(f"l{i}:metrics{point}" for i in range(2))
    query = "{" + " ".join(f"r{i}:{asked}{{{lists}}}" for i in range(10)) + "}"
    assert "over 500000 fields" in errors(attacker, query)


def test_only_json_is_read(attacker: Attacker) -> None:
    query = b'{"query": "{test{output}}"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert attacker.send("POST", "/graphql", query, kind)[0] == 400, kind
    assert attacker.send("GET", "/graphql?query={test{output}}")[0] == 400
