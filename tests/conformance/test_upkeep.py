"""Holds and the commands that look after the bytes, as people and clients meet them."""

from pathlib import Path

import httpx

from tests.conftest import StartServer
from tests.support.cli import modelkeep

API = "/api/2.0/mlflow"


def test_a_held_version_is_deleted_by_no_dialect_until_it_is_released(
    start_server: StartServer,
) -> None:
    server = start_server()
    with httpx.Client(base_url=server.url, auth=("ann", "-"), trust_env=False) as http:
        http.post(f"{API}/registered-models/create", json={"name": "churn"})
        version = {"name": "churn", "source": "s3://bucket/model"}
        http.post(f"{API}/model-versions/create", json=version)
        held = modelkeep("hold", "churn/1", "--reason", "case 17", url=server.url, user="bob")
        assert (held.code, held.out) == (0, "churn/1 is held by bob.\n")
        listed = modelkeep("holds", "--json", url=server.url)
        assert [(h["model"], h["version"], h["reason"]) for h in listed.json] == [
            ("churn", 1, "case 17")
        ]
        again = modelkeep("hold", "churn/1", "--reason", "x", url=server.url, user="eve")
        assert (again.code, "held by bob already" in again.err) == (1, True)
        one = {"name": "churn", "version": "1"}
        refusals = [
            http.request("DELETE", f"{API}/model-versions/delete", json=one),
            http.request("DELETE", f"{API}/registered-models/delete", json={"name": "churn"}),
        ]
        for refused in refusals:
            assert refused.status_code == 403
            assert "hold 1 of bob keeps it" in refused.json()["message"]
        done = modelkeep("release", "churn/1", "--reason", "settled", url=server.url, user="bob")
        assert (done.code, done.out) == (0, "churn/1 is held no longer.\n")
        gone = http.request("DELETE", f"{API}/model-versions/delete", json=one)
        assert gone.status_code == 200
    assert modelkeep("audit", "verify", url=server.url).code == 0
    for command in ("gc", "fsck"):
        assert modelkeep(command, "--data-dir", server.data_dir).code == 0


def test_commands_without_a_registry_say_so(tmp_path: Path) -> None:
    for command in (("gc",), ("fsck",), ("backup", tmp_path / "b")):
        ended = modelkeep(*command, "--data-dir", tmp_path / "nowhere")
        assert (ended.code, "There is no modelkeep database" in ended.err) == (64, True)
    ended = modelkeep("restore", tmp_path / "b", "--data-dir", tmp_path / "new")
    assert (ended.code, (tmp_path / "new").exists()) == (64, False)
