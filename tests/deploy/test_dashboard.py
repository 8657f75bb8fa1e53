"""The dashboard and the alert rules, held against what a real server's `/metrics` shows."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.deploying import DEPLOY
from tests.support.server import Server

DASHBOARD = json.loads((DEPLOY / "grafana" / "modelkeep.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
PANELS: list[dict[str, Any]] = [p for p in DASHBOARD["panels"] if p["type"] != "row"]
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
NAME = re.compile(r"\b(?:modelkeep|process)_\w+")
SELECTION = re.compile(r"\b((?:modelkeep|process)_\w+)\{([^}]*)\}")
OF_PROMETHEUS = {"job", "instance"}
WAIT_S = 60.0
API = "/api/2.0/mlflow"

Labels = dict[str, set[str]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labels]:
    """The names of a server's metrics that has done a little of everything, with their labels."""
    server = Server(tmp_path_factory.mktemp("watched") / "data")
    server.start()
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        http.post(f"{API}/registered-models/create", json={"name": "churn"})
        http.get("/api/v1/models/churn")
        deadline = time.monotonic() + WAIT_S
        while "modelkeep_checkpoint_age_seconds" not in (text := http.get("/metrics").text):
            assert time.monotonic() < deadline  # it is signed within a second
    yield {
        sample.name: set(sample.labels) | {"process"}  # of one of several processes
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    server.kill()


@pytest.mark.parametrize("where", ["dashboard", "alerts"])
def test_every_metric_that_is_asked_for_is_there_with_its_labels(seen: Labels, where: str) -> None:
    queries = QUERIES if where == "dashboard" else [rule["expr"] for rule in RULES]
    names = {name for query in queries for name in NAME.findall(query)}
    assert len(names) > 10
    assert names <= seen.keys(), names - seen.keys()
    for query in queries:
        for name, selection in SELECTION.findall(query):
            labels = set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)\"", selection))
            assert labels <= seen[name] | OF_PROMETHEUS, query
        grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", query))))
        had = set().union(*(seen[name] for name in NAME.findall(query))) | OF_PROMETHEUS
        assert grouped <= had, query


def test_what_a_server_tells_is_shown(seen: Labels) -> None:
    shown = {name for query in QUERIES for name in NAME.findall(query)}
    ours = {name for name in seen if name.startswith("modelkeep_")}
    untold = {name for name in ours if re.sub("_(bucket|count|sum|created)$", "", name) == name}
    assert untold - shown == {"modelkeep_searches_running", "modelkeep_searches_waiting"}


def test_a_metric_that_is_not_there_would_be_found(seen: Labels) -> None:
    (name,) = NAME.findall('rate(modelkeep_http_request_total{job="a"}[5m])')
    assert name not in seen


def test_the_dashboard_is_one_that_grafana_takes_as_it_is() -> None:
    assert DASHBOARD["schemaVersion"] >= 39
    assert VARIABLES["datasource"]["type"] == "datasource"
    assert VARIABLES["datasource"]["query"] == "prometheus"
    assert "id" not in DASHBOARD  # which Grafana gives
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in PANELS:
        assert panel["title"]
        assert panel["type"] in ("timeseries", "stat", "state-timeline")
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= VARIABLES.keys() | {
                "__rate_interval"
            }
            for _, selection in SELECTION.findall(target["expr"]):
                assert selection.startswith('job=~"$job", instance=~"$instance"')


def test_no_panel_lies_on_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_every_alert_says_what_a_person_is_to_do() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) >= 8
    assert all(rule["expr"] and rule["annotations"]["summary"] for rule in RULES)
