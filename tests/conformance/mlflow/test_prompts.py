"""Prompts, as MLflow 3 keeps them: registered models and versions that a tag tells from others."""

import json
from typing import Any

import pytest

from tests.support.clients import Client
from tests.support.server import Server

pytestmark = pytest.mark.client


def test_prompts_go_through_their_whole_life_and_are_no_models(
    mlflow3: Client, server: Server
) -> None:
    told = mlflow3.run(
        """
        import json, threading, warnings
        warnings.simplefilter("ignore")
        import mlflow
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from mlflow.genai import (
            delete_prompt_alias, load_prompt, register_prompt, search_prompts, set_prompt_alias,
            set_prompt_tag, set_prompt_version_tag,
        )

        client, seen = MlflowClient(), {}

        def said(call, *args, **kwargs):
            try:
                call(*args, **kwargs)
            except MlflowException as error:
                return str(error)
            return "nothing"

        def fresh(what):
            return load_prompt(what, cache_ttl_seconds=0).template

        client.create_registered_model("model", {"fruit": "apple"})
        register_prompt("greeting", "Hi, {{name}}!", commit_message="first", tags={"by": "ann"})
        register_prompt("greeting", "Hello, {{name}}!")
        chat = [{"role": "user", "content": "{{question}}"}]
        register_prompt("chat", chat, tags={"fruit": "apple"})

        first = load_prompt("greeting", version=1)
        seen["first"] = [first.template, first.commit_message, dict(first.tags)]
        seen["newest"] = [fresh("greeting"), fresh("prompts:/greeting@latest")]
        seen["chat"] = load_prompt("chat").template == chat
        seen["missing"] = load_prompt("none", version=1, allow_missing=True)
        set_prompt_alias("greeting", alias="production", version=1)
        seen["alias"] = fresh("prompts:/greeting@production")
        set_prompt_alias("greeting", alias="production", version=2)
        seen["moved"] = fresh("prompts:/greeting@production")
        delete_prompt_alias("greeting", alias="production")
        seen["gone"] = said(fresh, "prompts:/greeting@production")
        set_prompt_tag("greeting", "env", "prod")
        set_prompt_version_tag("greeting", 1, "env", "test")
        seen["tags"] = [client.get_prompt("greeting").tags["env"],
                        load_prompt("greeting", version=1, cache_ttl_seconds=0).tags["env"]]

        seen["prompts"] = sorted(p.name for p in search_prompts())
        seen["by tag"] = [p.name for p in client.search_prompts("tags.fruit = 'apple'")]
        seen["by name"] = [p.name for p in client.search_prompts("name LIKE 'gr%'")]
        seen["versions"] = [v.version for v in client.search_prompt_versions("greeting")]
        seen["models"] = [m.name for m in client.search_registered_models()]
        store = mlflow.tracking._model_registry.utils._get_store()
        seen["bare"] = [[m.name for m in store.search_registered_models(text)]
                        for text in (None, "tags.fruit = 'apple'", "name = 'chat'")]
        seen["bare versions"] = [v.name for v in store.search_model_versions()]

        seen["taken"] = [said(client.create_registered_model, "greeting"),
                         said(register_prompt, "model", "x")]
        seen["too long"] = said(register_prompt, "long", "x" * 100_001)
        with mlflow.start_run() as run:
            load_prompt("greeting", version=2)
        for thread in threading.enumerate():
            if thread.name.startswith("link_prompt"):
                thread.join(30)
        seen["linked"] = client.get_run(run.info.run_id).data.tags["mlflow.linkedPrompts"]
        for version in ("1", "2"):
            client.delete_prompt_version("greeting", version)
        client.delete_prompt("greeting")
        seen["left"] = sorted(p.name for p in search_prompts())
        print(json.dumps(seen))
        """,
        url=server.url,
    )
    seen: dict[str, Any] = json.loads(told.splitlines()[-1])
    assert seen["first"] == ["Hi, {{name}}!", "first", {"by": "ann"}]
    assert seen["newest"] == ["Hello, {{name}}!"] * 2
    assert seen["chat"]
    assert seen["missing"] is None
    assert (seen["alias"], seen["moved"]) == ("Hi, {{name}}!", "Hello, {{name}}!")
    assert "not found" in seen["gone"]
    assert seen["tags"] == ["prod", "test"]
    assert seen["prompts"] == ["chat", "greeting"]
    assert (seen["by tag"], seen["by name"]) == (["chat"], ["greeting"])
    assert seen["versions"] == [2, 1]
    assert seen["models"] == ["model"]
    assert seen["bare"] == [["model"], ["model"], []]
    assert seen["bare versions"] == []
    assert "already taken by a prompt" in seen["taken"][0]
    assert "exists with the same name" in seen["taken"][1]
    assert "exceed" in seen["too long"]
    assert json.loads(seen["linked"]) == [{"name": "greeting", "version": "2"}]
    assert seen["left"] == ["chat"]
