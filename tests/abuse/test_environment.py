"""What the server has around it, and what its answers may be put into."""

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.server import Server

API, NATIVE = "/api/2.0/mlflow", "/api/v1"
CANARY = "canary-8f1d"
SPELLINGS = ("$CANARY", "${CANARY}", "%CANARY%", "{CANARY}", "{{CANARY}}", "{0.__class__}", "~")


def test_no_text_is_expanded(start_server: StartServer) -> None:
    server = start_server(env={"CANARY": CANARY})
    answers = []
    with httpx.Client(base_url=server.url, trust_env=False) as http:

        def send(path: str, **body: object) -> httpx.Response:
            answers.append(http.post(path, json=body))
            return answers[-1]

        for number, text in enumerate(SPELLINGS):
            name = f"m{number}"
            tags = [{"key": "t", "value": text}]
            send(f"{API}/registered-models/create", name=name, description=text, tags=tags)
            send(f"{API}/model-versions/create", name=name, source=f"s3://{text}/m", tags=tags)
            send(f"{API}/experiments/create", name=text, artifact_location=f"s3://b/{text}")
            send(f"{API}/webhooks", name="w", url=f"https://{text}/", events=[])
            send(f"{NATIVE}/policy", source=f"model_registry: {{aliases: {{a: '{text}'}}}}")
            params = {"filter": f"tags.t = '{text}'"}
            found = http.get(f"{API}/registered-models/search", params=params)
            answers.append(found)
            assert found.json()["registered_models"][0]["description"] == text
    told = [answer.text for answer in answers] + [server.log_text()]
    assert not [text for text in told if CANARY in text or str(server.data_dir.home()) in text]
    assert [a.status_code for a in answers if a.status_code >= 500] == []


@pytest.mark.parametrize("path", ["/", "/health", f"{NATIVE}/models", f"{API}/none", "/../x"])
def test_no_answer_is_shown_in_a_frame_of_others(server: Server, path: str) -> None:
    answer = httpx.get(server.url + path, trust_env=False)
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["x-content-type-options"] == "nosniff"
