"""Bodies in AWS's chunks, as AWS's own example of them has it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3.chunks import Chunks
from modelkeep.protocols.aws.sigv4 import Chain, Signature, SignatureDoesNotMatch

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
FIRST = "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
SECOND = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
LAST = "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
BODY = (
    f"10000;chunk-signature={FIRST}\r\n{'a' * 65536}\r\n"
    f"400;chunk-signature={SECOND}\r\n{'a' * 1024}\r\n"
    f"0;chunk-signature={LAST}\r\n\r\n"
).encode()


def chain() -> Chain:
    at = datetime(2013, 5, 24, tzinfo=UTC)
    signed = Signature("AKIAIOSFODNN7EXAMPLE", "20130524", "us-east-1", "s3", at, (), SEED)
    return Chain(signed, SECRET)


def decoded(body: bytes, by: int, signed: Chain | None = None) -> tuple[bytes, Chunks]:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), by):
            yield body[at : at + by]

    async def read() -> bytes:
        return b"".join([piece async for piece in chunks.read()])

    chunks = Chunks(pieces(), signed)
    return asyncio.run(read()), chunks


@pytest.mark.parametrize("by", [7, 1000, 1 << 20])
def test_the_published_example_is_believed_however_it_comes(by: int) -> None:
    body, _ = decoded(BODY, by, chain())
    assert body == b"a" * 66560


@pytest.mark.parametrize("signature", [FIRST, SECOND, LAST])
def test_a_chunk_that_was_signed_otherwise_is_not(signature: str) -> None:
    with pytest.raises(SignatureDoesNotMatch):
        decoded(BODY.replace(signature.encode(), b"0" * 64), 1000, chain())
    with pytest.raises(SignatureDoesNotMatch):
        decoded(BODY.replace(b"aaaa\r\n", b"aaab\r\n"), 1000, chain())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5\r\nhel",
        b"5\r\nhello world\r\n0\r\n\r\n",
        b"x\r\n",
        b"-1\r\nhello",
        b"0\r\n\r\nmore",
        b"f" * 5000,
        b"0\r\n" + b"".join(b"t%d: 1\r\n" % i for i in range(20)) + b"\r\n",
    ],
)
def test_what_is_not_well_formed_is_refused(body: bytes) -> None:
    with pytest.raises(Coded, match=r"not well-formed|ended before"):
        decoded(body, 3)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.integers(1, 60))
def test_chunks_are_put_together_as_they_were(parts: list[bytes], by: int) -> None:
    told = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    body, chunks = decoded(told + b"0\r\nX-Amz-Thing: 1\r\n\r\n", by)
    assert (body, chunks.trailers) == (b"".join(parts), {"x-amz-thing": "1"})
