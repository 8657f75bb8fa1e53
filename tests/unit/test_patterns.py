"""EventBridge's patterns: what they match, and which are none."""

from typing import Any

import pytest

from modelkeep.domain.errors import InvalidPattern
from modelkeep.domain.patterns import matches, parse

EVENT: dict[str, Any] = {
    "source": "aws.sagemaker",
    "resources": ["arn:one", "arn:two"],
    "detail": {
        "Status": "Approved",
        "Version": 3,
        "Score": 0.5,
        "Ok": True,
        "None": None,
        "Path": "a*b\\c",
        "From": "10.1.2.3",
    },
}


@pytest.mark.parametrize(
    "pattern",
    [
        '{"source": ["aws.sagemaker"]}',
        '{"source": ["other", "aws.sagemaker"], "detail": {"Version": [3]}}',
        '{"resources": ["arn:two"]}',
        '{"resources": [{"prefix": "arn:t"}]}',
        '{"detail": {"Status": [{"prefix": "App"}]}}',
        '{"detail": {"Status": [{"suffix": "oved"}]}}',
        '{"detail": {"Status": [{"equals-ignore-case": "approved"}]}}',
        '{"detail": {"Status": [{"anything-but": "Rejected"}]}}',
        '{"detail": {"Status": [{"anything-but": ["Rejected", "Pending"]}]}}',
        '{"detail": {"Status": [{"anything-but": {"prefix": "Rej"}}]}}',
        '{"detail": {"Status": [{"wildcard": "App*d"}]}}',
        '{"detail": {"Status": [{"wildcard": "*p*e*"}]}}',
        '{"detail": {"Status": [{"wildcard": "Approved"}]}}',
        '{"detail": {"Status": [{"anything-but": {"wildcard": "Rej*"}}]}}',
        '{"detail": {"Path": [{"wildcard": "a\\\\*b\\\\\\\\*"}]}}',
        '{"detail": {"From": [{"cidr": "10.1.0.0/16"}]}}',
        '{"detail": {"Version": [{"numeric": [">", 2, "<=", 3]}]}}',
        '{"detail": {"Version": [{"numeric": ["=", 3.0]}]}}',
        '{"detail": {"Status": [{"exists": true}], "Gone": [{"exists": false}]}}',
        '{"gone": {"within": [{"exists": false}]}}',
        '{"detail": {"Ok": [true], "None": [null]}}',
        '{"$or": [{"source": ["other"]}, {"detail": {"Score": [0.5]}}]}',
    ],
)
def test_a_pattern_matches_what_it_says(pattern: str) -> None:
    assert matches(parse(pattern), EVENT)


@pytest.mark.parametrize(
    "pattern",
    [
        '{"source": ["aws"]}',
        '{"source": ["aws.sagemaker"], "detail": {"Version": [4]}}',
        '{"resources": ["arn:three"]}',
        '{"detail": {"Version": ["3"]}}',
        '{"detail": {"Version": [true]}}',
        '{"detail": {"Ok": [1]}}',
        '{"detail": {"Status": [{"anything-but": ["Approved"]}]}}',
        '{"detail": {"Status": [{"anything-but": {"prefix": "App"}}]}}',
        '{"detail": {"Status": [{"wildcard": "App*v"}]}}',
        '{"detail": {"Status": [{"wildcard": "Approv*ved"}]}}',
        '{"detail": {"Status": [{"wildcard": "*e*p*"}]}}',
        '{"detail": {"Version": [{"wildcard": "*"}]}}',
        '{"detail": {"From": [{"cidr": "10.2.0.0/16"}]}}',
        '{"detail": {"From": [{"cidr": "::/0"}]}}',
        '{"detail": {"Status": [{"cidr": "0.0.0.0/0"}]}}',
        '{"detail": {"Gone": [{"anything-but": "x"}]}}',
        '{"detail": {"Version": [{"numeric": [">", 3]}]}}',
        '{"detail": {"Ok": [{"numeric": ["=", 1]}]}}',
        '{"detail": {"Status": [{"exists": false}]}}',
        '{"gone": {"within": ["x"]}}',
        '{"source": {"within": ["aws.sagemaker"]}}',
        '{"$or": [{"source": ["other"]}, {"source": ["another"]}]}',
    ],
)
def test_a_pattern_matches_nothing_else(pattern: str) -> None:
    assert not matches(parse(pattern), EVENT)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be an object"),
        ("{}", "not empty"),
        ('{"source": "aws"}', "source must be an object or a list"),
        ('{"source": []}', "source must not be an empty list"),
        ('{"source": [["a"]]}', "a list within its list"),
        ('{"source": [{"regex": ".*"}]}', "Unrecognized match type regex"),
        ('{"source": [{"cidr": "10.0.0.0"}]}', "a filter cidr"),
        ('{"source": [{"cidr": "10.0.0.0/33"}]}', "a filter cidr"),
        ('{"source": [{"wildcard": "a**b"}]}', "a filter wildcard"),
        ('{"source": [{"wildcard": "a\\\\b"}]}', "a filter wildcard"),
        ('{"source": [{"prefix": 1}]}', "a filter prefix"),
        ('{"source": [{"prefix": "a", "suffix": "b"}]}', "one filter"),
        ('{"source": [{"numeric": [">"]}]}', "a filter numeric"),
        ('{"source": [{"numeric": [[], 1]}]}', "a filter numeric"),
        ('{"$or": [{"source": ["a"]}]}', "two patterns"),
        ('{"a":' * 30 + "[1]" + "}" * 30, "deep"),
        ('{"a": ["' + "x" * 5000 + '"]}', "longer than"),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(InvalidPattern, match=reason):
        parse(pattern)
