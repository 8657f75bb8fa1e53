"""MLflow's search language: comparisons joined by AND, and orders.

    metrics.loss < 0.5 AND tags.`my key` = 'x' AND run_id IN ('a', 'b')

What may be searched, and in which words a mistake is refused, is MLflow's (3.17.2,
`utils/search_utils.py`, `utils/search_logged_model_utils.py` and the SQL stores). Where this
differs from it: a doubled quote inside quotes stands for one, as in SQL; AND must stand between
two comparisons and nowhere else; an order takes every alias that a filter takes; a key needs no
quotes for `-`, `/` and `:`.

The scanner never looks at a character more than a few times, whatever the text: its patterns
don't backtrack (`++`, `*+`), and the first character that begins no token ends the scan.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.search import Comparison, Order
from modelkeep.protocols.mlflow.grammars import LISTS, NULLS, OPERATORS, Grammar, Kind
from modelkeep.protocols.mlflow.wire import parse_number

TEXT_LIMIT_BYTES = 64 * 1024
COMPARISONS_LIMIT = 100
PATTERN_LIMIT_BYTES = 50_000  # SQLite takes no longer pattern for LIKE
NUMBER_LIMIT = 100  # characters; Python refuses to read integers of thousands of digits
ORDER_LIMIT = 50  # each may be a join, and SQLite joins at most 64 tables

_PREFIXES = {
    **dict.fromkeys(("metric", "metrics"), "metric"),
    **dict.fromkeys(("parameter", "parameters", "param", "params"), "param"),
    **dict.fromkeys(("tag", "tags"), "tag"),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute"),
    **dict.fromkeys(("dataset", "datasets"), "dataset"),
}
_DATASET_KEYS = ("context", "digest", "name")

# -- tokens ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # the name of a group of _TOKEN, or "end", or "unknown" for the rest of the text
    text: str
    prefix: str = ""  # of a dotted name, in front of the dot
    value: str = ""  # without its quotes


def _quoted(mark: str) -> str:
    return rf"{mark}(?:[^{mark}]++|{mark}{mark})*+{mark}"


_BACKTICK, _DOUBLE, _SINGLE = map(_quoted, ("`", '"', "'"))
_TOKEN = re.compile(
    r"(?P<space>\s++)"
    r"|(?P<number>-?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?(?![\w.]))"
    rf"|(?P<dotted>(?P<prefix>\w++|{_BACKTICK})"
    rf"\.(?P<key>[\w.\-/:]++|{_BACKTICK}|{_DOUBLE}|{_SINGLE}))"
    rf"|(?P<word>\w++)|(?P<backtick>{_BACKTICK})|(?P<double>{_DOUBLE})|(?P<single>{_SINGLE})"
    r"|(?P<sign>[<>=!~]++)|(?P<mark>[(),])"
)
_NAMES = ("dotted", "word", "backtick", "double")
_STRINGS = ("single", "double")
_RESERVED = frozenset(("AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE", "TRUE", "FALSE"))


def _scan(text: str, what: str) -> list[_Token]:
    _check_text(text, what)
    tokens: list[_Token] = []
    at = 0
    while match := _TOKEN.match(text, at):
        at = match.end()
        if match.lastgroup != "space":
            tokens.append(_token(match))
    if at < len(text):
        tokens.append(_Token("unknown", text[at:]))
    return tokens


def _check_text(text: str, what: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput(f"The {what} is not valid Unicode.") from None
    if size > TEXT_LIMIT_BYTES:
        raise InvalidInput(f"The {what} is longer than {TEXT_LIMIT_BYTES} bytes.")
    if "\x00" in text:
        raise InvalidInput(f"The {what} contains a NUL character.")


def _token(match: re.Match[str]) -> _Token:
    kind, text = match.lastgroup or "", match[0]
    if kind == "number" and len(text) > NUMBER_LIMIT:
        raise InvalidInput(f"A number has more than {NUMBER_LIMIT} characters.")
    if kind == "dotted":
        return _Token(kind, text, _bare(match["prefix"]), _bare(match["key"]))
    return _Token(kind, text, value=_bare(text))


def _bare(text: str) -> str:
    """`text` without the quotes around it; a doubled one inside stands for one."""
    mark = text[0]
    return text[1:-1].replace(mark * 2, mark) if mark in "`\"'" else text


class _Reader:
    """The tokens of one text, from the first to the last, and then an end.

    The end's text is the clause that it breaks off: a message repeats it, as MLflow's does.
    """

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens, self._at = tokens, 0

    def peek(self) -> _Token:
        if self._at < len(self._tokens):
            return self._tokens[self._at]
        return _Token("end", self._last_clause())

    def _last_clause(self) -> str:
        words = [token.text for token in self._tokens]
        begins = max(
            (at for at, word in enumerate(words[:-1], 1) if word.upper() == "AND"), default=0
        )
        return " ".join(words[begins:])

    def take(self) -> _Token:
        token = self.peek()
        self._at += 1
        return token

    def skip(self, kind: str, text: str) -> bool:
        """Whether that token came next; it is taken then."""
        token = self.peek()
        found = token.kind == kind and token.text.upper() == text
        self._at += found
        return found


def _shown(text: str) -> str:
    """What a message repeats of a client's text."""
    return text if len(text) <= 100 else f"{text[:100]}…"


def _listed(names: Sequence[str]) -> str:
    return "{" + ", ".join(f"'{name}'" for name in sorted(names)) + "}"


def _refuse(token: _Token) -> NoReturn:
    if token.kind == "unknown" and token.text.startswith(";"):
        raise InvalidInput(
            f"Search filter contained multiple expression '{_shown(token.text)}'. "
            "Provide AND-ed expression list."
        )
    raise InvalidInput(f"Invalid clause(s) in filter string: '{_shown(token.text)}'")


# -- filters -----------------------------------------------------------------------------------


def parse_filter(text: str, grammar: Grammar) -> tuple[Comparison, ...]:
    """The comparisons of a filter; none for a blank text.

    Raises InvalidInput in MLflow's words, or naming the limit: 64 KiB of text, 100 comparisons,
    50,000 bytes of a pattern, 100 characters of a number; no NUL.
    """
    reader = _Reader(_scan(text, "filter"))
    found: list[Comparison] = []
    while reader.peek().kind != "end":
        if found and not reader.skip("word", "AND"):
            _refuse(reader.peek())
        if len(found) == COMPARISONS_LIMIT:
            raise InvalidInput(f"The filter has more than {COMPARISONS_LIMIT} comparisons.")
        found.append(_comparison(reader, grammar))
    return tuple(found)


def _comparison(reader: _Reader, grammar: Grammar) -> Comparison:
    name = reader.take()
    if name.kind in ("number", "single"):
        raise InvalidInput(
            f"Invalid comparison clause. Expected 'Identifier' found '{_shown(name.text)}'"
        )
    if name.kind not in _NAMES or _is_reserved(name):
        _refuse(name)
    op = _operator(reader)
    _check_begun(reader, op)
    field, key = _resolve(name, grammar)
    _check_operator(op, field, key, grammar)
    return Comparison(field, key, op, _operand(reader, op, field, key, grammar))


def _is_reserved(token: _Token) -> bool:
    return token.kind == "word" and token.text.upper() in _RESERVED


def _operator(reader: _Reader) -> str:
    token = reader.take()
    word = token.text.upper()
    if token.kind == "sign":
        return token.text
    if token.kind == "word" and word in ("LIKE", "ILIKE", "IN"):
        return word
    if token.kind == "word" and word == "NOT" and reader.skip("word", "IN"):
        return "NOT IN"
    if token.kind == "word" and word == "IS":
        negated = reader.skip("word", "NOT")
        if reader.skip("word", "NULL"):
            return "IS NOT NULL" if negated else "IS NULL"
    _refuse(token)


def _check_begun(reader: _Reader, op: str) -> None:
    """Refuses a comparison with nothing to compare to, before what it compares is looked at."""
    token = reader.peek()
    if op in LISTS:
        is_begun = token.text == "("
    else:
        is_begun = token.kind not in ("sign", "mark", "unknown", "end") and not _is_reserved(token)
    if not is_begun and op not in NULLS:
        _refuse(token)


def _resolve(name: _Token, grammar: Grammar) -> tuple[str, str]:
    """The field and the canonical key that a filter's identifier means."""
    field, key = _field(name, (*grammar.fields, "attribute")), name.value
    if field == "attribute":
        key = grammar.aliases.get(key, key)
        if key not in grammar.attributes:
            keys = _listed(_spellings(grammar.attributes, grammar))
            raise InvalidInput(
                f"Invalid attribute key '{_shown(key)}' specified. Valid keys are '{keys}'"
            )
    if field == "dataset" and key not in _DATASET_KEYS:
        raise InvalidInput(
            f"Invalid dataset key '{_shown(key)}' specified. "
            f"Valid keys are '{_listed(_DATASET_KEYS)}'"
        )
    return field, key


def _field(name: _Token, valid: Sequence[str]) -> str:
    if name.kind != "dotted":
        return "attribute"
    field = _PREFIXES.get(name.prefix)
    if field is None or field not in valid:
        raise InvalidInput(
            f"Invalid entity type '{_shown(name.prefix)}'. Valid values are {sorted(valid)}"
        )
    return field


def _spellings(keys: Mapping[str, Kind] | frozenset[str], grammar: Grammar) -> list[str]:
    return [*keys, *(alias for alias, key in grammar.aliases.items() if key in keys)]


def _kind(field: str, key: str, grammar: Grammar) -> Kind:
    if field == "attribute":
        return grammar.attributes[key]
    return Kind.METRIC if field == "metric" else Kind.TEXT


def _check_operator(op: str, field: str, key: str, grammar: Grammar) -> None:
    if field == "attribute":
        ops = OPERATORS[grammar.attributes[key]]
    else:
        ops = grammar.fields[field]
    if op in ops:
        return
    if op in NULLS:
        takers = [f"{name}s" for name, known in grammar.fields.items() if op in known]
        only = f"only supported for {' and '.join(takers)}, not" if takers else "not supported"
        raise InvalidInput(f"IS NULL / IS NOT NULL is {only} for '{field}' '{_shown(key)}'")
    if op in LISTS and field == "attribute":
        takers = sorted(k for k, v in grammar.attributes.items() if v in (Kind.LISTED, Kind.ID))
        raise InvalidInput(
            f"Only {takers} attributes support comparison with a list of quoted string values."
        )
    raise InvalidInput(
        grammar.bad_operator.format(op=_shown(op), ops=_listed(ops), field=field, key=_shown(key))
    )


# -- values ------------------------------------------------------------------------------------


def _operand(
    reader: _Reader, op: str, field: str, key: str, grammar: Grammar
) -> str | float | int | tuple[str, ...] | None:
    if op in NULLS:
        return None
    kind = _kind(field, key, grammar)
    if op in LISTS:
        items = _items(reader)
        return tuple(str(_id(item)) for item in items) if kind is Kind.ID else items
    token = reader.take()
    if op in ("LIKE", "ILIKE") and len(token.value.encode()) > PATTERN_LIMIT_BYTES:
        raise InvalidInput(f"A pattern is longer than {PATTERN_LIMIT_BYTES} bytes.")
    return _value(token, field, key, kind)


def _items(reader: _Reader) -> tuple[str, ...]:
    """The strings of a list, in one pair of parentheses or more; a last comma does no harm."""
    depth = 0
    while reader.skip("mark", "("):
        depth += 1
    items: list[str] = []
    while reader.peek().text != ")":
        items.append(_item(reader.take()))
        if not reader.skip("mark", ","):
            break
    if not all(reader.skip("mark", ")") for _ in range(depth)):
        if reader.peek().kind == "end":
            _refuse(reader.peek())
        _refuse_list("a non-empty list of string values, but got ill-formed list.")
    if not items:
        _refuse_list("a non-empty list of string values, but got empty list")
    return tuple(items)


def _item(token: _Token) -> str:
    if token.kind == "end":
        _refuse(token)
    if token.kind in ("mark", "unknown"):
        _refuse_list("a non-empty list of string values, but got ill-formed list.")
    if token.kind not in _STRINGS:
        _refuse_list(
            "string value, punctuation, or whitespace, but got different type in list: "
            f"{_shown(token.text)}"
        )
    return token.value


def _refuse_list(expected: str) -> NoReturn:
    raise InvalidInput(f"While parsing a list in the query, expected {expected}")


def _value(token: _Token, field: str, key: str, kind: Kind) -> str | float | int:
    if kind is Kind.METRIC:
        return parse_number(_number(token, "metric"))
    if kind is Kind.NUMBER:
        text = _number(token, f"numeric attribute: {key}")
        return int(text) if text.lstrip("-").isdigit() else float(text)
    if kind is Kind.INTEGER:
        return _integer(token, key)
    return _id(_string(token, field)) if kind is Kind.ID else _string(token, field)


def _number(token: _Token, what: str) -> str:
    if token.kind != "number":
        raise InvalidInput(f"Expected numeric value type for {what}. Found {_shown(token.text)}")
    return token.text


def _integer(token: _Token, key: str) -> int:
    text = token.value if token.kind in _STRINGS else _number(token, f"numeric attribute: {key}")
    if len(text) > NUMBER_LIMIT or not re.fullmatch(r"-?[0-9]+", text):
        raise InvalidInput(f"Invalid value for numeric attribute '{key}': '{_shown(text)}'")
    return int(text)


def _id(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):  # what fits 64 bits
        raise InvalidInput(
            f"Invalid experiment ID '{_shown(text)}'. Experiment ID must be a valid integer."
        )
    return int(text)


_WANTED = {
    "attribute": "attributes.",
    "dataset": "dataset attributes.",
    "tag": "tag (e.g. 'my-value').",
    "param": "parameter (e.g. 'my-value').",
}


def _string(token: _Token, field: str) -> str:
    if token.kind in _STRINGS:
        return token.value
    if token.kind == "number":
        raise InvalidInput(
            f"Expected a quoted string value for {_WANTED[field]} Got value {token.text}"
        )
    raise InvalidInput(
        "Parameter value is either not quoted or unidentified quote types used for string value "
        f"{_shown(token.text)}. Use either single or double quotes."
    )


# -- orders ------------------------------------------------------------------------------------


def parse_order_by(clauses: Sequence[str], grammar: Grammar) -> tuple[Order, ...]:
    """The keys of a sort, as given: neither the default order nor a last tie-breaker is added.

    Raises InvalidInput in MLflow's words, also for a key that comes twice where MLflow refuses
    it, or naming the limit: 50 keys, 64 KiB a key.
    """
    if len(clauses) > ORDER_LIMIT:
        raise InvalidInput(f"`order_by` has more than {ORDER_LIMIT} keys.")
    orders = tuple(_order(clause, grammar) for clause in clauses)
    distinct = {(order.field, order.key) for order in orders}
    if len(distinct) < len(orders) and not grammar.order_keys_may_repeat:
        raise InvalidInput(f"`order_by` contains duplicate fields: {_shown(str(list(clauses)))}")
    return orders


def _order(clause: str, grammar: Grammar) -> Order:
    tokens = _scan(clause, "order_by clause")
    if not 1 <= len(tokens) <= 2 or tokens[0].kind not in _NAMES or tokens[-1].kind == "unknown":
        raise InvalidInput(f"Invalid order_by clause '{_shown(clause)}'. Could not be parsed.")
    direction = tokens[1].text.upper() if len(tokens) == 2 else "ASC"
    if direction not in ("ASC", "DESC"):
        raise InvalidInput(f"Invalid ordering key in order_by clause '{_shown(clause)}'.")
    field, key = _field(tokens[0], tuple(set(_PREFIXES.values()))), tokens[0].value
    if field not in grammar.order_fields:
        raise InvalidInput(f"Invalid order_by entity: {field}")
    if field == "attribute":
        key = _order_key(key, grammar)
    return Order(field, key, direction == "ASC")


def _order_key(key: str, grammar: Grammar) -> str:
    key = grammar.aliases.get(key, key)
    if key not in grammar.order_keys:
        keys = _listed(_spellings(grammar.order_keys, grammar))
        raise InvalidInput(grammar.bad_order_key.format(key=_shown(key), keys=keys))
    return key
