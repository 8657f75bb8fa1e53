"""What a list of files says that a package names as its manifest.

SageMaker's documentation has two forms: for training data a JSON array of one prefix and the rest
of each address ("S3DataSource"), and for a model's data a CSV "that stores the artifact locations"
("S3ModelDataSource"), of which no more is said: here each field of it that is an address is one.
"""

import csv
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from typing import Annotated

import msgspec
from msgspec import Meta

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.objects import SCHEME

SIZE_LIMIT_BYTES = 1 << 20
LIMIT = 500  # addresses in one: each is looked up while others wait to write


class _Prefix(msgspec.Struct, forbid_unknown_fields=True):
    prefix: Annotated[str, Meta(pattern=r"^s3://[^/]+")]


_Listed = Annotated[list[_Prefix | str], Meta(min_length=2)]


def listed_in(content: bytes) -> tuple[str, ...]:
    """The addresses that it lists, in its order. Raises InvalidInput, which says what is wrong with
    it as a sentence goes on after its name."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("is no text in UTF-8.") from None
    read = _of_json if text.lstrip().startswith("[") else _of_csv
    found = tuple(islice(read(text), LIMIT + 1))
    if not found:
        raise InvalidInput("lists no address.")
    if len(found) > LIMIT:
        raise InvalidInput(f"lists more than {LIMIT} addresses.")
    return found


def _of_json(text: str) -> Iterator[str]:
    try:
        first, *rest = msgspec.json.decode(text, type=_Listed)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidInput(f"is not a prefix and what follows it: {error}.") from None
    if isinstance(first, str):
        raise InvalidInput("is not a prefix and what follows it: the first is no prefix.")
    for one in rest:
        if not isinstance(one, str):
            raise InvalidInput("has more than one prefix.")
        yield first.prefix + one


def _of_csv(text: str) -> Iterator[str]:
    """A first line without an address is a header."""
    is_first = True
    try:
        for row in csv.reader(StringIO(text, newline=""), strict=True):
            found = [field.strip() for field in row if field.strip().startswith(SCHEME)]
            if not found and row and not is_first:
                raise InvalidInput("has a line without an address.")
            yield from found
            is_first = False
    except csv.Error as error:
        raise InvalidInput(f"is no CSV: {error}.") from None
