"""What `--json` prints, held against what `--help` says of it: every field, in a real answer."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from modelkeep.cli.commands import app
from modelkeep_client import Client
from tests.conftest import StartServer

POLICY = """
model_registry:
  stage_transitions:
    None -> Staging: {approval_required: true}
    Production -> Archived: {approval_required: true}
"""
WEBHOOK = "create w http://127.0.0.1:1/x --event MODEL_VERSION/CREATED"


def fields(text: str) -> set[str]:
    """The names at the top of the first object after `JSON:`."""
    said = " ".join(text.split()).partition("JSON: ")[2]
    depth, found = 0, set()
    for token in re.findall(r'[{\[]|[}\]]|"\w+"|;', said):
        if token in ("{", "["):
            depth += token == "{"
        elif token in ("}", "]"):
            depth -= token == "}"
            if depth == 0:
                return found
        elif token != ";" and depth == 1:
            found.add(token.strip('"'))
    return found


def told(line: str, url: str) -> Any:
    ended = CliRunner().invoke(app, [*line.split(), "--json", "--url", url], env={"COLUMNS": "500"})
    assert ended.stdout, (line, ended.output)
    return json.loads(ended.stdout)


@pytest.fixture
def busy(start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server with something of most kinds."""
    server = start_server("--webhook-allow-private")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELKEEP_USER", "ann")
    Path("policy.yaml").write_text(POLICY)
    Path("card.md").write_text("# Card\n")
    with Client(server.url, user="rob") as rob:
        rob.create_model("churn")
        for _ in range(2):
            rob.register("churn", source="s3://elsewhere/model")
    return server.url


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning"
)  # a command's process is its connection's end
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_json_has_the_fields_that_help_names(busy: str) -> None:
    hook = told(f"webhooks {WEBHOOK} --description x", busy)["id"]
    for line in (
        "promote churn/1 --to Production --reason better",
        "policy test policy.yaml",
        "policy apply policy.yaml",
        "policy show",
        "policy show --revision 1",
        "policy list",
        "gate check churn/2 --to Staging",
        "promote churn/2 --to Staging",
        "requests",
        "comment 1 which-data?",
        "approve 1 --comment seen --user bob",
        "emergencies break-glass churn/1 --to Archived --reason fire",
        "emergencies list",
        "documents attach churn/1 card card.md",
        "documents list churn/1",
        "documents show churn/1 card",
        "at churn 2026-11-20T10:00",
        "history churn",
        "lifecycle show churn",
        "retention plan churn",
        "audit show",
        "audit status",
        "audit key",
        "audit prove 1",
        "audit extends 1 2",
        "audit verify",
        f"webhooks test {hook}",
        f"webhooks show {hook}",
        "webhooks list",
        f"webhooks delete {hook}",
        "models list",
        "versions list churn",
        "compare churn",
        "lineage churn/1",
        "diff churn/1 churn/2",
        "whoami",
    ):
        found = told(line, busy)
        words = [word for word in line.split() if not word.startswith("-")]
        helped = CliRunner().invoke(app, [*words[: named(words)], "--help"])
        first = found[0] if isinstance(found, list) else found
        assert fields(helped.stdout) == set(first), line


def named(words: list[str]) -> int:
    """How many words name the command: two for those of a group."""
    groups = {group.name for group in app.registered_groups}
    return 2 if words[0] in groups else 1
