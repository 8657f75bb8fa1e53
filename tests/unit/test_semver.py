"""Numbers, ranges, and the bump that a change of the contract calls for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.contracts import Contract, Field, Param
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.semver import Bump, Semver, parse, required_bump, says, wanted

MAJOR, MINOR, PATCH = Bump.MAJOR, Bump.MINOR, Bump.PATCH
NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.builds(Field, st.sampled_from(["double", "long", "string"]), st.booleans())
FIELDS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        Field, st.just("object"), st.booleans(), st.dictionaries(NAMES, inner, max_size=2)
    ),
    max_leaves=4,
)
SCHEMAS = st.none() | st.dictionaries(NAMES, FIELDS, max_size=3)
LISTS = st.none() | st.lists(NAMES, unique=True, max_size=3).map(tuple)
CONTRACTS = st.builds(
    Contract,
    inputs=SCHEMAS,
    outputs=SCHEMAS,
    params=st.dictionaries(NAMES, st.builds(Param, NAMES, NAMES), max_size=2),
    architecture=st.dictionaries(
        st.sampled_from(["python_function.loader_module", "sklearn"]), NAMES, max_size=2
    ),
    classes=LISTS,
    features=LISTS,
)
BASE = Contract(
    inputs={"age": Field("long"), "city": Field("string", required=False)},
    outputs={"#0": Field("tensor int64 [-1]")},
    params={"top": Param("long", "3")},
    architecture={"python_function.loader_module": "mlflow.sklearn", "sklearn": "a flavour"},
    classes=("no", "yes"),
)
NUMBERS = st.builds(Semver, *[st.integers(0, 10**9)] * 3)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.4.0", (1, 4, 0)),
        ("v1.0.1", (1, 0, 1)),
        ("0.0.0", (0, 0, 0)),
        ("1.4.0+build.5", (1, 4, 0)),
    ],
)
def test_a_number_is_read_with_or_without_a_v(text: str, number: tuple[int, int, int]) -> None:
    assert parse(text) == number
    assert says(f" {text} ", Semver(*number))


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "1.4", "01.4.0", "1.4.0.0", "1.4.-1", "1.4.٣", "vv1.4.0", "1.4.0-", "1.4.0+"),
        *("~1.4", "1.4.0-rc.1", "9" * 11 + ".0.0"),
    ],
)
def test_what_is_no_release_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"no semantic version|pre-release"):
        parse(text)
    assert not says(text, Semver(1, 4, 0))


@given(NUMBERS)
def test_a_number_is_read_as_it_is_written(number: Semver) -> None:
    assert parse(str(number)) == number
    assert number < number.after(PATCH) < number.after(MINOR) < number.after(MAJOR)


@pytest.mark.parametrize(
    ("text", "low", "below"),
    [
        ("1.4.2", (1, 4, 2), (1, 4, 3)),
        ("v1.4.2", (1, 4, 2), (1, 4, 3)),
        ("~1.4", (1, 4, 0), (1, 5, 0)),
        ("~v1.4.2", (1, 4, 2), (1, 5, 0)),
        ("~1", (1, 0, 0), (2, 0, 0)),
        ("^1", (1, 0, 0), (2, 0, 0)),
        ("^1.2", (1, 2, 0), (2, 0, 0)),
        ("^1.2.3", (1, 2, 3), (2, 0, 0)),
    ],
)
def test_a_range_goes_from_one_number_to_below_another(
    text: str, low: tuple[int, ...], below: tuple[int, ...]
) -> None:
    assert wanted(text) == (low, below)


@pytest.mark.parametrize("text", ["", "3", "Production", "latest", "@champion", "~", "^x", "1.x"])
def test_other_texts_ask_for_no_number(text: str) -> None:
    assert wanted(text) is None


@pytest.mark.parametrize(
    ("text", "hint"), [("1.4", "~1.4 .* 1.4.0"), ("v2", "~2 .* 2.0.0"), ("1.4.0-rc.1", "stage")]
)
def test_a_number_that_lacks_a_part_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match=hint):
        wanted(text)


def _with(**facts: object) -> Contract:
    return replace(BASE, **facts)


def _inputs(**fields: Field | None) -> Contract:
    known = {**(BASE.inputs or {}), **fields}
    return _with(inputs={name: field for name, field in known.items() if field})


def _nested(**parts: Field) -> Contract:
    return _inputs(address=Field("array", True, {"items": Field("object", True, parts)}))


@pytest.mark.parametrize(
    ("before", "after", "bump", "reason"),
    [
        (BASE, BASE, PATCH, "the contract is the same"),
        (BASE, None, MAJOR, "this one does not say what its inputs are"),
        (None, BASE, MAJOR, "the version before does not say what its outputs are"),
        (None, None, MAJOR, "neither version says what its inputs and outputs are"),
        (BASE, _with(outputs=None), MAJOR, "does not say what its outputs are"),
        (BASE, _inputs(age=None), MAJOR, "input 'age' is gone"),
        (BASE, _inputs(city=None), MAJOR, "input 'city' is gone"),
        (BASE, _inputs(age=Field("double")), MAJOR, "input 'age' is double now, and was long"),
        (BASE, _inputs(city=Field("string")), MAJOR, "input 'city' is required now"),
        (BASE, _inputs(zip=Field("long")), MAJOR, "input 'zip' is new and required"),
        (BASE, _inputs(zip=Field("long", False)), MINOR, "input 'zip' is new and optional"),
        (BASE, _inputs(age=Field("long", False)), MINOR, "input 'age' is optional now"),
        (
            _nested(street=Field("string")),
            _nested(street=Field("string"), no=Field("long", False)),
            MINOR,
            "input 'address.items.no' is new and optional",
        ),
        (
            _nested(street=Field("string")),
            _nested(street=Field("long")),
            MAJOR,
            "input 'address.items.street' is long now",
        ),
        (BASE, _with(outputs={"#0": Field("tensor int64 [-1, 3]")}), MAJOR, "output '#0' is"),
        (_with(outputs={}), _with(outputs={"p": Field("double")}), MAJOR, "'p' is new"),
        (
            _with(outputs={"a": Field("long"), "b": Field("long")}),
            _with(outputs={"b": Field("long"), "a": Field("long")}),
            MAJOR,
            "another order",
        ),
        (BASE, _with(params={}), MAJOR, "param 'top' is gone"),
        (BASE, _with(params={"top": Param("double", "3")}), MAJOR, "param 'top' is double now"),
        (BASE, _with(params={"top": Param("long", "4")}), MINOR, "another default"),
        (BASE, _with(params={**BASE.params, "t": Param("long", "1")}), MINOR, "'t' is new"),
        (BASE, _with(architecture={**BASE.architecture, "onnx": "a flavour"}), MINOR, "onnx"),
        (BASE, _with(architecture={"sklearn": "a flavour"}), MAJOR, "as a Python function"),
        (BASE, _with(classes=("no", "yes", "perhaps")), MINOR, "class 'perhaps' is new"),
        (BASE, _with(classes=("no",)), MAJOR, "class 'yes' is gone"),
        (BASE, _with(classes=("maybe", "no", "yes")), MAJOR, "class 'no' is number 1 now, and was"),
        (BASE, _with(classes=None), MAJOR, "no longer says which classes"),
        (_with(classes=None), BASE, MINOR, "it says which classes"),
        (BASE, _with(features=("age", "city")), MINOR, "feature 'city' is used now"),
    ],
)
def test_the_bump_follows_from_what_changed(
    before: Contract | None, after: Contract | None, bump: Bump, reason: str
) -> None:
    change = required_bump(before, after)
    assert change.bump is bump, change
    assert reason in str(change)


def test_where_answers_name_classes_their_places_mean_nothing() -> None:
    before = _with(outputs={"class": Field("string")})
    change = required_bump(before, replace(before, classes=("maybe", "no", "yes")))
    assert (change.bump, str(change)) == (MINOR, "class 'maybe' is new")


def test_only_so_many_reasons_are_written_out() -> None:
    many = {f"c{n}": Field("long") for n in range(8)}
    assert str(required_bump(_with(inputs=many), _with(inputs={}))).endswith("; and 3 more")


@given(CONTRACTS, CONTRACTS)
def test_a_patch_one_way_is_a_patch_the_other_way(one: Contract, other: Contract) -> None:
    there, back = required_bump(one, other), required_bump(other, one)
    assert (there.bump is PATCH) == (back.bump is PATCH)
    assert there.bump == max((r.bump for r in there.reasons), default=PATCH)


@given(CONTRACTS, CONTRACTS, CONTRACTS)
def test_two_steps_ask_for_no_less_than_one(one: Contract, two: Contract, three: Contract) -> None:
    steps = (required_bump(one, two).bump, required_bump(two, three).bump)
    assert required_bump(one, three).bump <= max(steps)
