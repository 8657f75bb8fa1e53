"""What is read from an `MLmodel`, whoever wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain import contracts
from modelkeep.domain.contracts import Contract, Field, Param
from modelkeep.services.contracts import EVENTS_LIMIT, parse

WRITTEN = b"""\
flavors:
  python_function:
    loader_module: mlflow.xgboost
    python_version: 3.11.7
  xgboost:
    code: null
    model_class: xgboost.sklearn.XGBClassifier
metadata:
  architecture: depth-first
  classes:
  - 0
  - 'yes'
  features: [age, city]
model_uuid: 4a2c44f8726d411aba2c2e63b6c24fd8
signature:
  inputs: '[{"type": "double", "name": "age", "required": true}, {"type": "string", "name":
    "city", "required": false}, {"type": "object", "name": "home", "properties": {"zip": {"type":
    "array", "items": {"type": "long"}, "required": false}}}, {"type": "map", "name": "m",
    "values": {"type": "any"}, "optional": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1, 3]}}]'
  params: '[{"name": "top", "default": 1, "shape": null, "type": "long"}, {"name": "w",
    "dtype": "double", "default": [0.5], "shape": [-1]}]'
utc_time_created: '2026-11-21 15:07:04.770146'
"""
READ = Contract(
    inputs={
        "age": Field("double"),
        "city": Field("string", required=False),
        "home": Field("object", parts={"zip": Field("array", False, {"items": Field("long")})}),
        "m": Field("map", False, {"values": Field("any")}),
    },
    outputs={"#0": Field("tensor int64 [-1,3]")},
    params={"top": Param("long", "1"), "w": Param("double [-1]", "[0.5]")},
    architecture={
        "python_function": "a flavour",
        "python_function.loader_module": "mlflow.xgboost",
        "xgboost": "a flavour",
        "xgboost.model_class": "xgboost.sklearn.XGBClassifier",
        "architecture": "depth-first",
    },
    classes=("0", "yes"),
    features=("age", "city"),
)


def test_a_contract_is_read_from_the_file() -> None:
    assert parse(WRITTEN) == READ


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"a: [",
        b"a: &x [1]\nb: *x",
        b"a: &x\n  b: *x",
        b"a: 1\na: 2",
        b"[a]: 1",
        b"x: " + b"[" * 20_000,
        b"x:\n" + b" - 1\n" * EVENTS_LIMIT,
        b"? " * 200 + b"x",
    ],
)
def test_a_file_that_is_no_plain_yaml_has_no_contract(content: bytes) -> None:
    assert parse(content) is None


@pytest.mark.parametrize("content", [b"", b"- 1", b"x", b"signature: 3", b"--- a\n--- b"])
def test_a_file_that_says_nothing_has_an_empty_contract(content: bytes) -> None:
    assert parse(content) == Contract()


def test_tags_of_yaml_make_nothing() -> None:
    content = b"flavors: {sklearn: !!python/object/apply:os.system ['exit 1']}"
    assert parse(content) == Contract(architecture={"sklearn": "a flavour"})


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "null",
        "{}",
        "[1]",
        "[{}]",
        '[{"type": 3}]',
        '[{"type": "tensor"}]',
        '[{"type": "array"}]',
        '[{"type": "long", "name": null}]',
        '[{"type": "long", "name": "a"}, {"type": "double", "name": "a"}]',
        "[" * 30_000,
        '[{"type": "array", "items": ' * 20 + "1",
        '[{"type": "array", "items": ' + '{"type": "array", "items": ' * 17 + '{"type": "long"}'
        + "}" * 17 + "}]",
    ],
)  # fmt: skip
def test_a_schema_that_mlflow_would_not_write_is_unknown(schema: str) -> None:
    outputs = '[{"type": "long"}]'
    read = contracts.read({"signature": {"inputs": schema, "outputs": outputs}})
    assert read == Contract(outputs={"#0": Field("long")})


@pytest.mark.parametrize(
    "params",
    ["", "{}", '[{"type": "long"}]', '[{"name": "a", "type": "long"}, {"name": "a", "type": "x"}]'],
)
def test_params_that_mlflow_would_not_write_leave_the_inputs_unknown(params: str) -> None:
    signature = {"inputs": '[{"type": "long"}]', "params": params}
    assert contracts.read({"signature": signature}) == Contract()


_PLAIN = st.recursive(
    st.none() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=10,
)
_KEYS = ("signature", "flavors", "metadata", "inputs", "outputs", "params", "classes")


@given(st.recursive(_PLAIN, lambda inner: st.dictionaries(st.sampled_from(_KEYS), inner)))
def test_whatever_a_document_holds_it_is_read(document: object) -> None:
    assert isinstance(contracts.read(document), Contract)


@given(st.binary(max_size=200))
def test_whatever_bytes_a_file_has_nothing_is_raised(content: bytes) -> None:
    assert parse(content) is None or isinstance(parse(content), Contract)
