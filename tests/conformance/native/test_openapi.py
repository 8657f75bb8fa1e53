"""The API as it describes itself, and whether it keeps to that."""

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from modelkeep.domain.access import Verb
from modelkeep_client import Client, InvalidCall
from tests.support.clients import ROOT
from tests.support.server import Server

NATIVE = "/api/v1"
PROBLEM = "application/problem+json"
CHANGES = ("post", "put", "patch", "delete")
# A file may be sent twice by its nature; what only reads may be asked for in a body; and nothing is
# kept of a call that brings a password. All of these do no harm twice.
WITHOUT_KEY = {
    *("put_file", "digest_points", "rehearse_policy", "match_experiment", "match_model"),
    *("set_password", "sign_in", "sign_out", "make_first_admin"),
}
FUZZ_S = int(os.environ.get("MODELKEEP_FUZZ_S", "0"))  # 0: the same calls each time
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_schema_conformance", "unsupported_method")  # fmt: skip


@pytest.fixture
def openapi_tools() -> Path:
    """The folder of commands that validate and fuzz an API by its description."""
    python = os.environ.get("MODELKEEP_OPENAPI_PYTHON")
    folder = Path(python).parent if python else ROOT / ".envs" / "openapi" / "bin"
    if not (folder / "schemathesis").exists():
        pytest.skip(f"There is no {folder}/schemathesis. `make test` installs it.")
    return folder


@pytest.fixture
def described(server: Server) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}{NATIVE}/openapi.json", trust_env=False, timeout=60)
    assert answer.status_code == 200
    return answer.json()


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_operation_has_a_name_a_summary_examples_and_its_problems(
    described: dict[str, Any],
) -> None:
    assert described["openapi"].startswith("3.1")
    ids = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(ids) == len(set(ids)) > 40
    for path, method, operation in operations(described):
        assert len(operation["summary"]) > 5, path
        assert operation["tags"], path
        statuses = set(operation["responses"])
        assert {"400", "401", "403", "500", "503"} <= statuses, path
        assert method not in CHANGES or {"404", "409", "413", "422"} <= statuses, path
        bodies = [operation.get("requestBody", {})]
        bodies += [operation["responses"][status] for status in statuses if status < "300"]
        for body in bodies:
            for kind, content in body.get("content", {}).items():
                assert kind != "application/json" or "example" in content, path
        required = [p for p in operation["parameters"] if p["required"]]
        assert all("example" in parameter for parameter in required), path
        for status in statuses - {"200", "204"}:
            name = operation["responses"][status]["$ref"].rpartition("/")[2]
            problem = described["components"]["responses"][name]["content"][PROBLEM]
            told = [example["value"] for example in problem["examples"].values()]
            assert {value["status"] for value in told} == {int(status)}, (path, status)
    nouns = {tag["name"] for tag in described["tags"] if len(tag["description"]) > 10}
    assert {tag for _, _, o in operations(described) for tag in o["tags"]} == nouns


def test_what_the_journal_answers_has_a_shape(described: dict[str, Any]) -> None:
    """Nothing but what depends on the act is any object."""
    by_name = {operation["operationId"]: operation for _, _, operation in operations(described)}
    for name in ("journal_entries", "model_history", "request_receipts", "model_at"):
        content = by_name[name]["responses"]["200"]["content"]["application/json"]
        schema = content["schema"]
        assert "$ref" in schema.get("items", schema), name
        assert content["example"], name


def test_every_operation_says_what_it_takes_to_be_allowed(described: dict[str, Any]) -> None:
    assert set(described["components"]["securitySchemes"]) == {"bearer", "basic"}
    wanted = {o["operationId"]: o["security"] for _, _, o in operations(described)}
    assert [name for name, security in wanted.items() if not security] == ["sign_in"]
    for name, verb in (("promote", "promote"), ("approve", "approve"), ("apply_policy", "admin"),
                       ("create_model", "write"), ("get_model", "read"), ("read_file", "download"),
                       ("review_emergency", "approve")):  # fmt: skip
        assert wanted[name] == [{"bearer": [verb]}, {"basic": [verb]}]
    assert wanted["list_models"] == [{"bearer": []}, {"basic": []}]  # what one may see of them
    verbs = {verb for ways in wanted.values() for way in ways for words in way.values()
             for verb in words}  # fmt: skip
    assert verbs <= {verb.value for verb in Verb}


def test_a_query_parameter_that_a_call_does_not_have_is_refused(
    described: dict[str, Any], server: Server
) -> None:
    """By each of them, naming it and those that it has."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        for path, method, operation in operations(described):
            named = {p["name"]: str(p.get("example", "x")) for p in operation["parameters"]}
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/json", {}).get("example")
            known = sorted(p["name"] for p in operation["parameters"] if p["in"] == "query")
            answer = http.request(method, path.format_map(named), json=body, params={"typo": "1"})
            assert answer.status_code == 400, (path, answer.text)
            if method != "head":
                said = answer.json()["detail"]
                assert said.startswith("'typo' is no query parameter"), (path, said)
                assert all(name in said for name in known), (path, said)
        said = http.get(f"{NATIVE}/requests", params={"stauts": "pending"}).json()["detail"]
        assert said.endswith("known here: status. Did you mean 'status'?")


def test_a_time_that_is_yet_to_come_is_refused(server: Server) -> None:
    with Client(server.url) as client:
        client.create_model("churn")
        ahead = datetime.now(UTC) + timedelta(hours=1)
        with pytest.raises(InvalidCall, match="in the future: it is 20"):
            client.at("churn", ahead.isoformat())
        asked = datetime.now(UTC) + timedelta(seconds=30)  # by a clock that is fast
        assert datetime.fromisoformat(client.at("churn", asked.isoformat()).at) < asked


def test_every_change_takes_an_idempotency_key_and_its_own_example(
    described: dict[str, Any], server: Server
) -> None:
    """A key that cannot be one is refused, by each of them, before anything else is looked at: so
    the body was right, and the key was read."""
    checked = 0
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        for path, method, operation in operations(described):
            if method not in CHANGES or operation["operationId"] in WITHOUT_KEY:
                continue
            named = {p["name"]: str(p.get("example", "")) for p in operation["parameters"]}
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/json", {}).get("example")
            asked = {p["name"] for p in operation["parameters"]
                     if p["in"] == "query" and p["required"]}  # fmt: skip
            query = {name: named[name] for name in asked}
            for key in ("x" * 256, "", "a\tb"):
                answer = http.request(method, path.format_map(named), json=body, params=query,
                                      headers={"Idempotency-Key": key})  # fmt: skip
                assert answer.status_code == 400, (path, answer.text)
                assert "Idempotency-Key has 1 to 255" in answer.json()["detail"], (
                    path,
                    answer.text,
                )
            checked += 1
    assert checked > 20


def test_a_page_tells_what_each_kind_of_problem_means(server: Server) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        kinds = http.get(f"{NATIVE}/problems").json()
        assert {"not_found", "refused", "key_reused", "internal"} <= {k["code"] for k in kinds}
        for kind in kinds:
            assert http.get(kind["type"]).json() == kind
        refused = http.get(f"{NATIVE}/models/none").json()
        assert http.get(refused["type"]).json()["title"] == refused["title"]


@pytest.mark.client
def test_the_description_is_valid_openapi(
    described: dict[str, Any], openapi_tools: Path, tmp_path: Path
) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(described))
    ended = subprocess.run(
        [openapi_tools / "python", "-m", "openapi_spec_validator", "--errors", "all", file],
        check=False, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]


@pytest.mark.client
def test_every_example_fits_its_schema(
    described: dict[str, Any], openapi_tools: Path, tmp_path: Path
) -> None:
    def misfits(document: dict[str, Any]) -> str:
        file = tmp_path / "openapi.json"
        file.write_text(json.dumps(document))
        script = ROOT / "tests" / "support" / "openapi_examples.py"
        ended = subprocess.run(
            [openapi_tools / "python", script, file],
            check=False, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        assert ended.stderr == ""
        return ended.stdout

    assert misfits(described).endswith(" examples, 0 errors\n")
    moves = described["paths"][f"{NATIVE}/promotions"]["post"]
    moves["requestBody"]["content"]["application/json"]["example"]["version"] = []
    assert "/promotions" in misfits(described)


@pytest.mark.client
@pytest.mark.timeout(400 + 3 * FUZZ_S)
def test_no_call_that_can_be_made_of_the_description_has_an_answer_that_is_not_in_it(
    server: Server, openapi_tools: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}\n")
    with Client(server.url, user="ann") as client:  # so that not all is refused as unknown
        client.create_model("churn")
        for _ in range(4):
            client.register("churn", folder=model)
        client.promote("churn", 3, "Production")
    bound = ("--max-time", str(FUZZ_S)) if FUZZ_S else ("--generation-deterministic",)
    ended = subprocess.run(
        [openapi_tools / "schemathesis", "run", f"{server.url}{NATIVE}/openapi.json",
         "--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing",
         "--max-examples", "3", *bound, "--request-timeout", "60",
         "--no-color", "--suppress-health-check", "all"],
        check=False, cwd=tmp_path, capture_output=True, text=True, timeout=380 + 2 * FUZZ_S,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert "Traceback" not in server.log_text()
