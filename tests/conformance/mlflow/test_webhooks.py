"""Webhooks, as stock MLflow clients make them and real receivers get them."""

import json
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.cli import modelkeep
from tests.support.clients import Client
from tests.support.receiver import Receiver, answer
from tests.support.server import Server

API = "/api/2.0/mlflow"
KEY = "A" * 43 + "="


@pytest.fixture
def server(start_server: StartServer) -> Server:
    return start_server("--webhook-allow-private", env={"MODELKEEP_SECRETS_KEY": KEY})


@pytest.fixture
def http(server: Server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        yield client


def call(http: httpx.Client, method: str, path: str, **body: Any) -> dict[str, Any]:
    answered = http.request(method, f"{API}/{path}", json=body or None)
    assert answered.status_code == 200, answered.text
    return answered.json()


def subscribe(http: httpx.Client, url: str, *events: str, **facts: Any) -> str:
    listed = [dict(zip(("entity", "action"), event.split("/"), strict=True)) for event in events]
    made = call(http, "POST", "webhooks", name="hook", url=url, events=listed, **facts)
    return made["webhook"]["webhook_id"]


CLIENT = """
import json, sys
import mlflow
from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookEvent, WebhookStatus
from mlflow.exceptions import MlflowException

client, url = MlflowClient(), sys.argv[1]
seen = {}

def said(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except MlflowException as error:
        return [error.error_code, str(error)]

def event(text):
    return WebhookEvent.from_str(text)

names = ["registered_model.created", "model_version.created", "model_version_alias.created"]
hook = client.create_webhook("first", url, [event(n) for n in names], secret="swordfish")
seen["made"] = [hook.name, hook.url, list(map(str, hook.events)), hook.secret, hook.status.value]
client.create_registered_model("churn", {"a": "1"}, "who leaves")
client.create_model_version("churn", "s3://b/m", run_id="r1", tags={"t": "x"})
client.set_registered_model_alias("churn", "best", "1")
tested = client.test_webhook(hook.webhook_id, event("model_version.created"))
seen["tested"] = [tested.success, tested.response_status, tested.response_body]
for i in range(4):
    client.create_webhook(f"w{i}", "https://example.com/x", [event("prompt.created")])
page = client.list_webhooks(max_results=3)
rest = client.list_webhooks(max_results=3, page_token=page.token)
seen["pages"] = [[w.name for w in page], [w.name for w in rest], bool(rest.token)]
changed = client.update_webhook(
    hook.webhook_id, name="renamed", description="why", status=WebhookStatus.DISABLED
)
seen["changed"] = [changed.name, changed.description, changed.status.value, changed.url]
seen["later"] = changed.last_updated_timestamp > hook.last_updated_timestamp
seen["bad"] = [
    said(client.update_webhook, hook.webhook_id, url=url)
    for url in ("   ", "ftp://example.com", "http://[invalid")
]
client.delete_webhook(hook.webhook_id)
seen["gone"] = [
    said(client.get_webhook, hook.webhook_id)[0],
    said(client.delete_webhook, "nonexistent"),
    said(client.update_webhook, "nonexistent", name="x")[1],
    said(client.test_webhook, "nonexistent")[1],
]
print("\\n" + json.dumps(seen))
"""


@pytest.mark.client
def test_a_stock_client_makes_tests_and_deletes_webhooks(
    mlflow3: Client, server: Server, receiver: Receiver
) -> None:
    receiver.otherwise = answer(200, b"thanks")
    seen = json.loads(mlflow3.run(CLIENT, receiver.url, url=server.url).splitlines()[-1])
    events = ["registered_model.created", "model_version.created", "model_version_alias.created"]
    assert seen["made"] == ["first", receiver.url, events, None, "ACTIVE"]
    assert seen["tested"] == [True, 200, "thanks"]
    assert seen["pages"] == [["w3", "w2", "w1"], ["w0", "first"], False]
    assert seen["changed"] == ["renamed", "why", "DISABLED", receiver.url]
    assert seen["later"]
    codes, texts = zip(*seen["bad"], strict=True)
    assert set(codes) == {"INVALID_PARAMETER_VALUE"}
    for text, words in zip(
        texts,
        ("empty or just whitespace", "Invalid webhook URL scheme", "Invalid webhook URL"),
        strict=True,
    ):
        assert words in text
    assert seen["gone"][0] == "RESOURCE_DOES_NOT_EXIST"
    assert all("Webhook with ID nonexistent not found" in str(text) for text in seen["gone"][1:])
    found = receiver.wait(4)
    assert len({request.id for request in found}) == 4
    for request in found:
        assert request.is_signed(b"swordfish")
        assert request.is_signed(b"swordfish", "webhook-signature")
        assert request.headers["x-mlflow-delivery-id"] == request.id
        assert request.headers["x-mlflow-timestamp"] == request.headers["webhook-timestamp"]
        assert request.headers["content-type"] == "application/json"
    bodies = {(r.json["entity"], r.json["action"], r.data["name"]): r.data for r in found}
    assert bodies[("registered_model", "created", "churn")]["tags"] == {"a": "1"}
    assert bodies[("model_version", "created", "churn")]["run_id"] == "r1"
    assert bodies[("model_version_alias", "created", "churn")]["alias"] == "best"
    assert bodies[("model_version", "created", "example_model")]["source"] == "models:/123"
    assert "swordfish" not in server.log_text()


@pytest.mark.client
def test_events_of_ours_trouble_no_stock_client(
    mlflow3: Client, server: Server, http: httpx.Client
) -> None:
    ours = subscribe(http, "https://e.com", "MODEL_VERSION_STAGE/CHANGED")
    both = subscribe(http, "https://e.com", "MODEL_VERSION_STAGE/CHANGED", "PROMPT/CREATED")
    script = """
    from mlflow import MlflowClient
    print([(w.webhook_id, list(map(str, w.events))) for w in MlflowClient().list_webhooks()])
    """
    printed = mlflow3.run(script, url=server.url).splitlines()[-1]
    assert printed == str([(both, ["prompt.created"])])
    shown = call(http, "GET", f"webhooks/{ours}")["webhook"]
    assert "events" not in shown
    assert shown["modelkeep_events"] == [{"entity": "MODEL_VERSION_STAGE", "action": "CHANGED"}]


def test_a_stage_change_is_told_to_whoever_asked_for_it(
    http: httpx.Client, receiver: Receiver
) -> None:
    subscribe(http, receiver.url, "MODEL_VERSION_STAGE/CHANGED", secret="whsec_c3dvcmRmaXNo")
    call(http, "POST", "registered-models/create", name="m")
    call(http, "POST", "model-versions/create", name="m", source="s3://b/m")
    move = {"name": "m", "version": "1", "stage": "Production"}
    call(http, "POST", "model-versions/transition-stage", **move)
    (request,) = receiver.wait(1)
    assert request.json["entity"] == "model_version_stage"
    assert (request.data["from_stage"], request.data["to_stage"]) == ("None", "Production")
    assert request.is_signed(b"whsec_c3dvcmRmaXNo")
    assert request.is_signed(b"swordfish", "webhook-signature")


EVENT = {"entity": "MODEL_VERSION", "action": "CREATED"}
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"events": []}, "non-empty list"),
    ({"events": None}, "required parameter 'events'"),
    ({"events": [{"entity": "FOO", "action": "CREATED"}]}, "not a valid WebhookEntity"),
    ({"events": [{}]}, "not a valid WebhookEntity"),
    ({"events": [{"entity": "MODEL_VERSION", "action": "SET"}]}, "Valid actions are"),
    ({"events": "MODEL_VERSION"}, "events"),
    ({"name": ""}, "required parameter 'name'"),
    ({"name": "a b"}, "Webhook name 'a b' is invalid"),
    ({"url": ""}, "required parameter 'url'"),
    ({"status": "ON"}, "Unknown status"),
    ({"secret": "whsec_?"}, "must go on in base64"),
    ({"secret": "x" * 600}, "'secret' exceeds"),
    ({"description": "x" * 6000}, "'description' exceeds"),
]


def test_a_mistake_is_answered_400_and_leaves_nothing(http: httpx.Client) -> None:
    good = {"name": "w", "url": "https://example.com/", "events": [EVENT]}
    for change, said in MISTAKES:
        body = {name: value for name, value in (good | change).items() if value is not None}
        answered = http.post(f"{API}/webhooks", json=body)
        assert answered.status_code == 400, change
        assert answered.json()["error_code"] == "INVALID_PARAMETER_VALUE"
        assert said in answered.json()["message"]
    assert call(http, "GET", "webhooks") == {}


def test_pages_of_webhooks_have_bounds(http: httpx.Client) -> None:
    for wrong in ("-1", "1001"):
        answered = http.get(f"{API}/webhooks", params={"max_results": wrong})
        assert answered.status_code == 400
        assert "max_results must be between 1 and 1000." in answered.text
    assert http.get(f"{API}/webhooks", params={"page_token": "x"}).status_code == 400
    ajax = http.get("/ajax-api/2.0/mlflow/webhooks")
    assert (ajax.status_code, ajax.json()) == (200, {})


def test_the_command_line_makes_watches_replays_and_deletes(
    server: Server, receiver: Receiver, http: httpx.Client, tmp_path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("swordfish\n")

    def run(*args: Any, code: int = 0) -> Any:
        ended = modelkeep("webhooks", *map(str, args), "--json", url=server.url, user="ann")
        assert ended.code == code, ended.err
        return ended.json

    event = ("--event", "REGISTERED_MODEL/CREATED", "--event", "MODEL_VERSION_STAGE/CHANGED")
    made = run("create", "deploys", receiver.url, *event, "--secret-file", secret)
    assert made["signed"]
    assert "swordfish" not in json.dumps(made)
    receiver.otherwise = answer(503, b"busy")
    tested = run("test", made["id"], "--event", "MODEL_VERSION_STAGE/CHANGED", code=1)
    assert (tested["success"], tested["status"], tested["response"]) == (False, 503, "busy")
    receiver.otherwise = answer(410)
    call(http, "POST", "registered-models/create", name="m")
    receiver.wait(2)
    while call(http, "GET", f"webhooks/{made['id']}")["webhook"]["status"] == "ACTIVE":
        pass  # the answer was received, and is being written down
    assert "410" in run("show", made["id"])["reason"]
    receiver.otherwise = answer(200)
    assert run("enable", made["id"])["reason"] == ""
    delivery, test = run("deliveries", made["id"])
    assert (delivery["state"], delivery["event"]) == ("FAILED", "REGISTERED_MODEL/CREATED")
    assert (test["entry"], test["state"], test["status"]) == (None, "FAILED", 503)
    run("replay", delivery["id"])
    *_, first, again = receiver.wait(3)
    assert (first.id, first.body) == (again.id, again.body)
    assert [hook["id"] for hook in run("list")] == [made["id"]]
    run("delete", made["id"])
    assert call(http, "GET", "webhooks") == {}
    assert modelkeep("audit", "verify", url=server.url).code == 0
    told = modelkeep("audit", "show", url=server.url).out
    assert "webhook:disabled" in told
    assert "swordfish" not in told
