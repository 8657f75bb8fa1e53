"""Rows on their way between databases, in the same form from either.

A table is a sequence of pages, each of a length (4 bytes, big endian) and a MessagePack array of
rows; a row is the array of its values: nil, integers, floats, texts, bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from modelkeep.domain.errors import IntegrityFailure

PAGE_LIMIT_BYTES = 1 << 30  # beyond it a length is nonsense
_LENGTH_BYTES = 4
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[list[Any]]).decode


def packed(pages: Iterable[Sequence[Sequence[Any]]]) -> Iterator[bytes]:
    """The bytes of a table, a page at a time."""
    for page in pages:
        body = _encode(page)
        yield len(body).to_bytes(_LENGTH_BYTES, "big") + body


def unpacked(chunks: Iterable[bytes]) -> Iterator[Sequence[Sequence[Any]]]:
    """The pages of a table from its bytes. Raises IntegrityFailure for what is none."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(buffer[:_LENGTH_BYTES], "big")
            if end > PAGE_LIMIT_BYTES:
                raise IntegrityFailure("A page of rows cannot be read.")
            if len(buffer) < end:
                break
            try:
                yield _decode(buffer[_LENGTH_BYTES:end])
            except msgspec.DecodeError as error:
                raise IntegrityFailure(f"A page of rows cannot be read: {error}.") from None
            del buffer[:end]
    if buffer:
        raise IntegrityFailure("The last page of rows was cut off.")
