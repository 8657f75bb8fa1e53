"""What may be searched of each noun, with which operators, and in which order by default.

Source: MLflow 3.17.2, `utils/search_utils.py`, `utils/search_logged_model_utils.py` and the SQL
stores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from modelkeep.domain.search import Order

NUMERIC = ("=", "!=", "<", "<=", ">", ">=")
TEXTUAL = ("=", "!=", "LIKE", "ILIKE")
LISTS = ("IN", "NOT IN")
NULLS = ("IS NULL", "IS NOT NULL")


class Kind(Enum):
    """What is compared."""

    TEXT = auto()
    LISTED = auto()  # text, or a list of texts
    ID = auto()  # digits in quotes, or a list of them
    NUMBER = auto()
    INTEGER = auto()  # with or without quotes
    METRIC = auto()


OPERATORS = {
    Kind.TEXT: TEXTUAL,
    Kind.LISTED: (*TEXTUAL, *LISTS),
    Kind.ID: ("=", "!=", *LISTS),
    Kind.NUMBER: NUMERIC,
    Kind.INTEGER: NUMERIC,
}


@dataclass(frozen=True, slots=True)
class Grammar:
    """What may be searched of one noun.

    `fields` gives the operators of each field but "attribute". `default_order` is what MLflow
    sorts by when it is told nothing, `tie_order` what it adds to what it is told. The texts are
    templates of messages.
    """

    attributes: Mapping[str, Kind]
    fields: Mapping[str, tuple[str, ...]]
    order_keys: frozenset[str]
    default_order: tuple[Order, ...]
    tie_order: tuple[Order, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    order_fields: frozenset[str] = frozenset(("attribute",))
    order_keys_may_repeat: bool = False
    bad_operator: str = "Invalid comparator '{op}' not one of '{ops}'"
    bad_order_key: str = "Invalid attribute key '{key}' specified. Valid keys are '{keys}'"


def _attribute_order(*terms: str) -> tuple[Order, ...]:
    pairs = (term.split() for term in terms)
    return tuple(Order("attribute", key, direction == "ASC") for key, direction in pairs)


EXPERIMENTS = Grammar(
    attributes={
        "name": Kind.TEXT,
        "experiment_id": Kind.ID,
        "creation_time": Kind.INTEGER,
        "last_update_time": Kind.INTEGER,
    },
    fields={"tag": (*TEXTUAL, *NULLS)},
    order_keys=frozenset(("name", "experiment_id", "creation_time", "last_update_time")),
    default_order=_attribute_order("creation_time DESC", "experiment_id ASC"),
    order_keys_may_repeat=True,
)

_RUN_ATTRIBUTES = {
    "run_id": Kind.LISTED,
    "run_name": Kind.TEXT,
    "user_id": Kind.TEXT,
    "status": Kind.TEXT,
    "start_time": Kind.NUMBER,
    "end_time": Kind.NUMBER,
    "artifact_uri": Kind.TEXT,
}

RUNS = Grammar(
    attributes=_RUN_ATTRIBUTES,
    fields={
        "tag": (*TEXTUAL, *NULLS),
        "param": (*TEXTUAL, *NULLS),
        "metric": NUMERIC,
        "dataset": (*TEXTUAL, *LISTS),
    },
    aliases={
        "created": "start_time",
        "Created": "start_time",
        "run name": "run_name",
        "Run name": "run_name",
        "Run Name": "run_name",
    },
    order_keys=frozenset(_RUN_ATTRIBUTES),
    order_fields=frozenset(("attribute", "tag", "param", "metric")),
    default_order=_attribute_order("start_time DESC", "run_id ASC"),
)

_LOGGED_MODEL_ATTRIBUTES = {
    "name": Kind.LISTED,
    "model_id": Kind.LISTED,
    "model_type": Kind.LISTED,
    "status": Kind.LISTED,
    "source_run_id": Kind.LISTED,
    "experiment_id": Kind.ID,
    "artifact_uri": Kind.LISTED,
    "creation_timestamp": Kind.NUMBER,
    "last_updated_timestamp": Kind.NUMBER,
}

LOGGED_MODELS = Grammar(
    attributes=_LOGGED_MODEL_ATTRIBUTES,
    fields={"tag": (*TEXTUAL, *LISTS), "param": (*TEXTUAL, *LISTS), "metric": NUMERIC},
    aliases={
        "artifact_location": "artifact_uri",
        "creation_time": "creation_timestamp",
        "creation_timestamp_ms": "creation_timestamp",
        "last_updated_time": "last_updated_timestamp",
        "last_updated_timestamp_ms": "last_updated_timestamp",
    },
    order_keys=frozenset(_LOGGED_MODEL_ATTRIBUTES),
    order_fields=frozenset(("attribute", "metric")),
    default_order=_attribute_order("creation_timestamp DESC", "model_id ASC"),
    order_keys_may_repeat=True,
    bad_operator=(
        "Invalid comparison operator for {field}s.{key}: '{op}'. Expected one of '{ops}'."
    ),
    bad_order_key="Invalid order by field name: {key}.",
)

MODELS = Grammar(
    attributes={"name": Kind.LISTED},
    fields={"tag": TEXTUAL},
    # NOTE: `timestamp` must mean the last update: clients sort by it and read that field.
    aliases={"timestamp": "last_updated_timestamp"},
    order_keys=frozenset(("name", "last_updated_timestamp")),
    default_order=_attribute_order("name ASC"),
    tie_order=_attribute_order("name ASC"),
    bad_operator="Invalid comparator for {field}: {op}",
    bad_order_key="Invalid order by key '{key}' specified. Valid keys are '{keys}'",
)

VERSIONS = Grammar(
    attributes={
        "name": Kind.LISTED,
        "version_number": Kind.INTEGER,
        "run_id": Kind.LISTED,
        "source_path": Kind.TEXT,
    },
    fields={"tag": TEXTUAL},
    order_keys=frozenset(
        ("name", "version_number", "creation_timestamp", "last_updated_timestamp")
    ),
    default_order=_attribute_order(
        "last_updated_timestamp DESC", "name ASC", "version_number DESC"
    ),
    tie_order=_attribute_order("name ASC", "version_number DESC"),
    bad_operator="Invalid comparator for {field}: {op}",
)
