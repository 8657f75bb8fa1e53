"""Every route of every application has a rule, and keeps it.

The walk begins at the routers themselves, so that a route added later is walked too.
"""

import asyncio
import re
from typing import Any, cast

import pytest
from litestar import Litestar, get

from modelkeep.domain.access import Actor, Caller
from modelkeep.protocols.mlflow import routes as mlflow_routes
from modelkeep.protocols.mlflow.routes import Dialect
from modelkeep.protocols.mlflow.wire import Empty, Rpc
from modelkeep.protocols.native import routes as native_routes
from modelkeep.services import permits, registry
from modelkeep.services.app import App
from tests.support.estate import Estate, access_of

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NATIVE = native_routes.PREFIX
OPEN = {"/health", "/version", "/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info"}
BEARERS = tuple(
    f"/{api}/2.0/mlflow-artifacts/{way}/"
    for api in ("api", "ajax-api")
    for way in ("signed", "mpu/part")
)


def concrete(path: str) -> str:
    return re.sub(r"\(\?P<\w+>[^)]*\)|\{\+?\w+(:\w+)?\}", "1", path)


def mlflow_paths() -> list[str]:
    found = [concrete(path) for path in Dialect(cast(App, None), 1).paths()]
    found += [f"{path}/1" for path in found if "mlflow-artifacts" in path]
    steps = [f"{path}/{step}/1" for path in found for step in ("create", "complete", "abort")
             if path.endswith("/mpu")]  # fmt: skip
    return sorted({*found, *steps})


def native_paths(estate: Estate) -> list[str]:
    described = estate.call("GET", f"{NATIVE}/openapi.json", "boss").json()["paths"]
    assert len(described) > 30
    return [concrete(path) for path in described]


def is_open(path: str) -> bool:
    return path in OPEN or path.startswith(BEARERS) or path == f"{NATIVE}/sign-in"


def test_nobody_gets_past_the_door_without_a_good_token(quick: Estate) -> None:
    others = ["/", "/none", "/api", "//health/x", f"{NATIVE}/none", f"{NATIVE}/schema",
              f"{NATIVE}/openapi.json", "/api/2.0/mlflow/none", "/graphql"]  # fmt: skip
    paths = [*mlflow_paths(), *native_paths(quick), *others]
    assert len(paths) > 190
    for path in paths:
        for method in METHODS:
            answer = quick.call(method, path)
            if (method, path) == ("POST", "/"):  # told as AWS's clients expect
                assert answer.status_code == 403
                assert "<Code>MissingAuthenticationToken<" in answer.text
                continue
            assert (answer.status_code == 401) is not is_open(path), (method, path)
            if answer.status_code == 401:
                assert answer.headers["www-authenticate"] == 'Basic realm="mlflow"'
                told = {} if method == "HEAD" else answer.json()
                code = told.get("error_code", told.get("code", "unauthenticated"))
                assert code.lower() == "unauthenticated"


# What needs no role. All of it shows what the caller may see: nothing, here.
UNPRIVILEGED = {
    "/graphql",
    "registered-models/search",
    "model-versions/search",
    f"{NATIVE}/models",
    f"{NATIVE}/requests",
    f"{NATIVE}/emergencies",
    f"{NATIVE}/whoami",
    f"{NATIVE}/sign-out",
    f"{NATIVE}/sign-in",
    f"{NATIVE}/problems",
    f"{NATIVE}/problems/{{code}}",
    f"{NATIVE}/openapi.json",
}


def is_unprivileged(path: str) -> bool:
    return is_open(path) or path.rsplit("/mlflow/", maxsplit=1)[-1] in UNPRIVILEGED


def test_an_account_to_which_nothing_was_granted_can_do_nothing(quick: Estate) -> None:
    nobody = quick.user("nobody")
    quick.call("POST", "/api/2.0/mlflow/registered-models/create", "boss", {"name": "1"})
    before = len(list(quick.running.reader.run(lambda work: work.journal.entries(0, 1000))))
    for path in (*mlflow_paths(), *native_paths(quick)):
        if is_unprivileged(path):
            continue
        for method in METHODS:
            answer = quick.call(
                method, path, nobody, BODY if method not in ("GET", "HEAD") else None
            )
            is_asked = method in ("OPTIONS", "HEAD") and answer.status_code in (200, 204)
            assert is_asked or answer.status_code in (400, 403, 404, 405, 415), (method, path)
    after = len(list(quick.running.reader.run(lambda work: work.journal.entries(0, 1000))))
    assert after == before


# Fields that many calls need: a value of "1" names nothing that the caller may see.
BODY: dict[str, Any] = dict.fromkeys(
    ("name", "version", "key", "value", "alias", "source", "run_id", "experiment_id", "path",
     "new_name", "model_id"), "1"
)  # fmt: skip


def test_a_call_of_mlflow_without_a_rule_cannot_be_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handle(app: App, caller: Any, request: Any) -> Empty:
        return Empty()

    extra = Rpc(("POST",), "registered-models/steal", Empty, handle)
    monkeypatch.setattr(mlflow_routes.registry, "RPCS", (extra,))
    with pytest.raises(KeyError, match="registered-models/steal"):
        Dialect(cast(App, None), 1)


def test_a_route_of_ours_without_a_rule_cannot_be_mounted() -> None:
    async def steal() -> None: ...

    steal.__module__ = "modelkeep.protocols.native.webhooks"
    framework = Litestar([get("/steal")(steal)])
    with pytest.raises(RuntimeError, match="/steal has no rule"):
        native_routes.check_rules(framework.routes)


def test_what_no_rule_has_admitted_does_not_run(quick: Estate) -> None:
    """The second lock: behind a rule that says nothing, the gate is shut."""
    gated = permits.gated(quick.running.app)

    async def unruled() -> None:
        permits.ask(Caller(Actor("boss"), access=access_of("admin")))
        await gated.read(registry.get_model, "churn")

    with pytest.raises(RuntimeError, match="no rule has admitted this call"):
        asyncio.run(unruled())
