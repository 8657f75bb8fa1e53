"""What a topic's subscriber wants: the policies that there are, and what they let through."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.subscriptions import Scope, Terms, agreed

URL = "https://hooks.example.com/"


def terms(policy: Mapping[str, Any], scope: Scope = Scope.ATTRIBUTES) -> Terms:
    return agreed(
        Terms(), {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": scope.value}, URL
    )


ATTRIBUTES = {
    "team": {"Type": "String", "Value": "risk"},
    "drift": {"Type": "Number", "Value": "0.30"},
    "stages": {"Type": "String.Array", "Value": '["Staging", "Production", 3]'},
    "blob": {"Type": "Binary", "Value": "cmlzaw=="},
}


@pytest.mark.parametrize(
    ("policy", "is_wanted"),
    [
        ({"team": ["risk"]}, True),
        ({"team": ["Risk"]}, False),
        ({"team": [{"anything-but": ["sales"]}]}, True),
        ({"drift": [0.3]}, True),
        ({"drift": ["0.30"]}, False),
        ({"drift": [{"numeric": [">=", 0.3, "<", 1]}]}, True),
        ({"stages": ["Production"]}, True),
        ({"stages": [3]}, True),
        ({"stages": ["Archived"]}, False),
        ({"other": [{"exists": False}]}, True),
        ({"blob": [{"exists": True}]}, False),
        ({"team": ["risk"], "drift": [1]}, False),
        ({"$or": [{"team": ["sales"]}, {"drift": [0.3]}]}, True),
    ],
)
def test_attributes_are_matched_by_their_types(policy: dict[str, Any], is_wanted: bool) -> None:
    assert terms(policy).lets("m", ATTRIBUTES) is is_wanted


@pytest.mark.parametrize(
    ("message", "is_wanted"),
    [
        ('{"detail": {"status": "Approved"}}', True),
        ('{"detail": [{"status": "None"}, {"status": "Approved"}]}', True),
        ('{"detail": {"status": "Rejected"}}', False),
        ('[{"detail": {"status": "Approved"}}]', False),
        ("no JSON", False),
        ('{"detail": {"status": ' + "[" * 500 + '"Approved"' + "]" * 500 + "}}", False),
        ("[" * 100_000, False),
        ("1" * 5_000, False),
    ],
)
def test_a_body_is_matched_where_it_is_an_object_in_json(message: str, is_wanted: bool) -> None:
    found = terms({"detail": {"status": ["Approved"]}}, Scope.BODY)
    assert found.lets(message, ATTRIBUTES) is is_wanted


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"FilterPolicy": "{"}, "FilterPolicy: it is not valid JSON"),
        ({"FilterPolicy": "[]"}, "must be an object"),
        ({"FilterPolicy": '{"a": "b"}'}, "FilterPolicy: a must be an object or a list"),
        ({"FilterPolicy": '{"a": [{"regex": "x*"}]}'}, "Unrecognized match type regex"),
        ({"FilterPolicy": '{"a": {"b": ["c"]}}'}, "does not support nested filter policy"),
        ({"FilterPolicy": '{"$or": [{"a": ["b"]}, {"a": {"b": ["c"]}}]}'}, "nested"),
        ({"FilterPolicy": json.dumps({f"k{i}": [1] for i in range(6)})}, "more than 5 keys"),
        ({"FilterPolicy": json.dumps({"a": [1] * 16, "b": [1] * 10})}, "too complex"),
        ({"FilterPolicyScope": "Subject"}, "use either MessageBody or MessageAttributes"),
        ({"RawMessageDelivery": "yes"}, "Must be true or false"),
    ],
)
def test_what_is_not_understood_is_refused(wanted: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid parameter: ") as error:
        agreed(Terms(), wanted, URL)
    assert said in error.value.message


def test_a_nested_policy_is_for_bodies_and_counts_by_its_depth() -> None:
    found = terms({"a": {"b": [1] * 10, "c": [1] * 3}}, Scope.BODY)  # 20 by 6
    with pytest.raises(InvalidInput, match="nested"):
        agreed(found, {"FilterPolicyScope": "MessageAttributes"}, URL)
    with pytest.raises(InvalidInput, match="too complex"):
        terms({"a": {"b": [1] * 10, "c": [1] * 4}}, Scope.BODY)  # 20 by 8


def test_a_letter_is_never_raw() -> None:
    with pytest.raises(InvalidInput, match=r"\[email\] does not support raw"):
        agreed(Terms(), {"RawMessageDelivery": "true"}, "email:ann@example.org")


def test_terms_are_read_as_they_were_written() -> None:
    for one in (Terms(), terms({"a": [1]}), Terms(is_raw=True), Terms(scope=Scope.BODY)):
        assert Terms.read(one.text) == one
    assert Terms().text == ""
    assert agreed(terms({"a": [1]}), {"FilterPolicy": "{}"}, URL) == Terms()
