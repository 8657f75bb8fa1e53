"""The SDK, against real servers: the whole job without an MLflow client, and what can go wrong."""

import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

import modelkeep_client as sdk
from modelkeep_client import Client, credentials, files
from tests.conftest import StartServer
from tests.support.receiver import Receiver
from tests.support.server import Server

POLICY = """
model_registry:
  single: [Production]
  stage_transitions:
    None -> Production:
      required_tags: [tested]
      approval_required: true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a model: small, large, and deep."""
    made = tmp_path / "model"
    (made / "data" / "ö").mkdir(parents=True)
    (made / "MLmodel").write_text("flavors: {}\n")
    (made / "data" / "weights.bin").write_bytes(bytes(range(256)) * 4096)
    (made / "data" / "ö" / "a b+c%20.txt").write_text("deep")
    return made


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, user="ann") as made:
        yield made


def now() -> str:
    return datetime.now(UTC).isoformat()


def other(client: Client, user: str) -> Client:
    return Client(client._transport.url, user=user)


def test_the_whole_job_is_done_without_another_client(
    client: Client, tmp_path: Path, folder: Path
) -> None:
    client.create_model("churn", "who leaves", {"team": "risk"})
    first = client.register("churn", folder=folder, tags={"tested": "yes"})
    (folder / "MLmodel").write_text("flavors: {better: {}}\n")
    second = client.register("churn", folder=folder)
    assert (first.status, first.author, second.version) == ("verified", "ann", 2)
    assert first.manifest != second.manifest
    assert files.digest(client.artifacts("churn", 1)) == first.manifest
    assert client.policies.apply(POLICY).changed

    with pytest.raises(sdk.Refused) as refused:
        client.promote("churn", 2, "Production", reason="better")
    assert [v.gate for v in refused.value.verdicts if v.outcome == "failed"] == ["tags"]
    assert client.change_version("churn", 2, description="new", tags={"tested": "yes"}).tags == {
        "tested": "yes"
    }
    with pytest.raises(sdk.Waiting) as waiting:
        client.promote("churn", 2, "Production", reason="better")
    assert [r.id for r in client.requests.list()] == [waiting.value.request]
    assert client.requests.get(waiting.value.request or 0).evidence_is_current is True
    with pytest.raises(sdk.Refused, match="author"):
        client.requests.approve(waiting.value.request or 0, "my own")
    with closing(other(client, "bob")) as bob:
        assert bob.requests.approve(waiting.value.request or 0, "looked at it").is_done
    assert client.version("churn", "@champion").version == 2

    assert client.requests.list() == []
    slots = {slot.slot: slot for slot in client.slots("churn")}
    assert (slots["stage:Production"].versions, slots["stage:Production"].epoch) == ((2,), 1)
    assert slots["stage:Staging"].epoch == 0
    with pytest.raises(sdk.StaleEpoch):
        client.set_alias("churn", "candidate", 1, epoch=7)
    assert client.set_alias("churn", "candidate", 1, epoch=0).is_done
    assert client.delete_alias("churn", "candidate", epoch=1).is_done
    with pytest.raises(sdk.NotFound, match="candidate"):
        client.delete_alias("churn", "candidate")
    with pytest.raises(sdk.Refused):
        client.delete_version("churn", 2)
    with pytest.raises(sdk.Conflict, match="nothing to return to"):
        client.rollback("churn", reason="worse")

    assert client.download("churn", "Production", tmp_path / "here") == tmp_path / "here"
    assert (tmp_path / "here" / "MLmodel").read_text() == "flavors: {better: {}}\n"
    held = {stay.slot: stay.version for stay in client.at("churn", now()).slots}
    assert held == {"stage:Production": 2, "alias:champion": 2}
    assert client.lineage("churn", 2).version.version == 2
    assert [v.version for v in client.compare("churn", [1, 2]).versions] == [1, 2]


def test_models_are_changed_all_at_once_or_not_at_all(client: Client) -> None:
    client.create_model("a")
    client.create_model("b", tags={"x": "1", "y": "2"})
    with pytest.raises(sdk.AlreadyExists):
        client.change_model("b", new_name="a", description="lost", tags={"x": None})
    assert (client.model("b").description, client.model("b").tags) == ("", {"x": "1", "y": "2"})
    changed = client.change_model("b", new_name="c", description="kept", tags={"x": None, "z": "3"})
    assert (changed.name, changed.description, changed.tags) == ("c", "kept", {"y": "2", "z": "3"})
    client.delete_model("a")
    assert [model.name for model in client.models()] == ["c"]
    for name in ("a/b", "", "x" * 300):
        with pytest.raises(sdk.InvalidCall):
            client.create_model(name)


def test_lists_go_on_over_their_pages(client: Client) -> None:
    client.create_model("churn")
    for number in range(5):
        client.register("churn", source=f"s3://elsewhere/{number}")
    assert [v.version for v in client.versions("churn", page_size=2)] == [5, 4, 3, 2, 1]
    for number in range(3):
        client.create_model(f"m{number}")
    assert [m.name for m in client.models(page_size=2)] == ["churn", "m0", "m1", "m2"]
    assert [m.name for m in client.models("name LIKE 'm%'", page_size=1)] == ["m0", "m1", "m2"]
    entries = list(client.journal.entries(page_size=2))
    assert [entry.index for entry in entries] == list(range(9))
    assert len(list(client.history("churn", page_size=2))) == 6


def test_an_upload_becomes_one_version(client: Client, folder: Path) -> None:
    client.create_model("churn")
    upload, _ = files.upload(client._transport, folder)
    register = ("POST", "/models/churn/versions", {"upload": upload})
    assert client._transport.change(*register)["version"] == 1
    with pytest.raises(sdk.NotFound, match="registered already"):
        client._transport.change(*register)
    for body in ({}, {"upload": upload, "source": "s3://a/b"}, {"upload": "../../x"}):
        with pytest.raises(sdk.InvalidCall):
            client._transport.change("POST", "/models/churn/versions", body)
    for path in (
        "/uploads/short/files/a",
        f"/uploads/{upload}/files/..%2Fa",
        f"/uploads/{upload}/files/",
    ):
        with pytest.raises((sdk.InvalidCall, sdk.NotFound)):
            client._transport.put_file(path, folder / "MLmodel")


def test_bytes_that_are_not_what_was_registered_are_not_kept(
    client: Client, server: Server, tmp_path: Path, folder: Path
) -> None:
    client.create_model("churn")
    client.register("churn", folder=folder)
    sha256 = hashlib.sha256((folder / "data" / "weights.bin").read_bytes()).hexdigest()
    (blob,) = [p for p in (server.data_dir / "blobs").rglob("*") if p.name.endswith(sha256[-60:])]
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[::-1])
    with pytest.raises((sdk.Tampered, sdk.NoAnswer)):
        client.download("churn", 1, tmp_path / "here")
    assert not (tmp_path / "here" / "data" / "weights.bin").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(sdk.ClientError, match="not empty"):
        client.download("churn", 1, tmp_path / "full")


def test_webhooks_are_made_changed_and_read(start_server: StartServer, receiver: Receiver) -> None:
    server = start_server("--webhook-allow-private")
    with Client(server.url) as client:
        made = client.webhooks.create("w", receiver.url, ["REGISTERED_MODEL/CREATED"])
        client.create_model("churn")
        receiver.wait(1)
        assert [d.event for d in client.webhooks.deliveries(made.id)] == [
            "REGISTERED_MODEL/CREATED"
        ]
        tried = client.webhooks.test(made.id)
        assert (tried.success, tried.status) == (True, 204)
        assert client.webhooks.change(made.id, status="DISABLED").status == "DISABLED"
        assert client.webhooks.get(made.id).status == "DISABLED"
        client.webhooks.delete(made.id)
        assert client.webhooks.list() == []


# -- lost connections --------------------------------------------------------------------------


def relay(target: int, listener: socket.socket, lose: int) -> None:
    """Passes connections on to a port, and closes the first few before their answer returns."""
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        far = socket.create_connection(("127.0.0.1", target))
        with near, far, suppress(OSError):
            far.sendall(whole_request(near))
            answer = b"".join(iter(partial(far.recv, 1 << 16), b""))
            if lose > 0:
                lose -= 1
            else:
                near.sendall(answer)


def whole_request(near: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += near.recv(1 << 16)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while length and len(body) < int(length[1]):
        body += near.recv(1 << 16)
    return head + b"\r\n\r\n" + body


def test_a_call_whose_answer_was_lost_is_made_again_and_happens_once(server: Server) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=relay, args=(server.port, listener, 2), daemon=True)
        thread.start()
        with Client(f"http://127.0.0.1:{port}") as client:
            client._transport._http.headers["Connection"] = "close"
            client.create_model("churn")
            assert client.model("churn").name == "churn"
            assert [entry.act for entry in client.journal.entries()] == ["model:created"]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_server_that_is_not_there_is_said_to_be_not_there() -> None:
    gone = pytest.raises(sdk.NoAnswer, match="MODELKEEP_URL names another address")
    with Client("http://127.0.0.1:1", retries=0) as client, gone:
        client.model("churn")


# -- who calls ---------------------------------------------------------------------------------


def test_a_token_comes_from_the_argument_the_environment_or_a_file_of_the_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("MODELKEEP_TOKEN", raising=False)
    url = "http://127.0.0.1:5000"
    assert credentials.token_for(url) == ""
    path = credentials.path()
    path.parent.mkdir()
    path.write_text(json.dumps({url: "kept"}))
    path.chmod(0o644)
    with pytest.raises(sdk.ClientError, match="Others may read"):
        Client(url)
    path.chmod(0o600)

    def sent(user: str = "", token: str = "") -> str:
        with Client(f"{url}/", user=user, token=token) as client:
            return client._transport._http.headers.get("authorization", "")

    assert sent() == "Bearer kept"
    assert sent(user="ann") == "Bearer kept"  # proven counts for more than claimed
    with Client("http://127.0.0.1:5001") as elsewhere:
        assert "authorization" not in elsewhere._transport._http.headers
    monkeypatch.setenv("MODELKEEP_TOKEN", "env")
    assert (sent(), sent(token="given")) == ("Bearer env", "Bearer given")
