"""Where the next version comes: what a writer knows by heart is what the tables say."""

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelkeep.domain.errors import Conflict, InvalidInput, ModelkeepError
from modelkeep.domain.semver import TAG, Bump
from modelkeep.ports.registry import Place
from modelkeep.ports.work import Work
from modelkeep.services import creation, numbering, registry
from modelkeep.services.imports.models import GivenModel, bring_model
from modelkeep.services.imports.versions import GivenVersion, bring_version
from modelkeep.storage.sql.work import SqlWork
from tests.support.clock import MovedClock
from tests.support.core import ANN, Core

NAMES = ("a", "b", "c")
ORIGIN = "mlflow:elsewhere"

steps = st.tuples(
    st.sampled_from(
        ("create", "fixed", "bytes", "fail", "model", "rename", "delete", "raise", "bring", "last")
    ),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
)


def places(work: Work) -> list[tuple[Place | None, Place | None]]:
    """As the writer knows them, and as the tables say."""
    assert isinstance(work, SqlWork)
    fresh = SqlWork(work.db, work._dialect).versions
    return [(work.versions.place(name), fresh.place(name)) for name in NAMES]


def fail_late(work: Work, name: str) -> None:
    creation.create_version(work, ANN, creation.Draft(name, "s3://b/late"))
    raise Conflict("on second thoughts")


def take(core: Core, step: str, name: str, other: str) -> None:
    match step:
        case "create":
            core.register(name, "s3://b/x")
        case "fixed":
            core.register(name, "s3://b/x", tags={TAG: "7.0.0"})
        case "bytes":
            core.version(name)
        case "fail":
            core.write(fail_late, name)
        case "model":
            core.model(name)
        case "rename":
            core.write(registry.rename_model, ANN, name, other)
        case "delete":
            core.write(registry.delete_model, ANN, name)
        case "raise":
            core.write(numbering.raise_number, ANN, name, "1", bump=Bump.MAJOR)
        case "bring":
            core.write(bring_model, ANN, ORIGIN, GivenModel(name))
            core.write(bring_version, ANN, ORIGIN, GivenVersion(name, 9, "s3://b/there"))
        case _:
            newest = core.read(registry.latest_versions, name, ())
            core.write(registry.delete_version, ANN, name, newest[-1].number)


@given(st.lists(steps, min_size=5, max_size=25))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_writer_knows_the_place_of_the_next_version(
    core: Core, told: list[tuple[str, str, str]]
) -> None:
    for step, name, other in [("model", "a", "a"), ("create", "a", "a"), *told]:
        with suppress(ModelkeepError, IndexError):
            take(core, step, name, other)
        for known, said in core.write(places):
            assert known == said, (step, name, other)


@pytest.fixture
def two(core: Core, clock: MovedClock) -> Iterator[tuple[Core, Core]]:
    other = Core(core.settings.data_dir, core.settings.database_url, clock)
    yield core, other
    other.close()


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
def test_writers_that_take_turns_leave_no_gap_and_double_nothing(two: tuple[Core, Core]) -> None:
    two[0].model("churn")
    made = [two[turn % 2 if turn < 10 else turn // 3 % 2].register("churn", "s3://b/x")
            for turn in range(22)]  # fmt: skip
    assert [version.number for version in made] == list(range(1, 23))
    assert len({version.id for version in made}) == 22
    assert [version.id for version in made] == sorted(version.id for version in made)


def test_a_version_that_its_use_case_gave_up_takes_no_number(core: Core) -> None:
    core.model("churn")
    core.register("churn", "s3://b/x")
    with pytest.raises(Conflict):
        core.write(fail_late, "churn")
    assert core.register("churn", "s3://b/x").number == 2
    with pytest.raises(InvalidInput):
        core.register("churn", "runs:/nothing/model/../x")
    assert core.register("churn", "s3://b/x").number == 3
