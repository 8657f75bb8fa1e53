"""Semantic versions as they are given, asked for, refused, resolved and journalled."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelkeep.domain.errors import Conflict, InvalidInput, NotFound
from modelkeep.domain.models import Version
from modelkeep.domain.semver import TAG, Bump, Semver
from modelkeep.ports.work import Work
from modelkeep.services import artifacts, catalog, differences, lineage, numbering, registry
from modelkeep.services.artifacts import SMALL_BYTES
from modelkeep.services.imports.models import GivenModel, bring_model
from modelkeep.services.imports.versions import GivenVersion, bring_version
from tests.support.core import ANN, ROB, Core

ONE = {"age": True}  # columns, and whether each is required
TWO = {"age": True, "city": False}
RULED = {"semantic_versions": {"enforced": True}}


def _mlmodel(inputs: Mapping[str, bool], flavour: str = "sklearn") -> str:
    columns = [{"type": "double", "name": n, "required": r} for n, r in sorted(inputs.items())]
    outputs = json.dumps([{"type": "long", "required": True}])
    return (
        f"flavors:\n  {flavour}:\n    code: null\nsignature:\n  inputs: '{json.dumps(columns)}'\n"
        f"  outputs: '{outputs}'\n  params: null\n"
    )


def _source(core: Core, mlmodel: str | None, size: int | None = None) -> str:
    """Bytes of a run's own, with this file beside them; logged, to be registered."""
    run_id = core.run({})
    folder = f"0/{run_id}/artifacts/model"
    core.put(f"{folder}/weights", run_id)
    if mlmodel is not None:
        content = mlmodel.encode().ljust(size or 0, b"\n")
        digest = hashlib.sha256(content).hexdigest()
        core.write(artifacts.put_small, ANN, f"{folder}/MLmodel", digest, content)
    return f"runs:/{run_id}/model"


def _register(
    core: Core, inputs: Mapping[str, bool] | None = None, tag: str | None = None, **facts: str
) -> Version:
    source = _source(core, None if inputs is None else _mlmodel(inputs, **facts))
    return core.register("churn", source, tags={} if tag is None else {TAG: tag})


def _number(core: Core, number: int) -> str:
    return str(core.get(number).semver)


def _resolved(core: Core, which: str) -> int:
    return core.read(catalog.resolve, "churn", which).number


def _raise(core: Core, which: str, **wish: object) -> Version:
    return core.write(numbering.raise_number, ROB, "churn", which, **wish)


@pytest.fixture
def churn(core: Core) -> Core:
    core.model()
    return core


# -- given -------------------------------------------------------------------------------------


def test_a_version_has_the_smallest_number_that_is_honest(churn: Core) -> None:
    story: list[tuple[Mapping[str, bool] | None, str]] = [
        (ONE, "1.0.0"),
        (ONE, "1.0.1"),
        (TWO, "1.1.0"),
        (TWO, "1.1.1"),
        (ONE, "2.0.0"),
        (None, "3.0.0"),
        (None, "4.0.0"),
        (ONE, "5.0.0"),
        ({"age": True, "city": True}, "6.0.0"),
    ]
    given = [_register(churn, inputs) for inputs, _ in story]
    assert [str(version.semver) for version in given] == [number for _, number in story]
    assert [churn.get(v.number).semver for v in given] == [v.semver for v in given]


def test_another_architecture_is_minor_and_the_same_bytes_a_patch(churn: Core) -> None:
    _register(churn, ONE)
    assert str(_register(churn, ONE, flavour="xgboost").semver) == "1.1.0"
    unknown = _source(churn, None)
    assert str(churn.register("churn", unknown).semver) == "2.0.0"
    assert str(churn.register("churn", unknown).semver) == "2.0.1"
    assert str(churn.register("churn", "models:/churn/4").semver) == "2.0.2"


def test_a_label_and_a_large_or_broken_file_say_nothing(churn: Core) -> None:
    _register(churn, ONE)
    for mlmodel, size in ((_mlmodel(ONE), SMALL_BYTES + 1), ("a: [", None), ("", None)):
        source = _source(churn, mlmodel, size)
        version = churn.register("churn", source)
        assert version.semver[1:] == (0, 0)
        assert version.semver.major == version.number
    assert str(churn.register("churn", "s3://bucket/model").semver) == "5.0.0"


def test_the_number_of_a_deleted_version_still_counts(churn: Core) -> None:
    _register(churn, ONE)
    _register(churn, None)
    churn.write(registry.delete_version, ANN, "churn", 2)
    assert str(_register(churn, ONE).semver) == "3.0.0"


STEPS = st.lists(
    st.tuples(
        st.none() | st.dictionaries(st.sampled_from("abc"), st.booleans(), max_size=3),
        st.none() | st.builds(Semver, *[st.integers(0, 4)] * 3),
        st.sampled_from(["at once", "later", "of the one before", "then deleted"]),
    ),
    min_size=2,
    max_size=6,
)


def _promised(before: dict[str, bool] | None, after: dict[str, bool] | None) -> int:
    """How many parts of a number may stay as they are: the promise of semantic versions."""
    if before is None or after is None or before.keys() - after.keys():
        return 0
    if any(required and not before.get(name) for name, required in after.items()):
        return 0
    return 2 if before == after else 1


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(STEPS)
def test_of_any_two_versions_the_numbers_promise_no_more_than_is_true(
    core: Core, story: list[tuple[dict[str, bool] | None, Semver | None, str]]
) -> None:
    """Whatever is registered, claimed at once or later, raised and deleted in between."""
    name = f"m{len(core.leaves())}"
    core.model(name)
    for number, (inputs, claim, when) in enumerate(story, 1):
        source = _source(core, None if inputs is None else _mlmodel(inputs))
        tags = {TAG: f"v{claim}"} if claim and when == "at once" else {}
        core.register(name, source, tags=tags)
        asked = number - 1 if when == "of the one before" else number
        if claim and when != "at once":
            with suppress(NotFound):
                core.write(registry.set_version_tag, ANN, name, asked, TAG, str(claim))
        if when == "then deleted":
            core.write(registry.delete_version, ANN, name, number)
    numbers = core.read(_all_numbers, name)
    assert numbers == sorted(set(numbers))
    for (one, was), (other, now) in combinations(
        [(semver, step[0]) for semver, step in zip(numbers, story, strict=True)], 2
    ):
        same = 2 if one[:2] == other[:2] else 1 if one[0] == other[0] else 0
        assert same <= _promised(was, now), (one, was, other, now)


def _all_numbers(work: Work, name: str) -> list[Semver]:
    """Of all versions, oldest first; deleted ones too."""
    model_id = catalog.model_id_of(work, name)
    found, above = [], work.versions.above(model_id, Semver(0, 0, 0))
    while above:
        version = work.versions.by_id(above.version_id)
        assert version is not None
        found.append((version.number, above.semver))
        above = work.versions.above(model_id, above.semver)
    return [semver for _, semver in sorted(found)]


# -- asked for ---------------------------------------------------------------------------------


def test_a_tag_asks_for_a_number_and_gets_it_where_it_is_honest(churn: Core) -> None:
    assert str(_register(churn, ONE, tag="v1.2.0").semver) == "1.2.0"
    assert str(_register(churn, ONE, tag="v1.2.1").semver) == "1.2.1"
    assert str(_register(churn, ONE).semver) == "1.2.2"
    churn.tag(3, TAG, "v1.9.0")
    assert _number(churn, 3) == "1.9.0"
    assert churn.get(3).tags[TAG] == "v1.9.0"
    assert churn.get(3).claim is None
    assert churn.acts()[-1] == "version:tag:set"


@pytest.mark.parametrize("claim", ["v1.0.1", "1.9.9", "", "two", "2.0.0-rc.1", f"{10**9 + 1}.0.0"])
def test_without_a_policy_a_tag_that_claims_too_little_is_a_tag_and_no_more(
    churn: Core, claim: str
) -> None:
    _register(churn, TWO)
    said = _register(churn, ONE, tag=claim)
    assert (str(said.semver), said.tags, said.claim) == ("2.0.0", {TAG: claim}, claim)
    _register(churn, ONE)
    churn.tag(3, TAG, claim)
    assert (_number(churn, 3), churn.get(3).claim) == ("2.0.1", claim)
    standing = churn.read(lineage.trace, "churn", "2").standing
    assert str(standing) == "is at least 2.0.0 because, since 1.0.0, input 'city' is gone"


def test_without_a_policy_no_tag_is_ever_added(churn: Core) -> None:
    assert _register(churn, ONE).tags == {}
    assert churn.get(1).tags == {}


def test_a_number_that_was_asked_for_stays(churn: Core) -> None:
    _register(churn, ONE, tag="1.1.0")
    churn.tag(1, TAG, "1.3.0")
    assert (_number(churn, 1), churn.get(1).claim) == ("1.1.0", "1.3.0")
    with pytest.raises(Conflict, match="as somebody asked for"):
        _raise(churn, "1", to="1.4.0")


def test_a_number_that_served_in_production_stays(churn: Core) -> None:
    _register(churn, ONE)
    churn.promote(1, "Production")
    churn.promote(1, "Archived")
    with pytest.raises(Conflict, match="was so in Production"):
        _raise(churn, "1", to="1.4.0")
    churn.promote(_register(churn, ONE).number, "Staging")
    assert str(_raise(churn, "2", to="1.4.0").semver) == "1.4.0"


def test_a_number_is_raised_by_a_bump_or_to_a_number(churn: Core) -> None:
    for _ in range(3):
        _register(churn, ONE)
    assert str(_raise(churn, "latest", bump=Bump.MINOR).semver) == "1.1.0"
    assert _raise(churn, "1.1.0", bump=Bump.MINOR).semver == (1, 1, 0)
    assert churn.acts()[-1] == "version:semver:raised"
    assert str(_register(churn, ONE).semver) == "1.1.1"
    churn.tag(4, TAG, "v0.0.1")
    assert str(_raise(churn, "4", to="v2.0.0").semver) == "2.0.0"
    assert churn.get(4).tags == {TAG: "v2.0.0"}
    for wish in ({}, {"to": "1.0.0", "bump": Bump.MAJOR}):
        with pytest.raises(InvalidInput, match="either the number"):
            _raise(churn, "2", **wish)


def test_a_number_is_never_raised_past_or_up_to_the_next_nor_to_make_that_one_lie(
    churn: Core,
) -> None:
    _register(churn, ONE)
    _register(churn, TWO, tag="1.5.3")
    for asked in ("1.5.3", "1.6.0", "2.0.0", "1.5.1"):
        with pytest.raises(
            Conflict, match=r"A later version is 1\.5\.3, and would have to be more"
        ):
            _raise(churn, "1", to=asked)
    with pytest.raises(InvalidInput, match=r"0\.9\.0 claims too little"):
        _raise(churn, "1", to="0.9.0")
    assert str(_raise(churn, "1", to="1.4.9").semver) == "1.4.9"


# -- under a policy ----------------------------------------------------------------------------


def test_a_policy_refuses_a_tag_that_claims_too_little_and_says_how_much_is_honest(
    churn: Core,
) -> None:
    _register(churn, TWO)
    applied = churn.apply(RULED)
    assert [(s.path, s.enforced) for s in applied.sections] == [
        ("model_registry.semantic_versions", True)
    ]
    size = len(churn.leaves())
    why = r"is at least 2\.0\.0 because, since 1\.0\.0, input 'city' is gone"
    for claim in ("v1.0.1", "next"):
        with pytest.raises(InvalidInput, match=why):
            _register(churn, ONE, tag=claim)
    assert len(churn.leaves()) == size
    assert _register(churn, ONE).tags == {TAG: "2.0.0"}
    for claim, error in (("1.9.0", InvalidInput), ("", InvalidInput)):
        with pytest.raises(error, match=why):
            churn.tag(2, TAG, claim)
    churn.tag(2, TAG, "v2.1.0")
    with pytest.raises(Conflict, match="as somebody asked for"):
        churn.tag(2, TAG, "v2.2.0")
    assert (churn.get(2).tags, _number(churn, 2)) == ({TAG: "v2.1.0"}, "2.1.0")


def test_a_policy_writes_the_number_into_the_tag(churn: Core) -> None:
    churn.apply({"semantic_versions": {"enforced": True, "prefix": "v"}})
    assert _register(churn, ONE).tags == {TAG: "v1.0.0"}
    _raise(churn, "1", bump=Bump.MAJOR)
    assert churn.get(1).tags == {TAG: "v2.0.0"}
    prompt = {"mlflow.prompt.is_prompt": "true"}
    churn.model("prompt", tags=prompt)
    said = churn.register("prompt", "dummy-source", tags=prompt)
    assert (said.tags, str(said.semver)) == (prompt, "1.0.0")


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        (True, "must be a mapping"),
        ({"enforced": "yes"}, "semantic_versions.enforced: must be true or false, and is text"),
        ({"prefix": "V"}, "semantic_versions.prefix: must be 'v'"),
        ({"enforce": True}, "unknown key 'enforce'"),
    ],
)
def test_a_policy_that_says_it_otherwise_is_refused(
    churn: Core, part: object, problem: str
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        churn.apply({"semantic_versions": part})


def test_what_is_imported_keeps_its_tags_whatever_the_policy_says(core: Core) -> None:
    core.apply(RULED)
    origin = "http://there:5000"
    core.write(bring_model, ANN, origin, GivenModel("churn"))
    tags = ({TAG: "v1.0.0"}, {TAG: "v1.0.1"}, {})
    for number, given_tags in enumerate(tags, 1):
        given_version = GivenVersion("churn", number, "s3://b/m", tags=given_tags)
        core.write(bring_version, ANN, origin, given_version)
    found = [core.get(number) for number in (1, 2, 3)]
    assert [version.tags for version in found] == list(tags)
    assert [str(version.semver) for version in found] == ["1.0.0", "2.0.0", "3.0.0"]
    assert [version.claim for version in found] == [None, "v1.0.1", None]


# -- resolved ----------------------------------------------------------------------------------


def test_a_semantic_version_or_a_range_names_a_version(churn: Core) -> None:
    for inputs in (ONE, ONE, TWO, TWO, ONE):  # 1.0.0, 1.0.1, 1.1.0, 1.1.1, 2.0.0
        _register(churn, inputs)
    named = ("1.0.0", "v1.0.1", "~1.0", "~1", "^1.0.1", "^2", "2", "latest")
    assert [_resolved(churn, which) for which in named] == [1, 2, 2, 4, 4, 5, 2, 5]
    churn.write(registry.delete_version, ANN, "churn", 4)
    assert _resolved(churn, "^1") == 3
    for which in ("1.1.1", "~3", "^0"):
        with pytest.raises(NotFound, match=f"no version {which}".replace("^", r"\^")):
            _resolved(churn, which)
    with pytest.raises(InvalidInput, match=r"write ~1.0"):
        _resolved(churn, "1.0")
    with pytest.raises(NotFound, match="nobody"):
        churn.read(catalog.resolve, "nobody", "1.0.0")


def test_a_source_and_a_promotion_may_name_a_semantic_version(churn: Core) -> None:
    _register(churn, ONE)
    _register(churn, ONE)
    churn.model("copy")
    assert churn.register("copy", "models:/churn/~1.0").source == "models:/churn/2"
    assert churn.promote("^1", "Staging").version.number == 2  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        churn.register("copy", "models:/churn/~7")


# -- told --------------------------------------------------------------------------------------


def test_a_difference_is_told_from_any_version_to_any_other(churn: Core) -> None:
    for inputs in (TWO, ONE, ONE):
        _register(churn, inputs)
    found = churn.read(differences.between, "churn", "3", "1", None)
    assert (found.before.number, found.change.bump) == (1, Bump.MAJOR)
    assert str(found.change) == "input 'city' is gone"
    assert str(found.standing) == "is at least 2.0.1 because, since 2.0.0, the contract is the same"
    assert found.files is not None
    assert [pair[0].path for pair in found.files.changed] == ["MLmodel", "weights"]
    nearest = churn.read(differences.between, "churn", "3", None, None)
    assert (nearest.before.number, nearest.change.bump) == (2, Bump.PATCH)
    assert nearest.files is not None
    assert nearest.files.same == 1
    with pytest.raises(NotFound, match="is the first of its model"):
        churn.read(differences.between, "churn", "1", None, None)
