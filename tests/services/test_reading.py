"""What can be read of models and versions: which one is meant, pages, comparisons, lineage."""

import math

import pytest

from modelkeep.domain.errors import InvalidInput, LimitExceeded, NotFound
from modelkeep.domain.models import Version
from modelkeep.domain.search import Comparison
from modelkeep.domain.tracking import Dataset
from modelkeep.services import artifacts, catalog, comparison, lineage, listings, registry, tracking
from tests.support.clock import MovedClock
from tests.support.core import ANN, HOUR_MS, ROB, Core


def resolved(core: Core, which: str, model: str = "churn") -> int:
    return core.read(catalog.resolve, model, which).number


@pytest.fixture
def three(core: Core) -> Core:
    """Versions 1 (Production, @champion), 2 (None) and 3 (Staging) of `churn`."""
    core.model("churn")
    for accuracy, loss in ((0.9, 0.5), (math.nan, 0.1), (0.8, 0.3)):
        core.version(metrics={"accuracy": accuracy, "loss": loss})
    core.promote(1, "Production")
    core.promote(3, "Staging")
    core.set_alias("champion", 1)
    return core


def test_a_version_is_meant_by_number_alias_stage_or_latest(three: Core) -> None:
    assert [resolved(three, which) for which in ("2", "@champion", "latest", "LATEST")] == [
        *(2, 1, 3, 3)
    ]
    assert [resolved(three, stage) for stage in ("Production", "staging", "NONE")] == [1, 3, 2]
    three.promote(2, "Production")  # without a policy there is room for both
    assert resolved(three, "Production") == 2


@pytest.mark.parametrize("which", ["4", "0", "@nobody", "Archived", "9" * 18])
def test_a_version_that_is_not_there_is_not_found(three: Core, which: str) -> None:
    with pytest.raises(NotFound):
        resolved(three, which)
    with pytest.raises(NotFound):
        resolved(three, which, model="nobody")


@pytest.mark.parametrize("which", ["", "@", "v1", "1.0", "-1", "٣", "9" * 19, "Prod", "champion"])
def test_a_text_that_can_name_no_version_is_refused(three: Core, which: str) -> None:
    with pytest.raises(InvalidInput, match="names no version"):
        resolved(three, which)


# -- pages -------------------------------------------------------------------------------------


def test_pages_of_versions_go_on_where_they_ended_whatever_happened_since(core: Core) -> None:
    core.model("churn")
    core.model("other")
    source = "s3://bucket/model"
    for _ in range(7):
        core.register("churn", source)
        core.register("other", source)

    def page(before: int | None) -> list[int]:
        return [v.number for v in core.read(listings.versions, "churn", before, 3)]

    assert page(None) == [7, 6, 5]
    core.write(registry.delete_version, ANN, "churn", 4)
    core.register("churn", source)
    assert page(5) == [3, 2, 1]
    assert page(1) == []
    with pytest.raises(NotFound):
        core.read(listings.versions, "nobody", None, 3)


def test_pages_of_models_are_by_name_and_leave_prompts_aside(core: Core) -> None:
    names = ["Zeta", "alpha", "beta", "客戶"]
    for name in names:
        core.model(name, tags={"team": "risk"} if name == "beta" else {})
    core.model("ask", tags={"mlflow.prompt.is_prompt": "true"})
    for _ in range(3):
        core.register("beta", "s3://bucket/model")
    core.write(registry.delete_version, ANN, "beta", 2)

    def page(after: str, limit: int = 2, *where: Comparison) -> list[str]:
        return [m.model.name for m in core.read(listings.models, where, after, limit)]

    assert page("") == ["Zeta", "alpha"]
    assert page("alpha") == ["beta", "客戶"]
    assert page("客戶") == []
    prompts = Comparison("tag", "mlflow.prompt.is_prompt", "=", "true")
    assert page("", 9, prompts) == ["ask"]
    assert page("", 9, Comparison("tag", "team", "=", "risk")) == ["beta"]
    (beta,) = core.read(listings.models, (), "alpha", 1)
    assert (beta.versions, [v.number for v in beta.newest]) == (2, [3])


# -- comparison --------------------------------------------------------------------------------


def races(core: Core, *which: str, **given: tuple[str, ...]) -> dict[str, tuple[bool, list[int]]]:
    compared = core.read(comparison.compare, "churn", which, **given)
    numbers = [version.number for version in compared.versions]
    return {
        race.metric: (race.lower_is_better, [numbers[index] for index in race.best])
        for race in compared.metrics
    }


def test_the_best_of_each_metric_is_known_and_can_be_read_the_other_way(three: Core) -> None:
    assert races(three) == {"accuracy": (False, [1]), "loss": (True, [2])}
    assert races(three, "3", "@champion") == {"accuracy": (False, [1]), "loss": (True, [3])}
    turned = races(three, lower=("accuracy",), higher=("loss",))
    assert turned == {"accuracy": (True, [3]), "loss": (False, [1])}
    three.apply({"stage_transitions": {"None -> Staging": {"required_metrics": ["loss > 0"]}}})
    assert races(three)["loss"] == (False, [1])
    with pytest.raises(InvalidInput, match="'loss'"):
        races(three, lower=("loss",), higher=("loss",))
    with pytest.raises(LimitExceeded):
        races(three, *map(str, range(51)))


def test_without_versions_named_the_newest_and_the_one_in_production_are_compared(
    core: Core,
) -> None:
    core.model("churn")
    for _ in range(8):
        core.version()
    core.promote(2, "Production")

    def compared(*which: str) -> list[int]:
        return [v.number for v in core.read(comparison.compare, "churn", which).versions]

    assert compared() == [2, 4, 5, 6, 7, 8]
    core.promote(7, "Production")
    assert compared() == [4, 5, 6, 7, 8]
    assert compared("5", "5", "Production", "1") == [1, 5, 7]
    with pytest.raises(NotFound):
        compared("9")


# -- lineage -----------------------------------------------------------------------------------


def copied(core: Core, version: Version, name: str) -> Version:
    core.model(name)
    return core.register(name, f"models:/{version.model_name}/{version.number}")


def test_copies_are_found_both_ways_also_after_a_rename(core: Core, clock: MovedClock) -> None:
    core.model("churn")
    first = core.version()
    second = copied(core, first, "shadow")
    clock.advance(HOUR_MS)
    core.write(registry.rename_model, ANN, "churn", "leavers")
    core.model("churn")
    stranger = core.version("churn")
    clock.advance(HOUR_MS)
    third = core.register("shadow", "models:/churn/1")  # of the stranger, by now
    fourth = core.register("shadow", core.read(registry.download_address, "leavers", 1)[0])

    def trace(name: str, number: int) -> lineage.Lineage:
        return core.read(lineage.trace, name, str(number))

    def kin(name: str, number: int) -> tuple[int | None, list[int]]:
        found = trace(name, number)
        return found.copy_of and found.copy_of.id, [copy.id for copy in found.copies]

    assert kin("leavers", 1) == (None, [second.id, fourth.id])
    assert kin("churn", 1) == (None, [third.id])
    assert kin("shadow", second.number) == (first.id, [])
    assert kin("shadow", third.number) == (stranger.id, [])
    assert kin("shadow", fourth.number) == (first.id, [])
    core.write(registry.delete_version, ANN, "leavers", 1)
    assert kin("shadow", second.number) == (None, [])
    assert trace("shadow", 1).version.source == "models:/churn/1"


def test_a_lineage_tells_the_run_its_data_and_what_the_version_served(
    core: Core, clock: MovedClock
) -> None:
    core.model("churn")
    parent = core.run()
    tags = {"mlflow.parentRunId": parent, "mlflow.source.git.commit": "c0ffee"}
    run_id = core.run(tags=tags)
    core.write(tracking.log_inputs, ANN, run_id, [Dataset("train", "abc")], [])
    core.put(f"0/{run_id}/artifacts/model/weights", "w")
    core.register("churn", f"runs:/{run_id}/model")
    core.apply({"stage_transitions": {"None -> Production": {"approval_required": True}}})
    asked = core.promote(1, "Production", by=ROB)
    core.approve(asked.request_id, comment="seen")
    clock.advance(HOUR_MS)
    core.promote(1, "Archived")

    found = core.read(lineage.trace, "churn", "1")
    assert found.run is not None
    assert (found.run.run_id, found.run.tags["mlflow.source.git.commit"]) == (run_id, "c0ffee")
    assert found.parent is not None
    assert found.parent.run_id == parent
    assert found.experiment is not None
    assert found.experiment.name == "Default"
    assert [(d.name, d.digest) for d in found.run.datasets] == [("train", "abc")]
    assert found.manifest is not None
    assert found.manifest.digest == found.version.manifest
    stays = [(str(s.slot), s.until_ms is None) for s in found.stays]
    assert stays[0] == ("stage:Archived", True)
    assert set(stays[1:]) == {("stage:Production", False), ("alias:champion", False)}
    ((request, closed, votes),) = found.requests
    assert (request.id, request.status.value) == (asked.request_id, "approved")
    assert closed.closed_ms is not None
    assert [(v.voter, v.approves, v.comment) for v in votes] == [("bob", True, "seen")]


def test_a_version_of_nothing_but_an_address_has_a_lineage_too(core: Core) -> None:
    core.model("churn")
    core.register("churn", "s3://bucket/model")
    found = core.read(lineage.trace, "churn", "latest")
    assert (found.manifest, found.run, found.logged_model, found.copy_of) == (None,) * 4
    assert (found.copies, found.stays, found.requests) == ([], [], [])


# -- files -------------------------------------------------------------------------------------


def test_files_come_in_pages_by_path_and_by_folder(core: Core) -> None:
    core.model("churn")
    run_id = core.run()
    paths = ["MLmodel", "code/a.py", "code/b.py", "code.txt", "data/é.csv"]
    for path in paths:
        core.put(f"0/{run_id}/artifacts/model/{path}", path)
    core.register("churn", f"runs:/{run_id}/model")
    core.register("churn", "s3://bucket/model")

    def page(folder: str = "", after: str = "", limit: int = 2, which: str = "1") -> list[str]:
        _, files = core.read(artifacts.files_of, "churn", which, folder, after, limit)
        return [file.path for file in files]

    in_order = sorted(paths, key=str.encode)
    assert page() == in_order[:2]
    assert page(after=in_order[1]) == in_order[2:4]
    assert page(after=in_order[-1]) == []
    assert page("code", limit=9) == ["code/a.py", "code/b.py"]
    assert page("code", "code/a.py") == ["code/b.py"]
    assert page("code.txt") == ["code.txt"]
    with pytest.raises(NotFound, match="no 'nothing'"):
        page("nothing")
    with pytest.raises(NotFound, match=r"unverified.*s3://bucket/model"):
        page(which="2")
    for wrong in ("../x", "/x", "code/", "a//b", "a\\b"):
        with pytest.raises(InvalidInput):
            page(wrong)
