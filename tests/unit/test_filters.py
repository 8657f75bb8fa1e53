"""MLflow's search language: what it means, what is refused and in which words."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.search import Comparison, Order
from modelkeep.protocols.mlflow import filters
from modelkeep.protocols.mlflow.filters import parse_filter, parse_order_by
from modelkeep.protocols.mlflow.grammars import (
    EXPERIMENTS,
    LOGGED_MODELS,
    MODELS,
    RUNS,
    VERSIONS,
    Grammar,
)

GRAMMARS = [EXPERIMENTS, RUNS, LOGGED_MODELS, MODELS, VERSIONS]


def one(text: str, grammar: Grammar = RUNS) -> Comparison:
    (comparison,) = parse_filter(text, grammar)
    return comparison


def refusal(text: str, grammar: Grammar = RUNS) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_filter(text, grammar)
    return caught.value.message


# what a filter means


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
@pytest.mark.parametrize("grammar", GRAMMARS)
def test_a_blank_filter_asks_for_nothing(text, grammar) -> None:
    assert parse_filter(text, grammar) == ()


@pytest.mark.parametrize("conjunction", ["AND", "and", "And"])
def test_comparisons_are_joined_by_and_in_any_case(conjunction) -> None:
    assert parse_filter(f"metrics.a > 1 {conjunction} tags.b = 'x'", RUNS) == (
        Comparison("metric", "a", ">", 1.0),
        Comparison("tag", "b", "=", "x"),
    )


@pytest.mark.parametrize(
    ("prefixes", "field"),
    [
        (("tag", "tags", "`tags`"), "tag"),
        (("param", "params", "parameter", "parameters"), "param"),
    ],
)
def test_a_prefix_has_several_spellings(prefixes, field) -> None:
    assert {one(f"{prefix}.k = 'x'") for prefix in prefixes} == {Comparison(field, "k", "=", "x")}


@pytest.mark.parametrize("prefix", ["", "attribute.", "attributes.", "attr.", "run."])
def test_an_attribute_needs_no_prefix(prefix) -> None:
    assert one(f"{prefix}status = 'FAILED'") == Comparison("attribute", "status", "=", "FAILED")


@pytest.mark.parametrize("name", ["Created", "created", "attribute.created", "start_time"])
def test_a_start_time_has_aliases(name) -> None:
    assert one(f"{name} > 5") == Comparison("attribute", "start_time", ">", 5)


@pytest.mark.parametrize("name", ["`run name`", '"Run name"', "attributes.`Run Name`", "run_name"])
def test_a_run_name_has_aliases(name) -> None:
    assert one(f"{name} = 'x'") == Comparison("attribute", "run_name", "=", "x")


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("mlflow.user", "mlflow.user"),
        ("`a b.c`", "a b.c"),
        ('"a b"', "a b"),
        ("'a b'", "a b"),
        ("val-loss/top:5", "val-loss/top:5"),
        ("1st", "1st"),
        ("order", "order"),
        ("and", "and"),
        ("ключ", "ключ"),
        ("`a``b`", "a`b"),
    ],
)
def test_a_key_is_read_with_and_without_quotes(written, key) -> None:
    assert one(f"tags.{written} = 'x'").key == key


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("'x'", "x"),
        ('"x"', "x"),
        ("''", ""),
        ("'it''s'", "it's"),
        ('"it\'s"', "it's"),
        ("'C:\\'", "C:\\"),
        ("' AND tags.b = '", " AND tags.b = "),
        ("'a\nb'", "a\nb"),
    ],
)
def test_a_string_is_what_stands_between_its_quotes(written, value) -> None:
    assert one(f"tags.a = {written}").value == value


@pytest.mark.parametrize(
    ("written", "value"),
    [("1", 1.0), ("-1.5", -1.5), (".5", 0.5), ("2.", 2.0), ("1e-5", 1e-5), ("1E999", float("inf"))],
)
def test_a_metric_is_compared_with_a_float(written, value) -> None:
    assert one(f"metrics.a<={written}") == Comparison("metric", "a", "<=", value)
    assert isinstance(one(f"metrics.a = {written}").value, float)


def test_a_time_is_compared_with_an_integer_where_one_is_written() -> None:
    assert one("start_time > 1700000000000") == Comparison(
        "attribute", "start_time", ">", 1700000000000
    )
    assert isinstance(one("start_time > 17").value, int)
    assert one("start_time > 1.5").value == 1.5


@pytest.mark.parametrize("text", ["version_number = 3", "version_number = '3'"])
def test_a_version_number_may_be_quoted(text) -> None:
    assert one(text, VERSIONS) == Comparison("attribute", "version_number", "=", 3)


def test_an_experiment_id_is_digits_in_quotes() -> None:
    assert one("experiment_id = '007'", EXPERIMENTS).value == 7
    assert one("experiment_id IN ('1', '02')", EXPERIMENTS).value == ("1", "2")


@pytest.mark.parametrize(
    "text",
    [
        "run_id IN ('a', 'b')",
        "run_id in ('a',\"b\",)",
        "run_id IN(('a','b'))",
        "run_id IN (\n'a'\n,\n'b'\n)",
    ],
)
def test_a_list_holds_strings(text) -> None:
    assert one(text) == Comparison("attribute", "run_id", "IN", ("a", "b"))


@pytest.mark.parametrize(
    ("written", "op"),
    [
        ("like 'x'", "LIKE"),
        ("ILIKE'x'", "ILIKE"),
        ("is null", "IS NULL"),
        ("IS  NOT\nNULL", "IS NOT NULL"),
    ],
)
def test_an_operator_of_words_is_read_in_any_case(written, op) -> None:
    assert one(f"tags.a {written}").op == op


def test_not_in_is_one_operator() -> None:
    assert one("dataset.digest not in ('d')") == Comparison("dataset", "digest", "NOT IN", ("d",))


def test_what_a_stock_client_appends_is_a_plain_comparison() -> None:
    text = "name = 'm' AND tag.`mlflow.prompt.is_prompt` != 'true'"
    assert parse_filter(text, MODELS)[1] == Comparison(
        "tag", "mlflow.prompt.is_prompt", "!=", "true"
    )


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("creation_time", "creation_timestamp"),
        ("attributes.last_updated_timestamp_ms", "last_updated_timestamp"),
    ],
)
def test_a_logged_model_time_has_aliases(written, key) -> None:
    assert one(f"{written} >= 5", LOGGED_MODELS) == Comparison("attribute", key, ">=", 5)


# what is refused


@pytest.mark.parametrize(
    "text",
    [
        "metrics.a > 0.1 OR params.b = 'x'",
        "metrics.a > 0.1 NAND params.b = 'x'",
        "tags.a = 'x' tags.b = 'y'",
        "tags.a = 'x' AND",
        "AND tags.a = 'x'",
        "tags.a = 'x' AND AND tags.b = 'y'",
        "(tags.a = 'x')",
        "tags.a",
        "tags.a =",
        "tags.a = (",
        "tags.a 'x'",
        "tags.a NOT 'x'",
        "tags.a IS 'x'",
        "tags.a IS NOT 'x'",
        "status = true",
        "run_id IN 'a'",
        "`tags.a = 'x'",
        "tags.'a = x",
        "tags.a = 'x",
        "tags.a = \"x'",
        "metrics.a > +1",
        "tags.a = 'x' --",
    ],
)
def test_what_is_no_conjunction_of_comparisons_is_an_invalid_clause(text) -> None:
    assert refusal(text).startswith("Invalid clause(s) in filter string: '")


@pytest.mark.parametrize(
    ("grammar", "text", "message"),
    [
        (RUNS, "metrics.a > 1; metrics.b > 1", "Search filter contained multiple expression"),
        (RUNS, "m.a > 1", "Invalid entity type 'm'. Valid values are ["),
        (EXPERIMENTS, "params.a = 'x'", "Invalid entity type 'params'"),
        (MODELS, "metrics.a > 1", "Invalid entity type 'metrics'"),
        (MODELS, "foo = 'x'", "Invalid attribute key 'foo' specified. Valid keys are '{'name'}'"),
        (
            VERSIONS,
            "foo = 'x'",
            "Invalid attribute key 'foo' specified. "
            "Valid keys are '{'name', 'run_id', 'source_path', 'version_number'}'",
        ),
        (RUNS, "attribute.experiment_id = '1'", "Invalid attribute key 'experiment_id'"),
        (RUNS, "dataset.profile = 'x'", "Invalid dataset key 'profile' specified."),
        (RUNS, "1.0 > metrics.a", "Invalid comparison clause. Expected 'Identifier' found '1.0'"),
        (RUNS, "'a' = 'b'", "Invalid comparison clause. Expected 'Identifier' found ''a''"),
    ],
)
def test_what_cannot_be_searched_is_named(grammar, text, message) -> None:
    assert refusal(text, grammar).startswith(message)


@pytest.mark.parametrize(
    ("grammar", "text", "message"),
    [
        (RUNS, "metrics.a = '5'", "Expected numeric value type for metric. Found '5'"),
        (RUNS, "metrics.a = nan", "Expected numeric value type for metric. Found nan"),
        (RUNS, "end_time > '5'", "Expected numeric value type for numeric attribute: end_time. Fo"),
        (RUNS, "params.a = 5", "Expected a quoted string value for parameter (e.g. 'my-value')."),
        (RUNS, "tags.a = 5", "Expected a quoted string value for tag (e.g. 'my-value'). Got value"),
        (RUNS, "status = 1", "Expected a quoted string value for attributes. Got value 1"),
        (RUNS, "dataset.name = 1", "Expected a quoted string value for dataset attributes."),
        (RUNS, "params.a = x", "Parameter value is either not quoted or unidentified quote types"),
        (RUNS, "tags.a = `x`", "Parameter value is either not quoted or unidentified quote types"),
        (EXPERIMENTS, "experiment_id = 'x'", "Invalid experiment ID 'x'."),
        (EXPERIMENTS, f"experiment_id = '{'9' * 19}'", "Invalid experiment ID '9999"),
        (EXPERIMENTS, "experiment_id IN ('1', '٣')", "Invalid experiment ID '٣'."),
        (EXPERIMENTS, "creation_time > 1.5", "Invalid value for numeric attribute 'creation_time'"),
        (VERSIONS, "version_number = 'x'", "Invalid value for numeric attribute 'version_number'"),
    ],
)
def test_a_value_of_another_type_is_refused(grammar, text, message) -> None:
    assert refusal(text, grammar).startswith(message)


@pytest.mark.parametrize(
    ("grammar", "text", "message"),
    [
        (RUNS, "metrics.a LIKE 'x'", "Invalid comparator 'LIKE' not one of '"),
        (RUNS, "start_time ILIKE 'x'", "Invalid comparator 'ILIKE' not one of '"),
        (RUNS, "params.a > 'x'", "Invalid comparator '>' not one of '"),
        (RUNS, "status ~ 'x'", "Invalid comparator '~' not one of '"),
        (RUNS, "tags.a IN ('x')", "Invalid comparator 'IN' not one of '"),
        (RUNS, "metrics.a == 1", "Invalid comparator '==' not one of '"),
        (MODELS, "tags.a > 'x'", "Invalid comparator for tag: >"),
        (VERSIONS, "name < 'x'", "Invalid comparator for attribute: <"),
        (LOGGED_MODELS, "name > 'x'", "Invalid comparison operator for attributes.name: '>'."),
        (LOGGED_MODELS, "metrics.a IN ('x')", "Invalid comparison operator for metrics.a: 'IN'."),
    ],
)
def test_an_operator_that_does_not_suit_the_key_is_refused(grammar, text, message) -> None:
    assert refusal(text, grammar).startswith(message)


@pytest.mark.parametrize(
    ("grammar", "text", "keys"),
    [
        (RUNS, "status IN ('x')", ["run_id"]),
        (MODELS, "name IN ('x')", None),
        (VERSIONS, "source_path IN ('x')", ["name", "run_id"]),
        (VERSIONS, "version_number IN ('1')", ["name", "run_id"]),
        (EXPERIMENTS, "name NOT IN ('x')", ["experiment_id"]),
    ],
)
def test_only_some_attributes_take_a_list(grammar, text, keys) -> None:
    if keys is None:
        assert one(text, grammar).value == ("x",)
    else:
        assert refusal(text, grammar) == (
            f"Only {keys} attributes support comparison with a list of quoted string values."
        )


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("()", "expected a non-empty list of string values, but got empty list"),
        ("(,)", "expected a non-empty list of string values, but got ill-formed list"),
        ("('a',,'b')", "but got ill-formed list"),
        ("('a' 'b')", "but got ill-formed list"),
        ("(('a')", "Invalid clause(s) in filter string"),
        ("('a'", "Invalid clause(s) in filter string"),
        ("(", "Invalid clause(s) in filter string"),
        ("", "Invalid clause(s) in filter string"),
        ("(1, 2)", "expected string value, punctuation, or whitespace, but got different type"),
        ("(a)", "expected string value, punctuation, or whitespace, but got different type"),
    ],
)
def test_a_list_that_is_none_is_refused(written, message) -> None:
    assert message in refusal(f"run_id IN {written}")


@pytest.mark.parametrize("rest", ["= true", "=", "LIKE", "IN", "IN 'a'", "= (", "= = 'x'"])
def test_a_comparison_with_nothing_is_refused_before_its_key_is_looked_at(rest) -> None:
    assert "Invalid clause(s) in filter string" in refusal(f"no_such_key {rest}")


@pytest.mark.parametrize(
    ("grammar", "text", "message"),
    [
        (RUNS, "metrics.a IS NULL", "only supported for tags and params, not for 'metric' 'a'"),
        (EXPERIMENTS, "name IS NULL", "only supported for tags, not for 'attribute' 'name'"),
        (MODELS, "tags.a IS NULL", "IS NULL / IS NOT NULL is not supported for 'tag' 'a'"),
        (VERSIONS, "tags.a IS NOT NULL", "IS NULL / IS NOT NULL is not supported for 'tag' 'a'"),
    ],
)
def test_absence_is_asked_for_only_where_mlflow_can(grammar, text, message) -> None:
    assert message in refusal(text, grammar)


def test_a_nul_is_refused_wherever_it_stands() -> None:
    for text in ("tags.a = 'x\x00'", "tags.`a\x00` = 'x'", "run_id IN ('a', '\x00')", "\x00"):
        assert refusal(text) == "The filter contains a NUL character."


def test_text_that_is_no_unicode_is_refused() -> None:
    assert refusal("tags.a = '\ud800'") == "The filter is not valid Unicode."


def test_a_message_repeats_little_of_a_long_text() -> None:
    for text in (f"{'x' * 50_000} = 'a'", f"status = {'x' * 50_000}", "(" * 50_000):
        assert len(refusal(text)) < 500


# limits


def test_a_filter_has_at_most_64_kib() -> None:
    room = filters.TEXT_LIMIT_BYTES - len("tags.a = ''")
    assert one(f"tags.a = '{'x' * room}'").value == "x" * room
    assert "65536" in refusal(f"tags.a = '{'x' * (room + 1)}'")
    assert "65536" in refusal(f"tags.a = '{'я' * (room // 2 + 1)}'")


def test_a_filter_has_at_most_100_comparisons() -> None:
    assert len(parse_filter(" AND ".join(["tags.a = 'x'"] * 100), RUNS)) == 100
    assert "100 comparisons" in refusal(" AND ".join(["tags.a = 'x'"] * 101))


def test_a_pattern_is_no_longer_than_sqlite_takes() -> None:
    assert one(f"tags.a LIKE '{'x' * 50_000}'").op == "LIKE"
    assert "50000 bytes" in refusal(f"tags.a ILIKE '{'x' * 50_001}'")


def test_a_number_has_at_most_100_characters() -> None:
    assert one(f"start_time < {'9' * 100}").value == 10**100 - 1
    assert "100 characters" in refusal(f"start_time < {'9' * 101}")
    assert refusal(f"version_number = '{'9' * 5_000}'", VERSIONS).startswith("Invalid value")


@pytest.mark.parametrize(
    "unit",
    [
        "'", '"', "`", "''", "'\"`", "('", "a.`", "tags.", "tags.'a", "(", ")", "(,", " ", "a", "1",
        "-", ".", "1.", "1e", "-1e5x", "a b ", "<", "NOT ", "IS NOT ", "AND ", "tags.a='x' AND ",
        "run_id IN (", "run_id IN ('a',", "\\'", "%", ";", "é",
    ],
)  # fmt: skip
@pytest.mark.parametrize("start", ["", "tags.a = ", "tags.a = '", "run_id IN (", "metrics.a > 1"])
def test_a_hostile_text_takes_no_longer_than_its_length(start, unit) -> None:
    text = start + unit * (50_000 // len(unit.encode()))
    began = time.process_time()
    try:
        parse_filter(text, RUNS)
        parse_order_by([text], RUNS)
    except InvalidInput:
        pass
    # 50 kB take some 50 ms; a quadratic scan would take minutes.
    assert time.process_time() - began < 10


# orders


@pytest.mark.parametrize(
    ("clause", "order"),
    [
        ("start_time", Order("attribute", "start_time", True)),
        ("attribute.start_time desc", Order("attribute", "start_time", False)),
        ("Created DESC", Order("attribute", "start_time", False)),
        ("metrics.`a b`  ASC ", Order("metric", "a b", True)),
        ('params."a b" DESC', Order("param", "a b", False)),
        ("tags.mlflow.user", Order("tag", "mlflow.user", True)),
    ],
)
def test_an_order_names_a_key_and_a_direction(clause, order) -> None:
    assert parse_order_by([clause], RUNS) == (order,)


def test_orders_keep_their_sequence_and_get_no_default() -> None:
    assert parse_order_by([], VERSIONS) == ()
    assert parse_order_by(["version_number DESC", "name"], VERSIONS) == (
        Order("attribute", "version_number", False),
        Order("attribute", "name", True),
    )


@pytest.mark.parametrize("clause", ["timestamp", "last_updated_timestamp"])
def test_models_are_ordered_by_their_last_update_under_two_names(clause) -> None:
    assert parse_order_by([clause], MODELS) == (Order("attribute", "last_updated_timestamp", True),)


def test_a_structured_order_of_logged_models_is_a_clause() -> None:
    orders = parse_order_by(["metrics.val-loss DESC", "creation_time"], LOGGED_MODELS)
    assert orders == (
        Order("metric", "val-loss", False),
        Order("attribute", "creation_timestamp", True),
    )


@pytest.mark.parametrize(
    ("grammar", "clause", "message"),
    [
        (RUNS, "", "Invalid order_by clause ''. Could not be parsed."),
        (RUNS, "start_time, end_time", "Invalid order_by clause 'start_time, end_time'. Could not"),
        (RUNS, "start_time DESC DESC", "Invalid order_by clause 'start_time DESC DESC'."),
        (RUNS, "start_time;", "Invalid order_by clause 'start_time;'."),
        (RUNS, "start_time up", "Invalid ordering key in order_by clause 'start_time up'."),
        (RUNS, "foo", "Invalid attribute key 'foo' specified. Valid keys are '{'"),
        (RUNS, "m.a", "Invalid entity type 'm'."),
        (RUNS, "dataset.name", "Invalid order_by entity: dataset"),
        (EXPERIMENTS, "tags.a", "Invalid order_by entity: tag"),
        (VERSIONS, "run_id", "Invalid attribute key 'run_id' specified."),
        (MODELS, "creation_timestamp", "Invalid order by key 'creation_timestamp' specified."),
        (LOGGED_MODELS, "foo", "Invalid order by field name: foo."),
        (LOGGED_MODELS, "params.a", "Invalid order_by entity: param"),
        (RUNS, "tags.`a\x00`", "The order_by clause contains a NUL character."),
    ],
)
def test_an_order_that_cannot_be_is_refused(grammar, clause, message) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_order_by([clause], grammar)
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("grammar", "clauses"),
    [
        (RUNS, ["created", "start_time DESC"]),
        (RUNS, ["metrics.a", "metric.a"]),
        (MODELS, ["timestamp", "last_updated_timestamp"]),
        (VERSIONS, ["name", "name DESC"]),
    ],
)
def test_a_key_may_not_come_twice(grammar, clauses) -> None:
    with pytest.raises(InvalidInput, match="`order_by` contains duplicate fields"):
        parse_order_by(clauses, grammar)


def test_experiments_may_be_ordered_by_a_key_twice_as_in_mlflow() -> None:
    assert len(parse_order_by(["name", "name DESC"], EXPERIMENTS)) == 2


def test_a_sort_has_at_most_50_keys() -> None:
    assert len(parse_order_by([f"metrics.m{n}" for n in range(50)], RUNS)) == 50
    with pytest.raises(InvalidInput, match="more than 50 keys"):
        parse_order_by([f"metrics.m{n}" for n in range(51)], RUNS)


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_every_default_order_names_keys_that_exist(grammar) -> None:
    known = grammar.order_keys | grammar.attributes.keys()
    assert grammar.default_order
    assert all(o.field == "attribute" and o.key in known for o in grammar.default_order)


# properties


def quoted(value: str, mark: str) -> str:
    return mark + value.replace(mark, mark * 2) + mark


def rendered(comparison: Comparison, mark: str, key_mark: str) -> str:
    value = comparison.value
    name = f"{comparison.field}.{quoted(comparison.key, key_mark)}"
    if value is None:
        return f"{name} {comparison.op}"
    if isinstance(value, tuple):
        return f"{name} {comparison.op} ({', '.join(quoted(item, mark) for item in value)})"
    shown = quoted(value, mark) if isinstance(value, str) else repr(value)
    return f"{name} {comparison.op} {shown}"


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
finite = st.floats(-1e308, 1e308)
numeric = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
textual = st.sampled_from(["=", "!=", "LIKE", "ILIKE"])
lists = st.lists(texts, min_size=1, max_size=5).map(tuple)
in_lists = st.sampled_from(["IN", "NOT IN"])
comparisons = st.one_of(
    st.builds(Comparison, st.just("metric"), texts, numeric, finite),
    st.builds(Comparison, st.sampled_from(["tag", "param"]), texts, textual, texts),
    st.builds(
        Comparison,
        st.sampled_from(["tag", "param"]),
        texts,
        st.sampled_from(["IS NULL", "IS NOT NULL"]),
        st.none(),
    ),
    st.builds(Comparison, st.just("attribute"), st.just("start_time"), numeric, st.integers()),
    st.builds(Comparison, st.just("attribute"), st.just("run_id"), in_lists, lists),
    st.builds(
        Comparison, st.just("dataset"), st.sampled_from(["name", "context"]), in_lists, lists
    ),
)


@given(
    st.lists(comparisons, max_size=5),
    st.sampled_from("'\""),
    st.sampled_from("`'\""),
    st.sampled_from([" AND ", "\nand\t"]),
)
def test_what_is_written_is_what_is_read(wanted, mark, key_mark, conjunction) -> None:
    text = conjunction.join(rendered(comparison, mark, key_mark) for comparison in wanted)
    assert parse_filter(text, RUNS) == tuple(wanted)


_WORDS = "tags.a metrics.b run_id start_time name version_number experiment_id AND LIKE IN NOT IS"
_SIGNS = "= != < ( ) , ; . - ' \" ` 'x' \"y\" `z` 1 -2.5 1e9 \x00 \ud800 \\ % NULL"
pieces = st.sampled_from([*_WORDS.split(), *_SIGNS.split()])
noise = st.one_of(
    st.text(), st.lists(pieces, max_size=12).map(" ".join), st.lists(pieces).map("".join)
)


@given(noise, st.sampled_from(GRAMMARS))
def test_any_text_is_read_or_refused_and_nothing_else(text, grammar) -> None:
    for parse in (lambda: parse_filter(text, grammar), lambda: parse_order_by([text], grammar)):
        with contextlib.suppress(InvalidInput):
            assert isinstance(parse(), tuple)
