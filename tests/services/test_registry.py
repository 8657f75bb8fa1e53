"""Models and versions, on both databases."""

import hashlib
from typing import Any

import pytest

from modelkeep.domain.access import Actor, Caller
from modelkeep.domain.errors import (
    AlreadyExists,
    Forbidden,
    InvalidInput,
    LimitExceeded,
    ModelkeepError,
    NotFound,
)
from modelkeep.domain.models import Version
from modelkeep.domain.search import Comparison, Order
from modelkeep.ports.work import Work
from modelkeep.services import (
    artifacts,
    creation,
    history,
    promotion,
    registry,
    sources,
    tracking,
    voting,
)
from modelkeep.services.steps import End
from tests.support.clock import NOON_MS, MovedClock
from tests.support.core import ANN, BOB, NOBODY, Core

GUARDED = {"stage_transitions": {"None -> Production": {}}}


def digest_of(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


# -- models ------------------------------------------------------------------------------------


def test_a_model_is_what_it_was_created_as(core: Core, clock: MovedClock) -> None:
    core.model("churn", description="who leaves", tags={"team": "a", "é": ""})
    model = core.read(registry.get_model, "churn")
    assert (model.name, model.description) == ("churn", "who leaves")
    assert model.tags == {"team": "a", "é": ""}
    assert (model.created_ms, model.updated_ms, model.aliases) == (NOON_MS, NOON_MS, {})
    assert core.acts() == ["model:created"]


def test_a_name_is_taken_once(core: Core) -> None:
    core.model("churn")
    with pytest.raises(AlreadyExists, match=r"Registered Model \(name=churn\) already exists\."):
        core.model("churn")
    core.model("Churn")  # another name, by its bytes


def test_a_name_that_may_not_be_is_refused(core: Core) -> None:
    for name in ("", " ", "a/b", "a:b", "a\nb", "a%2fb", "churn\u200b", "x" * 257, ".."):
        with pytest.raises(InvalidInput):
            core.model(name)
    assert core.acts() == []


def test_a_policy_says_what_models_may_be_called(core: Core) -> None:
    core.model("Old-Name")
    applied = core.apply({"naming_convention": {"pattern": "^[a-z_]+$", "max_length": 10}})
    assert "It keeps its name." in applied.findings[0]
    for name in ("New", "a_long_name_indeed"):
        with pytest.raises(InvalidInput):
            core.model(name)
        with pytest.raises(InvalidInput):
            core.write(registry.rename_model, ANN, "Old-Name", name)
    core.write(registry.rename_model, ANN, "Old-Name", "old_name")


def test_what_is_not_there_is_not_found(core: Core) -> None:
    core.model("churn")
    for use_case, *args in (
        (registry.describe_model, ANN, "nope", "x"),
        (registry.rename_model, ANN, "nope", "x"),
        (registry.delete_model, ANN, "nope"),
        (registry.set_model_tag, ANN, "nope", "k", "v"),
        (registry.delete_model_tag, ANN, "nope", "k"),
        (creation.create_version, ANN, creation.Draft("nope", "s3://b/x")),
        (promotion.set_alias, ANN, "nope", "a", 1),
        (promotion.delete_alias, ANN, "nope", "a"),
        (promotion.roll_back, ANN, "nope", "why"),
    ):
        with pytest.raises(NotFound):
            core.write(use_case, *args)
    for use_case, *args in (
        (registry.get_model, "nope"),
        (registry.get_model_with_latest, "nope"),
        (registry.latest_versions, "nope", []),
        (registry.version_by_alias, "nope", "a"),
        (registry.get_version, "churn", 1),
        (history.at, "nope", NOON_MS),
        (history.of_model, "nope"),
    ):
        with pytest.raises(NotFound):
            core.read(use_case, *args)
    with pytest.raises(NotFound, match=r"Model Version \(name=churn, version=7\) not found"):
        core.write(registry.set_version_tag, ANN, "churn", 7, "k", "v")


ODD_TEXTS = ["a\x00b", "\x00", "a\ud800b"]


@pytest.mark.parametrize("odd", ODD_TEXTS, ids=ascii)
def test_a_text_that_no_database_can_hold_is_a_mistake_of_the_callers(core: Core, odd: str) -> None:
    core.model("churn")
    core.version()
    draft = creation.Draft
    for use_case, *args in (
        (registry.create_model, ANN, odd),
        (registry.create_model, ANN, "x", odd),
        (registry.create_model, ANN, "x", "", {odd: "v"}),
        (registry.create_model, ANN, "x", "", {"k": odd}),
        (registry.rename_model, ANN, "churn", odd),
        (registry.rename_model, ANN, odd, "x"),
        (registry.describe_model, ANN, "churn", odd),
        (registry.delete_model, ANN, odd),
        (registry.set_model_tag, ANN, odd, "k", "v"),
        (registry.delete_version_tag, ANN, odd, 1, "k"),
        (creation.create_version, ANN, draft(odd, "s3://b/x")),
        (creation.create_version, ANN, draft("churn", f"s3://b/{odd}")),
        (creation.create_version, ANN, draft("churn", "s3://b/x", run_id=odd)),
        (creation.create_version, ANN, draft("churn", "s3://b/x", logged_model_id=odd)),
        (creation.create_version, ANN, draft("churn", "s3://b/x", run_link=odd)),
        (creation.create_version, ANN, draft("churn", "s3://b/x", description=odd)),
        (registry.describe_version, ANN, "churn", 1, odd),
        (registry.set_version_tag, ANN, "churn", 1, "k", odd),
        (promotion.set_alias, ANN, "churn", odd, 1),
        (promotion.request, ANN, promotion.Order("churn", 1, "Staging", odd)),
        (promotion.request, ANN, promotion.Order("churn", 1, odd)),
        (artifacts.put, ANN, odd, "0" * 64, 1),
    ):
        with pytest.raises((InvalidInput, NotFound)):
            core.write(use_case, *args)
    for use_case, *args in (
        (registry.get_model, odd),
        (registry.get_version, odd, 1),
        (registry.version_by_alias, "churn", odd),
        (registry.version_by_alias, odd, "a"),
        (registry.search_models, [Comparison("attribute", "name", "=", odd)], [], 10),
        (registry.search_versions, [Comparison("tag", odd, "=", "x")], [], 10),
        (history.at, odd, NOON_MS),
        (history.of_model, odd),
        (artifacts.find, odd),
        (tracking.get_run, odd),
    ):
        try:
            core.read(use_case, *args)
        except (InvalidInput, NotFound):
            continue


def test_a_number_that_no_database_can_hold_is_a_mistake_of_the_callers(core: Core) -> None:
    core.model("churn")
    core.version()
    for number in (0, -1, 2**63, -(2**70), 10**40):
        with pytest.raises((InvalidInput, NotFound)):
            core.read(registry.get_version, "churn", number)
        with pytest.raises((InvalidInput, NotFound)):
            core.write(voting.vote, BOB, number, approves=True)
        try:
            core.read(history.at, "churn", number)
            core.read(history.of_model, "churn", number)
        except ModelkeepError:
            continue


def test_a_renamed_model_keeps_all_but_its_name(core: Core, clock: MovedClock) -> None:
    core.model("churn", tags={"team": "a"})
    core.version()
    core.set_alias("best", 1)
    before = core.read(registry.get_model, "churn")
    clock.advance(5)
    core.write(registry.rename_model, ANN, "churn", "leavers")
    after = core.read(registry.get_model, "leavers")
    assert (after.id, after.tags, after.aliases) == (before.id, {"team": "a"}, {"best": 1})
    assert after.updated_ms == NOON_MS + 5
    assert core.get(1, "leavers").model_name == "leavers"
    with pytest.raises(NotFound):
        core.read(registry.get_model, "churn")
    with pytest.raises(NotFound):
        core.read(registry.version_by_alias, "churn", "best")


def test_a_rename_does_not_take_anothers_name_and_to_its_own_is_nothing(core: Core) -> None:
    core.model("a")
    core.model("b")
    with pytest.raises(AlreadyExists):
        core.write(registry.rename_model, ANN, "a", "b")
    assert core.write(registry.rename_model, ANN, "a", "a") is None
    assert core.acts() == ["model:created"] * 2


def test_names_can_be_used_again_after_a_rename_or_a_delete(core: Core) -> None:
    core.model("a")
    first = core.read(registry.get_model, "a").id
    core.write(registry.rename_model, ANN, "a", "b")
    core.model("a")
    second = core.read(registry.get_model, "a").id
    core.write(registry.delete_model, ANN, "a")
    core.model("a")
    third = core.read(registry.get_model, "a").id
    core.write(registry.rename_model, ANN, "b", "c")
    core.write(registry.rename_model, ANN, "a", "b")
    core.write(registry.rename_model, ANN, "b", "a")
    assert len({first, second, third}) == 3
    assert core.read(registry.get_model, "a").id == third
    assert core.read(registry.get_model, "c").id == first


def test_a_model_of_a_used_name_is_another_model(core: Core) -> None:
    core.model("churn", tags={"k": "v"})
    core.version()
    core.set_alias("best", 1)
    core.write(registry.delete_model, ANN, "churn")
    core.model("churn")
    model, latest = core.read(registry.get_model_with_latest, "churn")
    assert (model.tags, model.aliases, latest) == ({}, {}, [])
    assert core.read(registry.version_by_alias, "churn", "best") is None
    assert core.version().number == 1


def test_descriptions_and_tags_of_a_model_change(core: Core, clock: MovedClock) -> None:
    core.model("churn", tags={"k": "1"})
    clock.advance(3)
    core.write(registry.describe_model, BOB, "churn", "new")
    core.write(registry.set_model_tag, BOB, "churn", "k", "2")
    core.write(registry.set_model_tag, BOB, "churn", "l", "x" * 100_000)
    model = core.read(registry.get_model, "churn")
    assert (model.description, model.tags["k"], model.updated_ms) == ("new", "2", NOON_MS + 3)
    core.write(registry.delete_model_tag, BOB, "churn", "k")
    core.write(registry.delete_model_tag, BOB, "churn", "k")  # nothing to do, nothing recorded
    assert core.acts()[1:] == ["model:described", *["model:tag:set"] * 2, "model:tag:deleted"]
    for key, value in (
        ("", "v"),
        ("k", "x" * 100_001),
        ("k" * 251, "v"),
        ("k\n", "v"),
        ("k@", "v"),
    ):
        with pytest.raises(InvalidInput):
            core.write(registry.set_model_tag, BOB, "churn", key, value)
    with pytest.raises(InvalidInput):
        core.write(registry.describe_model, BOB, "churn", "x" * 100_001)


def test_models_are_searched(core: Core, clock: MovedClock) -> None:
    for name, tags in (("a", {"team": "x"}), ("B", {"team": "y"}), ("c%", {}), ("gone", {})):
        core.model(name, tags=tags)
        clock.advance(1)
    core.write(registry.delete_model, ANN, "gone")

    def find(*where: Any, order: tuple[Order, ...] = (), limit: int = 10) -> list[str]:
        conditions = [Comparison(*where)] if where else []
        found = core.read(registry.search_models, conditions, order, limit)
        return [model.name for model, _ in found.items]

    by_name = Order("attribute", "name", ascending=False)
    assert find() == ["B", "a", "c%"]
    assert find(order=(by_name,)) == ["c%", "a", "B"]
    assert find(order=(by_name,), limit=1) == ["c%"]
    assert find("attribute", "name", "LIKE", "b") == []
    assert find("attribute", "name", "ILIKE", "b") == ["B"]
    assert find("attribute", "name", "IN", ("a", "c%")) == ["a", "c%"]
    assert find("tag", "team", "=", "x") == ["a"]
    assert find("tag", "team", "!=", "x") == ["B"]


# -- versions ----------------------------------------------------------------------------------


def test_a_version_is_what_it_was_registered_as(core: Core) -> None:
    core.model("churn")
    run_id = core.run()
    core.put(f"0/{run_id}/artifacts/model/weights", "w")
    created = core.register(
        "churn",
        f"runs:/{run_id}/model",
        run_link="http://x",
        description="first",
        tags={"k": "v"},
    )
    assert created == core.get(1)
    assert (created.number, created.stage, created.run_id) == (1, "None", run_id)
    assert created.source == f"runs:/{run_id}/model"
    assert (created.author, created.tags, created.aliases) == ("ann", {"k": "v"}, ())
    assert created.manifest
    assert created.subject == created.manifest


def test_numbers_are_never_used_again(core: Core) -> None:
    core.model("churn")
    assert [core.register("churn", "s3://b/x").number for _ in range(3)] == [1, 2, 3]
    core.write(registry.delete_version, ANN, "churn", 3)
    core.write(registry.delete_version, ANN, "churn", 2)
    assert core.register("churn", "s3://b/x").number == 4
    core.restart()
    assert core.register("churn", "s3://b/x").number == 5
    with pytest.raises(InvalidInput):
        core.register("churn", "file:///etc")
    assert core.register("churn", "s3://b/x").number == 6
    for number in (2, 3):
        with pytest.raises(NotFound):
            core.get(number)


def test_a_deleted_version_leaves_its_stage_and_its_aliases(core: Core) -> None:
    core.model("churn")
    core.version()
    core.version()
    core.promote(1, "Staging")
    core.set_alias("best", 1)
    core.write(registry.delete_version, ANN, "churn", 1)
    assert core.alias("best") is None
    assert core.stages() == {2: "None"}
    assert core.read(registry.get_model, "churn").aliases == {}
    for use_case, *args in (
        (registry.delete_version, ANN, "churn", 1),
        (registry.describe_version, ANN, "churn", 1, "x"),
        (promotion.set_alias, ANN, "churn", "best", 1),
        (promotion.request, ANN, promotion.Order("churn", 1, "Staging")),
    ):
        with pytest.raises(NotFound):
            core.write(use_case, *args)


def test_what_a_policy_guards_cannot_be_deleted_from_under_it(core: Core) -> None:
    core.model("churn")
    core.version()
    core.apply(GUARDED)
    core.promote(1, "Production")
    for use_case, *args in (
        (registry.delete_version, ANN, "churn", 1),
        (registry.delete_model, ANN, "churn"),
    ):
        refusal = core.write(use_case, *args)
        assert "may not be deleted" in refusal.message
        assert "it is in Production, which the policy guards" in refusal.message
        assert core.acts()[-1] == "version:stage:refused"
    assert core.in_stage("Production") == [1]
    core.promote(1, "Archived")
    core.write(registry.delete_model, ANN, "churn")


def test_a_deleted_model_takes_its_versions_with_it_or_nothing(core: Core) -> None:
    core.model("churn")
    core.version()
    core.version()
    core.apply(GUARDED)
    core.promote(2, "Production")
    assert core.write(registry.delete_model, ANN, "churn").end is End.REFUSED
    assert core.stages() == {1: "None", 2: "Production"}
    assert "version:deleted" not in core.acts()


def test_descriptions_and_tags_of_a_version_change(core: Core, clock: MovedClock) -> None:
    core.model("churn")
    core.version()
    clock.advance(4)
    assert core.write(registry.describe_version, BOB, "churn", 1, "new").description == "new"
    core.tag(1, "k", "1")
    core.tag(1, "k", "x" * 100_000)
    assert core.get(1).updated_ms == NOON_MS + 4
    assert len(core.get(1).tags["k"]) == 100_000
    with pytest.raises(InvalidInput):
        core.tag(1, "k", "x" * 100_001)
    core.write(registry.delete_version_tag, BOB, "churn", 1, "k")
    core.write(registry.delete_version_tag, BOB, "churn", 1, "k")
    assert core.get(1).tags == {}


def test_more_tags_than_a_leaf_can_name_are_refused_whole(core: Core) -> None:
    core.model("churn")
    tags = {f"{n:0250}": "v" for n in range(400)}
    with pytest.raises(LimitExceeded):
        core.register("churn", "s3://b/x", tags=tags)
    assert core.stages() == {}
    assert core.register("churn", "s3://b/x").number == 1


def test_versions_are_searched(core: Core) -> None:
    core.model("a")
    core.model("b")
    for name in ("a", "a", "b"):
        core.register(name, f"s3://{name}/x", tags={"k": name})

    def find(*where: Any) -> list[tuple[str, int]]:
        found = core.read(registry.search_versions, [Comparison(*where)], [], 10)
        return [(version.model_name, version.number) for version in found.items]

    assert find("attribute", "name", "=", "a") == [("a", 1), ("a", 2)]
    assert find("attribute", "source_path", "LIKE", "s3://b%") == [("b", 1)]
    assert find("attribute", "version_number", ">", 1) == [("a", 2)]
    assert find("tag", "k", "!=", "a") == [("b", 1)]
    core.write(registry.rename_model, ANN, "a", "c")
    assert find("attribute", "name", "=", "a") == []
    assert find("attribute", "name", "=", "c") == [("c", 1), ("c", 2)]


def test_the_newest_of_each_stage_is_the_highest_number(core: Core) -> None:
    core.model("churn")
    for _ in range(4):
        core.version()
    core.promote(1, "Staging")
    core.promote(3, "Staging")
    core.promote(4, "Archived")
    newest = core.read(registry.latest_versions, "churn", [])
    assert {v.stage: v.number for v in newest} == {"None": 2, "Staging": 3, "Archived": 4}
    only = core.read(registry.latest_versions, "churn", ["Staging", "Production"])
    assert [v.number for v in only] == [3]
    core.write(registry.delete_version, ANN, "churn", 3)
    assert [v.number for v in core.read(registry.latest_versions, "churn", ["Staging"])] == [1]


# -- what a version is made of -----------------------------------------------------------------


def address(core: Core, version: Version) -> str:
    return core.read(sources.address, version)


def files_of(core: Core, number: int, name: str = "churn") -> dict[str, str]:
    version = core.get(number, name)
    frozen = core.read(lambda work: work.artifacts.frozen(version.id))
    return {file.path: file.sha256 for file in frozen.files}


def test_a_frozen_tree_is_not_touched_by_what_happens_to_the_run(core: Core) -> None:
    core.model("churn")
    run_id = core.run()
    root = f"0/{run_id}/artifacts"
    core.put(f"{root}/model/weights", "first")
    core.put(f"{root}/model/MLmodel", "m")
    core.put(f"{root}/models", "a neighbour")
    before = core.register("churn", f"runs:/{run_id}/model")
    frozen = files_of(core, 1)
    assert frozen == {"weights": digest_of("first"), "MLmodel": digest_of("m")}
    core.put(f"{root}/model/weights", "second")
    core.put(f"{root}/model/added", "x")
    core.write(artifacts.delete, ANN, f"{root}/model/MLmodel")
    assert files_of(core, 1) == frozen
    assert core.get(1).manifest == before.manifest
    after = core.register("churn", f"runs:/{run_id}/model")
    assert after.manifest != before.manifest
    assert files_of(core, 2) == {"weights": digest_of("second"), "added": digest_of("x")}
    core.write(tracking.delete_run, ANN, run_id)
    found, _ = core.read(artifacts.find, f"modelkeep/versions/{before.id}/weights")
    assert found.sha256 == digest_of("first")


def test_the_address_of_a_frozen_tree_is_read_only(core: Core) -> None:
    core.model("churn")
    version = core.version()
    path = sources.path_of(address(core, version))
    assert path == f"modelkeep/versions/{version.id}"
    assert [entry.name for entry in core.read(artifacts.listing, path)] == ["weights"]
    for use_case, *args in (
        (artifacts.put, ANN, f"{path}/weights", "0" * 64, 1),
        (artifacts.put, ANN, "modelkeep/other", "0" * 64, 1),
        (artifacts.put, ANN, "modelkeep", "0" * 64, 1),
        (artifacts.delete, ANN, f"{path}/weights"),
        (artifacts.delete, ANN, "modelkeep"),
    ):
        with pytest.raises(Forbidden):
            core.write(use_case, *args)
    core.write(registry.delete_version, ANN, "churn", 1)
    for use_case in (artifacts.find, artifacts.listing):
        with pytest.raises(NotFound):
            core.read(use_case, f"{path}/weights")


def test_the_same_bytes_have_the_same_manifest_wherever_they_lay(core: Core) -> None:
    core.model("churn")
    core.model("other")
    first, second = core.run(), core.run()
    for run_id in (first, second):
        core.put(f"0/{run_id}/artifacts/model/w", "same")
    manifests = {core.register("churn", f"runs:/{run}/model").manifest for run in (first, second)}
    manifests.add(core.register("other", f"mlflow-artifacts:/0/{first}/artifacts/model").manifest)
    assert len(manifests) == 1


def test_a_copy_of_a_version_is_made_of_the_same(core: Core) -> None:
    core.model("churn")
    core.model("prod")
    original = core.version()
    core.put(f"0/{original.run_id}/artifacts/model/weights", "changed since")
    copies = [
        core.register("prod", "models:/churn/1"),
        core.register("prod", address(core, original)),
        core.register("prod", "models:/prod/1"),
    ]
    for copy in copies:
        assert copy.manifest == original.manifest
        assert copy.run_id == original.run_id
        assert files_of(core, copy.number, "prod") == files_of(core, 1)
    assert copies[0].source == "models:/churn/1"


def test_a_single_file_is_a_tree_of_one(core: Core) -> None:
    core.model("churn")
    run_id = core.run()
    core.put(f"0/{run_id}/artifacts/a/weights.bin", "w")
    core.register("churn", f"runs:/{run_id}/a/weights.bin")
    assert files_of(core, 1) == {"weights.bin": digest_of("w")}


def test_a_tree_is_what_lies_under_the_folder_and_not_beside_it(core: Core) -> None:
    core.model("churn")
    run_id = core.run()
    root = f"0/{run_id}/artifacts"
    for path in ("m/a", "m/b/c", "m0", "m-x/a", "m.txt", "M/a", "m\u00e9/a", "m%/a"):
        core.put(f"{root}/{path}", path)
    core.register("churn", f"runs:/{run_id}/m")
    assert files_of(core, 1).keys() == {"a", "b/c"}


def test_a_logged_models_tree_is_frozen_with_its_run(core: Core) -> None:
    core.model("churn")
    run_id = core.run()
    logged = core.write(tracking.create_logged_model, ANN, 0, name="net", source_run_id=run_id)
    core.put(f"0/models/{logged.model_id}/artifacts/w", "w")
    for source, facts in (
        (f"models:/{logged.model_id}", {"logged_model_id": logged.model_id}),
        (f"models:/{logged.model_id}", {}),
        (f"mlflow-artifacts:/0/models/{logged.model_id}/artifacts", {}),
    ):
        version = core.register("churn", source, **facts)
        assert (version.run_id, version.logged_model_id) == (run_id, logged.model_id)
        assert files_of(core, version.number) == {"w": digest_of("w")}


LABELS = [
    *("s3://bucket/a b/c+d%20e", "s3a://b/x", "gs://b/ü", "dbfs:/x", "abfss://c@a.dfs/x"),
    *("wasbs://c@a/x", "hf://org/model", "oci://r/x:tag", "S3://Bucket/X/", "plug-in://store/x"),
]


def test_a_label_is_given_back_as_it_came(core: Core) -> None:
    core.model("churn")
    for label in LABELS:
        version = core.register("churn", label, run_id="b" * 32)
        assert version.manifest is None
        assert core.get(version.number).source == label
        assert address(core, version) == label
        assert version.subject == f"label:{version.id}:{label}"
        copy = core.register("churn", f"models:/churn/{version.number}")
        assert copy.manifest is None
        assert address(core, copy) == label


def test_two_labels_of_one_text_are_two_subjects(core: Core) -> None:
    core.model("churn")
    subjects = {core.register("churn", "s3://b/x").subject for _ in range(2)}
    assert len(subjects) == 2


RUN, OTHER = "a" * 32, "c" * 32


REFUSED = [
    "",
    # hosts, and what is no address of anything
    *("http://169.254.169.254/api/2.0/mlflow-artifacts/artifacts/", "https://h/x", "ftp://h/x"),
    *("sftp://h/x", "hdfs://h/x", "HTTP://h/x", "x://y", "javascript:alert(1)", "data:,x"),
    *("//host/x", "//proc/self/root", "http:///?/../../etc", "http://h#/../../etc"),
    # the server's own disk
    *("file:///etc/", "FILE:///etc", "file:/etc", "file:etc", "file://h/etc", "/etc", "etc"),
    *("path/to/source", "./x", "~", "C:/x", "C:\\x", "\\\\h\\x", ".", "file:///..\\..\\"),
    *("file://HOST/../../../../", " file:///etc", "mlruns/0/x", "sqlite:x", "x:/y"),
    # ways out of the artifact store
    *("mlflow-artifacts:/..%2f..%2f", "mlflow-artifacts:/../x", "mlflow-artifacts:/a/../../x"),
    *("mlflow-artifacts:/%2e%2e/x", "mlflow-artifacts:/%25252e%25252e/x", "mlflow-artifacts:/"),
    *("mlflow-artifacts:", "mlflow-artifacts://host/x", "mlflow-artifacts:////x"),
    *("mlflow-artifacts://[", "mlflow-artifacts:/a?b", "mlflow-artifacts:/a#b"),
    *("mlflow-artifacts:/a;b", "mlflow-artifacts:/a%00", "mlflow-artifacts:/a\x00"),
    *("mlflow-artifacts:/a\\b", "mlflow-artifacts:/%5c..%5cx", "mlflow-artifacts:/a/%c0%ae./x"),
    *(f"runs:/{RUN}/../x", f"runs:/{RUN}/%2e%2e/x", f"runs:/{RUN}/a?b", f"runs://h/{RUN}/x"),
    *("runs:/", "runs:", f"runs:{RUN}", f"runs:/{RUN}/a/%00", "runs:/../x"),
    *("models:/", "models:/churn", "models:/churn/", "models:/other/latest", "models:/churn@a"),
    *("models://host/churn/1", "models://host/..", "models:/churn/-1", "models:/churn/1/x"),
    *("models:/churn/Production", "models:/../1", "models:/churn/1?x", "models:/churn/1#x"),
    *(f"models:/churn/{'9' * 30}", "models:/churn/1.0", "models:/churn/0x1", "models:/churn/²"),
    # labels that lead elsewhere
    *("s3://b/a%2e%2e/../x", "s3://b/../x", "s3://b/%252e%252e/x", "s3://b/x\x00", "s3://b\\x"),
    *("dbfs:/RUN/artifacts/a%3f/../../../../", "gs://b/;../x", "s3://b/‥/x", "s3://b/%5c../x"),
    *("dummy-source/../x", "dummy-source?", "Dummy-Source", "s3", "s3//b", "x" * 3000),
    "s3://b/" + "x" * 2048,
]


def test_a_source_that_must_not_be_is_refused_whatever_is_said_of_it(core: Core) -> None:
    core.model("churn")
    core.register("churn", "s3://b/x")
    is_prompt = {"mlflow.prompt.is_prompt": "true"}
    sayings = ({}, {"tags": is_prompt}, {"run_id": RUN}, {"run_id": RUN, "tags": is_prompt})

    def taken(work: Work, source: str, facts: dict[str, Any]) -> bool:
        try:
            creation.create_version(work, ANN, creation.Draft("churn", source, **facts))
        except (InvalidInput, NotFound):
            return False
        return True

    def all_taken(work: Work) -> list[str]:
        return [source for source in REFUSED for said in sayings if taken(work, source, said)]

    assert core.write(all_taken) == []
    assert core.stages() == {1: "None"}


def test_a_source_and_what_is_said_of_it_must_agree(core: Core) -> None:
    core.model("churn")
    version = core.version()
    run_id, other = version.run_id, core.run()
    core.put(f"0/{other}/artifacts/model/w", "w")
    logged = core.write(tracking.create_logged_model, ANN, 0, source_run_id=run_id).model_id
    stranger = core.write(tracking.create_logged_model, ANN, 0).model_id
    core.put(f"0/models/{logged}/artifacts/w", "w")
    core.register("churn", f"models:/{logged}")
    sayings: tuple[tuple[str, dict[str, Any]], ...] = (
        (f"runs:/{run_id}/model", {"run_id": other}),
        (f"mlflow-artifacts:/0/{run_id}/artifacts/model", {"run_id": other}),
        (f"mlflow-artifacts:/0/{run_id}/artifacts/model", {"logged_model_id": logged}),
        ("mlflow-artifacts:/0", {"run_id": run_id}),
        ("mlflow-artifacts:/0/elsewhere", {"run_id": run_id}),
        (f"mlflow-artifacts:/0/elsewhere/{run_id}", {"run_id": run_id}),
        (f"mlflow-artifacts:/0/{run_id}/artifactsx", {"run_id": run_id}),
        (f"models:/{logged}", {"logged_model_id": stranger}),
        (f"mlflow-artifacts:/0/models/{logged}/artifacts", {"logged_model_id": stranger}),
        (f"mlflow-artifacts:/0/models/{logged}/artifacts", {"run_id": other}),
        ("models:/churn/1", {"run_id": other}),
        ("models:/churn/1", {"logged_model_id": logged}),
        ("models:/churn/2", {"logged_model_id": stranger}),
        (address(core, version), {"run_id": other}),
        (address(core, version), {"logged_model_id": stranger}),
    )
    for source, facts in sayings:
        with pytest.raises(InvalidInput):
            core.register("churn", source, **facts)
    assert len(core.stages()) == 2


def test_a_source_that_names_what_is_not_there_is_not_found(core: Core) -> None:
    core.model("churn")
    deleted = core.version()
    core.write(registry.delete_version, ANN, "churn", 1)
    for source in (
        f"runs:/{OTHER}/model",
        f"models:/m-{OTHER}",
        "models:/nope/1",
        "models:/churn/1",
        "models:/churn/0",
        address(core, deleted),
        f"{address(core, deleted)}/weights",
        "mlflow-artifacts:/modelkeep",
        "mlflow-artifacts:/modelkeep/versions/99",
        "mlflow-artifacts:/modelkeep/versions/" + "9" * 30,
    ):
        with pytest.raises(NotFound):
            core.register("churn", source)


def test_an_author_is_whoever_called(core: Core) -> None:
    core.model("churn")
    assert core.register("churn", "s3://b/x", by=Caller(Actor("Änn Smith"))).author == "Änn Smith"
    assert core.register("churn", "s3://b/x", by=NOBODY).author == "anonymous"
