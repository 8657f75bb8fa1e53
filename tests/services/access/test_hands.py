"""With accounts, nobody rewrites what another made, or votes by another's name."""

from typing import Any

import pytest

from modelkeep.domain.accounts import RESET_MS
from modelkeep.protocols.native.paths import PREFIX
from tests.support.clock import MovedClock
from tests.support.estate import Estate

API = "/api/2.0/mlflow"
STORE = "/api/2.0/mlflow-artifacts"
FILES = f"{STORE}/artifacts"
PASSWORD, OTHER = "correct horse battery", "another good secret"
POLICY = """
model_registry:
  stage_transitions:
    None -> Production:
      approval_required: true
"""


def done(answer: Any) -> Any:
    assert answer.status_code in (200, 204), answer.text
    return answer.json() if answer.content else None


def mlflow(estate: Estate, path: str, by: str, **body: Any) -> Any:
    return done(estate.call("POST", f"{API}/{path}", by, body))


@pytest.fixture
def team(estate: Estate) -> Estate:
    """ann and eve may write models of their own; carl may write everything."""
    estate.user("ann", "contributor prefix:a")
    estate.user("eve", "contributor prefix:e")
    estate.user("carl", "contributor")
    return estate


def trained(estate: Estate, by: str, experiment: str = "0") -> str:
    """A run with a metric, a tag and a file."""
    run = mlflow(estate, "runs/create", by, experiment_id=experiment)["run"]["info"]["run_id"]
    point = {"key": "auc", "value": 0.9, "timestamp": 0}
    mlflow(estate, "runs/log-metric", by, run_id=run, **point)
    mlflow(estate, "runs/set-tag", by, run_id=run, key="k", value="v")
    done(estate.put(f"{FILES}/0/{run}/artifacts/model/weights", b"good", by))
    return run


def changes(run: str, model: str) -> dict[str, tuple[str, str, Any]]:
    """Every way to change a run and a logged model: method, path, body."""
    of_run, of_model = {"run_id": run}, f"{API}/logged-models/{model}"
    metric = {"key": "auc", "value": 1.0, "timestamp": 1}
    file = f"{FILES}/0/{run}/artifacts/model/weights"
    foreign = {"metrics": [{**metric, "model_id": model}]}
    return {
        "metric": ("POST", f"{API}/runs/log-metric", {**of_run, **metric}),
        "param": ("POST", f"{API}/runs/log-parameter", {**of_run, "key": "a", "value": "b"}),
        "batch": ("POST", f"{API}/runs/log-batch", {**of_run, "metrics": [metric]}),
        "tag": ("POST", f"{API}/runs/set-tag", {**of_run, "key": "k", "value": "w"}),
        "untag": ("POST", f"{API}/runs/delete-tag", {**of_run, "key": "k"}),
        "update": ("POST", f"{API}/runs/update", {**of_run, "status": "FAILED"}),
        "inputs": ("POST", f"{API}/runs/log-inputs", {**of_run, "models": [{"model_id": "m"}]}),
        "outputs": ("POST", f"{API}/runs/outputs", {**of_run, "models": [{"model_id": "m"}]}),
        "delete": ("POST", f"{API}/runs/delete", of_run),
        "restore": ("POST", f"{API}/runs/restore", of_run),
        "file": ("PUT", file, None),
        "unlink": ("DELETE", file, None),
        "all files": ("DELETE", f"{FILES}/0", None),
        "page": ("POST", f"{API}/upload-artifact?run_uuid={run}&path=x", None),
        "grant": ("POST", f"{API}/artifacts/presigned-upload-url", {**of_run, "path": "x"}),
        "parts": (
            "POST", f"{STORE}/mpu/create/0/{run}/artifacts", {"path": "x", "num_parts": 1},
        ),
        "model of it": ("POST", f"{API}/logged-models", {
            "experiment_id": "0", "source_run_id": run,
        }),
        "model's metric": ("POST", f"{API}/runs/log-batch", {"run_id": "OWN", **foreign}),
        "finish": ("PATCH", of_model, {"status": "LOGGED_MODEL_READY"}),
        "model's tag": ("PATCH", f"{of_model}/tags", {"tags": [{"key": "a", "value": "b"}]}),
        "model's param": ("POST", f"{of_model}/params", {"params": [{"key": "a", "value": "b"}]}),
        "model's grant": (
            "POST", f"{API}/artifacts/presigned-upload-url", {"model_id": model, "path": "x"},
        ),
        "forget model": ("DELETE", of_model, None),
    }  # fmt: skip


def test_one_contributor_cannot_rewrite_what_another_has_made(team: Estate) -> None:
    run, own = trained(team, "ann"), trained(team, "eve")
    made = mlflow(team, "logged-models", "ann", experiment_id="0", source_run_id=run)
    model = made["model"]["info"]["model_id"]
    read = f"{API}/runs/get?run_id={run}"
    before = team.call("GET", read, "ann").text
    for name, (method, path, body) in changes(run, model).items():
        if body and body.get("run_id") == "OWN":
            body = {**body, "run_id": own}
        content = b"evil" if body is None and method != "DELETE" else None
        refused = team.call(method, path, "eve", body, content=content)
        assert refused.status_code == 403, (name, refused.text)
        assert "PERMISSION_DENIED" in refused.text, name
    assert team.call("GET", read, "ann").text == before
    weights = team.call("GET", f"{FILES}/0/{run}/artifacts/model/weights", "ann")
    assert weights.content == b"good"
    # Whose it is may, and so may who has the role on everything.
    for by in ("ann", "carl"):
        mlflow(team, "runs/set-tag", by, run_id=run, key="k", value=by)


def test_a_client_registers_anothers_logged_model_without_changing_it(team: Estate) -> None:
    run = trained(team, "ann")
    made = mlflow(team, "logged-models", "ann", experiment_id="0", source_run_id=run)
    model = made["model"]["info"]["model_id"]
    mlflow(team, "registered-models/create", "eve", name="eves")
    body = {"name": "eves", "source": f"models:/{model}", "model_id": model}
    mlflow(team, "model-versions/create", "eve", **body)
    tag = {"key": "mlflow.modelVersions", "value": '[{"name": "forged", "version": 7}]'}
    done(team.call("PATCH", f"{API}/logged-models/{model}/tags", "eve", {"tags": [tag]}))
    assert "forged" not in team.call("GET", f"{API}/logged-models/{model}", "boss").text


def test_an_experiment_is_changed_by_who_made_it_and_shared_by_all(team: Estate) -> None:
    key = mlflow(team, "experiments/create", "ann", name="iris")["experiment_id"]
    calls = {
        "set-experiment-tag": {"experiment_id": key, "key": "a", "value": "b"},
        "update": {"experiment_id": key, "new_name": "roses"},
        "delete": {"experiment_id": key},
    }
    for path, body in calls.items():
        refused = team.call("POST", f"{API}/experiments/{path}", "eve", body)
        assert refused.status_code == 403, path
        assert "Experiment 1 is ann's" in refused.text
    trained(team, "eve", key)
    mlflow(team, "experiments/set-experiment-tag", "ann", **calls["set-experiment-tag"])
    gone = team.call("POST", f"{API}/experiments/delete", "ann", calls["delete"])
    assert (gone.status_code, "A run in this experiment is eve's" in gone.text) == (403, True)
    mlflow(team, "experiments/delete", "carl", **calls["delete"])
    mlflow(team, "experiments/restore", "carl", **calls["delete"])
    default = {"experiment_id": "0", "key": "a", "value": "b"}
    refused = team.call("POST", f"{API}/experiments/set-experiment-tag", "ann", default)
    assert "nobody's in particular" in refused.text


def test_an_upload_and_a_free_file_are_whose_first_file_it_was(team: Estate) -> None:
    files = f"{PREFIX}/uploads/upload-0001/files"
    done(team.put(f"{files}/weights", b"good", "ann"))
    done(team.put(f"{FILES}/shared/weights", b"good", "ann"))
    for path in (
        f"{files}/weights", f"{files}/more", f"{FILES}/uploads/upload-0001/x",
        f"{FILES}/shared/weights",
    ):  # fmt: skip
        assert team.put(path, b"evil", "eve").status_code == 403, path
    assert team.put(f"{files}/large", b"evil" * 20_000, "eve").status_code == 403
    for path in ("uploads", "uploads/upload-0001", "shared"):
        assert team.call("DELETE", f"{FILES}/{path}", "eve").status_code == 403
    mlflow(team, "registered-models/create", "eve", name="eves")
    taken = team.call("POST", f"{PREFIX}/models/eves/versions", "eve", {"upload": "upload-0001"})
    assert taken.status_code == 403
    done(team.put(f"{FILES}/shared/more", b"eve's", "eve"))
    mlflow(team, "registered-models/create", "ann", name="anns")
    done(team.call("POST", f"{PREFIX}/models/anns/versions", "ann", {"upload": "upload-0001"}))


def test_an_upload_in_parts_is_completed_by_who_began_it(team: Estate) -> None:
    run = trained(team, "ann")
    where = f"0/{run}/artifacts"
    body = {"path": "large", "num_parts": 1}
    made = done(team.call("POST", f"{STORE}/mpu/create/{where}", "ann", body))
    (part,) = made["credentials"]
    etag = team.call("PUT", part["url"], content=b"x" * 10).headers["etag"]
    finish = {
        "path": "large",
        "upload_id": made["upload_id"],
        "parts": [{"part_number": 1, "etag": etag}],
    }
    for by in ("eve", "carl"):
        refused = team.call("POST", f"{STORE}/mpu/complete/{where}", by, finish)
        assert refused.status_code == 403
        assert "Somebody else has begun this upload" in refused.text
    done(team.call("POST", f"{STORE}/mpu/complete/{where}", "ann", finish))


# -- voting by another's name --------------------------------------------------------------------


@pytest.fixture
def asked(estate: Estate) -> Estate:
    """Request 1, by ann, for the version that she made; bob is a reviewer."""
    estate.user("ann", "contributor")
    estate.user("bob", "reviewer")
    done(estate.call("POST", f"{PREFIX}/policy", "boss", {"source": POLICY}))
    mlflow(estate, "registered-models/create", "ann", name="churn")
    run = trained(estate, "ann")
    body = {"name": "churn", "source": f"runs:/{run}/model", "run_id": run}
    mlflow(estate, "model-versions/create", "ann", **body)
    ask(estate, "ann")
    return estate


def ask(estate: Estate, by: str) -> int:
    body = {"model": "churn", "version": 1, "stage": "Production", "reason": "better"}
    answer = estate.call("POST", f"{PREFIX}/promotions", by, body)
    assert answer.json()["result"] == "waiting", answer.text
    return answer.json()["request"]


def vote(estate: Estate, by: str, request: int = 1) -> str:
    """What came of an approval: the sentence of a refusal, or the result."""
    answer = estate.call("POST", f"{PREFIX}/requests/{request}/approve", by, {"comment": "ok"})
    told = answer.json()
    return told["result"] if answer.status_code == 200 else told["detail"]


def minted(estate: Estate, whose: str, by: str) -> str:
    return done(estate.call("POST", f"{PREFIX}/accounts/{whose}/tokens", by, {}))["token"]


def signed_in(estate: Estate, name: str, password: str) -> str:
    body = {"name": name, "password": password}
    return done(estate.call("POST", f"{PREFIX}/sign-in", json=body))["token"]


def test_a_token_that_an_admin_made_for_a_person_cannot_vote_as_them(asked: Estate) -> None:
    lent = minted(asked, "bob", "boss")
    assert "boss made this token of bob" in vote(asked, lent)
    # Nor can what was made with it, be it ever so much bob who made it.
    assert "boss made this token of bob" in vote(asked, minted(asked, "bob", lent))
    entries = done(asked.call("GET", f"{PREFIX}/journal/entries", "boss"))
    denied = [entry for entry in entries if entry["act"] == "approval:vote:denied"]
    assert [entry["texts"]["actor"] for entry in denied] == ["bob"]
    assert "boss made this token" in denied[0]["texts"]["denial"]
    assert (
        done(asked.call("GET", f"{API}/model-versions/get?name=churn&version=1", "boss"))[
            "model_version"
        ]["current_stage"]
        == "None"
    )
    assert vote(asked, minted(asked, "bob", "bob")) == "moved"


def test_a_password_that_an_admin_set_gives_no_vote_until_its_owner_changes_it(
    asked: Estate, clock: MovedClock
) -> None:
    body = {"name": "fay", "password": PASSWORD}
    done(asked.call("POST", f"{PREFIX}/accounts", "boss", body))
    asked.grant("fay", "reviewer")
    path = f"{PREFIX}/accounts/fay/password"
    session = signed_in(asked, "fay", PASSWORD)
    assert "boss made this token of fay, or the password" in vote(asked, session)
    own = {"password": OTHER, "current": PASSWORD}
    done(asked.call("PUT", path, session, own))
    # A reset of what was fay's own: she cannot sign in, and for a day her vote is nobody's.
    done(asked.call("PUT", path, "boss", {"password": PASSWORD}))
    session = signed_in(asked, "fay", PASSWORD)
    assert "boss made" in vote(asked, session)
    done(asked.call("PUT", path, session, own))
    session = signed_in(asked, "fay", OTHER)
    assert "was reset by somebody else; votes count from" in vote(asked, session)
    clock.advance(RESET_MS)
    assert vote(asked, signed_in(asked, "fay", OTHER)) == "moved"


def test_who_made_a_token_has_a_hand_in_what_is_done_with_it(asked: Estate) -> None:
    lent = minted(asked, "ann", "boss")
    mlflow(asked, "runs/set-tag", lent, run_id=trained(asked, lent), key="k", value="v")
    run = trained(asked, lent)
    body = {"name": "churn", "source": f"runs:/{run}/model", "run_id": run}
    assert mlflow(asked, "model-versions/create", "ann", **body)
    order = {"model": "churn", "version": 2, "stage": "Production", "reason": "better"}
    second = asked.call("POST", f"{PREFIX}/promotions", "ann", order).json()["request"]
    assert "boss made the token, or the password, by which its run was made" in vote(
        asked, "boss", second
    )
    done(asked.call("POST", f"{PREFIX}/requests/1/withdraw", "ann", {"comment": ""}))
    third = ask(asked, lent)
    barred = done(asked.call("GET", f"{PREFIX}/requests/{third}", "bob"))["barred"]
    assert {view["name"] for view in barred} == {"ann", "boss"}
    assert "by which this promotion was asked for" in vote(asked, "boss", third)
    assert vote(asked, "bob", third) == "moved"


def test_a_service_accounts_owner_lends_it_nothing_and_an_admin_does(asked: Estate) -> None:
    asked.service("ci", "ann", "contributor")
    lent = minted(asked, "ci", "boss")
    mlflow(asked, "registered-models/create", "ci", name="other")
    for token, who in (("ci", set()), (lent, {"boss"})):
        run = trained(asked, token)
        body = {"name": "churn", "source": f"runs:/{run}/model", "run_id": run}
        number = int(
            mlflow(asked, "model-versions/create", token, **body)["model_version"]["version"]
        )
        order = {"model": "churn", "version": number, "stage": "Production", "reason": "r"}
        asking = asked.call("POST", f"{PREFIX}/promotions", token, order).json()["request"]
        barred = done(asked.call("GET", f"{PREFIX}/requests/{asking}", "bob"))["barred"]
        assert {view["name"] for view in barred} == {"ci", "ann"} | who
