"""What the source of a version means, beyond the bytes that it freezes; and what prompts are."""

import json
from typing import Any

import pytest

from modelkeep.domain.errors import AlreadyExists, InvalidInput, NotFound
from modelkeep.domain.search import Comparison
from modelkeep.services import promotion, registry, tracking
from modelkeep.services.steps import End
from tests.support.clock import NOON_MS, MovedClock
from tests.support.core import ANN, Core

PROMPT = {"mlflow.prompt.is_prompt": "true"}
ELSEWHERE = "e" * 32  # a run of another server


def refusal(core: Core, source: str, **facts: Any) -> str:
    with pytest.raises((InvalidInput, NotFound)) as caught:
        core.register("churn", source, **facts)
    return caught.value.message


def notes(core: Core, logged: str) -> object:
    """What a logged model's tag says of the versions made of it."""
    tags = core.read(tracking.get_logged_model, logged).tags
    return json.loads(tags["mlflow.modelVersions"])


def test_a_run_of_another_server_is_a_label_when_it_is_named_twice(core: Core) -> None:
    core.model("churn")
    source = f"runs:/{ELSEWHERE}/model"
    version = core.register("churn", source, run_id=ELSEWHERE)
    assert (version.manifest, version.run_id, version.source) == (None, ELSEWHERE, source)
    assert core.read(registry.download_address, "churn", version.number)[0] == source
    assert f"Run with id={ELSEWHERE} not found" in refusal(core, source)
    assert "run_id request parameter must identify" in refusal(core, source, run_id="f" * 32)
    assert "model_id request parameter" in refusal(
        core, source, run_id=ELSEWHERE, logged_model_id="m-" + "0" * 32
    )
    assert core.promote(version.number, "Production").end is End.MOVED


def test_an_alias_a_stage_and_latest_mean_the_version_of_that_moment(core: Core) -> None:
    core.model("churn")
    core.model("copies")
    first, second = core.version(), core.version()
    core.set_alias("best", 1)
    core.promote(1, "Staging")
    for way, meant in (
        ("churn@best", first),
        ("churn/latest", second),
        ("churn/LATEST", second),
        ("churn/staging", first),
        ("churn/None", second),
        ("churn/02", second),
    ):
        copy = core.register("copies", f"models:/{way}")
        assert copy.source == f"models:/churn/{meant.number}", way
        assert (copy.manifest, copy.run_id) == (meant.manifest, meant.run_id), way
    core.set_alias("best", 2)
    assert core.get(1, "copies").manifest == first.manifest
    assert "Registered model alias nobody not found" in refusal(core, "models:/churn@nobody")
    assert "stage 'Production' found" in refusal(core, "models:/churn/Production")
    assert "Invalid Model Version stage" in refusal(core, "models:/churn/nowhere")
    assert "Latest version not found" in refusal_of_empty(core)
    assert "must match the referenced" in refusal(core, "models:/churn@best", run_id="f" * 32)


def refusal_of_empty(core: Core) -> str:
    core.model("empty")
    return refusal(core, "models:/empty/latest")


def test_the_highest_number_is_the_alias_latest(core: Core) -> None:
    core.model("churn")
    with pytest.raises(NotFound, match="Latest version not found for model churn"):
        core.read(registry.version_by_alias, "churn", "latest")
    core.version()
    core.version()
    core.promote(2, "Archived")
    assert core.alias("latest") == 2
    core.write(registry.delete_version, ANN, "churn", 2)
    assert core.alias("Latest") == 1
    with pytest.raises(InvalidInput, match="Invalid alias name: 'a b'"):
        core.read(registry.version_by_alias, "churn", "a b")
    with pytest.raises(InvalidInput, match="Invalid alias name: 'a b'"):
        core.write(promotion.delete_alias, ANN, "churn", "a b")


def test_doubled_slashes_are_one_and_no_folder_is_called_dots(core: Core) -> None:
    core.model("churn")
    run = core.run()
    root = f"mlflow-artifacts:/0/{run}/artifacts"
    core.put(f"0/{run}/artifacts/model/w", "w")
    plain = core.register("churn", f"{root}/model", run_id=run)
    for written in (f"{root}//model", f"{root}///model//"):
        version = core.register("churn", written, run_id=run)
        assert (version.manifest, version.source) == (plain.manifest, written)
    core.put(f"0/{run}/artifacts/dots/w", "w")
    dotted = core.register("churn", f"{root}/....", run_id=run)
    assert (dotted.manifest, dotted.run_id) == (None, run)
    assert "must identify" in refusal(core, f"{root}/....", run_id=core.run())


def test_a_label_of_a_logged_model_is_of_its_run(core: Core) -> None:
    core.model("churn")
    run = core.run()
    logged = core.write(tracking.create_logged_model, ANN, 0, source_run_id=run).model_id
    version = core.register("churn", "s3://bucket/x", logged_model_id=logged)
    assert (version.run_id, version.logged_model_id) == (run, logged)
    missing = "m-" + "0" * 32
    assert f"'{missing}' not found" in refusal(core, "s3://bucket/x", logged_model_id=missing)


def test_a_logged_model_notes_the_versions_made_of_it(core: Core) -> None:
    core.model("churn")
    logged = core.write(tracking.create_logged_model, ANN, 0).model_id
    for _ in range(2):
        core.register("churn", f"models:/{logged}")
    core.register("churn", "models:/churn/1")
    made = [{"name": "churn", "version": number} for number in (1, 2, 3)]
    assert notes(core, logged) == made


@pytest.mark.parametrize("kept", ['{"a": 1}', "none", "[" * 3000, json.dumps(["x" * 7980])])
def test_a_note_that_is_not_the_servers_stays_as_it_is(core: Core, kept: str) -> None:
    core.model("churn")
    logged = core.write(tracking.create_logged_model, ANN, 0).model_id
    core.write(tracking.set_logged_model_tags, ANN, logged, {"mlflow.modelVersions": kept})
    core.register("churn", f"models:/{logged}")
    tags = core.read(tracking.get_logged_model, logged).tags
    assert tags["mlflow.modelVersions"] == kept


# -- prompts -----------------------------------------------------------------------------------


def test_a_prompt_has_a_placeholder_for_a_source_and_nothing_else_has(core: Core) -> None:
    core.model("greeting", tags=PROMPT)
    core.model("churn")
    for placeholder in ("dummy-source", "prompt-template"):
        version = core.register("greeting", placeholder, tags=PROMPT)
        assert (version.source, version.manifest) == (placeholder, None)
        assert "local path" in refusal(core, placeholder)
    run = core.run()
    for source in ("s3://b/x", f"runs:/{run}/model", "models:/churn/1", "/etc", "file:///etc"):
        assert "Prompt sources must use" in refusal(core, source, tags=PROMPT, run_id=run)
    assert "Prompt versions cannot be used" in refusal(core, "models:/greeting/1")


def test_a_model_and_a_prompt_cannot_have_one_name(core: Core) -> None:
    core.model("churn")
    core.model("greeting", tags={"mlflow.prompt.is_prompt": "True"})
    for name, tags, said in (
        ("churn", {}, r"Registered Model \(name=churn\) already exists"),
        ("greeting", PROMPT, r"Prompt \(name=greeting\) already exists"),
        ("churn", PROMPT, "create a prompt with name 'churn', but .* by a registered model"),
        ("greeting", {}, "create a registered model with name 'greeting', but .* by a prompt"),
    ):
        with pytest.raises(AlreadyExists, match=said):
            core.model(name, tags=tags)


def test_a_tag_can_be_asked_not_to_be_something(core: Core) -> None:
    for name, tags in (("a", {}), ("b", {"k": "x"}), ("c", {"k": "y"})):
        core.model(name, tags=tags)
        core.register(name, "s3://b/x", tags=tags)
    where = [Comparison("tag", "k", "IS NOT", "x")]
    models = core.read(registry.search_models, where, [], 10)
    assert {model.name for model, _ in models.items} == {"a", "c"}
    found = core.read(registry.search_versions, where, [], 10)
    assert {version.model_name for version in found.items} == {"a", "c"}


# -- when a model was last updated -------------------------------------------------------------


def test_a_move_and_a_deletion_update_the_model_and_a_tag_does_not(
    core: Core, clock: MovedClock
) -> None:
    core.model("churn")
    core.version()
    core.version()

    def updated() -> int:
        return core.read(registry.get_model, "churn").updated_ms - NOON_MS

    clock.advance(1)
    core.write(registry.set_model_tag, ANN, "churn", "k", "v")
    core.tag(1, "k")
    core.write(registry.delete_version_tag, ANN, "churn", 1, "k")
    core.write(registry.delete_model_tag, ANN, "churn", "k")
    core.set_alias("best", 1)
    core.write(registry.describe_version, ANN, "churn", 2, "d")
    assert (updated(), core.get(1).updated_ms) == (0, NOON_MS)
    core.promote(1, "Staging")
    assert updated() == 1
    clock.advance(1)
    core.promote(1, "Staging")
    assert updated() == 2
    clock.advance(1)
    core.write(registry.delete_version, ANN, "churn", 2)
    assert updated() == 3
