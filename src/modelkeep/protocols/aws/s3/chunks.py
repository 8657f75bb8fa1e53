"""Bodies in AWS's own chunks, `Content-Encoding: aws-chunked`: sizes, bytes, signatures, trailers.

    <size in hex>[;chunk-signature=<signature>]\r\n<bytes>\r\n … 0[;…]\r\n[<trailers>\r\n]\r\n

Source: AWS, "Signature calculations for the authorization header: transferring payload in multiple
chunks", with and without trailing headers.
"""

import re
from collections.abc import AsyncIterator

from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.sigv4 import Chain

LINE_LIMIT = 4096  # bytes of a chunk's head or of a trailer
TRAILERS_LIMIT = 16
_HEAD = re.compile(rb"(?P<size>[0-9a-fA-F]{1,15})(;chunk-signature=(?P<signature>[0-9a-f]{64}))?")
_SIGNED = "x-amz-trailer-signature"


class Chunks:
    """Decodes a body. `trailers`, by name in lower case, are there when all of it was read."""

    def __init__(self, raw: AsyncIterator[bytes], chain: Chain | None) -> None:
        self._raw, self._chain = raw, chain
        self._left = b""
        self.trailers: dict[str, str] = {}

    async def read(self) -> AsyncIterator[bytes]:
        """Raises Coded for what is not well formed, SignatureDoesNotMatch."""
        while size := await self._begin():
            async for piece in self._take(size):
                if self._chain:
                    self._chain.feed(piece)
                yield piece
            self._check_chunk()
            if await self._line():
                raise _malformed("a chunk is longer than it says")
        self._check_chunk()
        await self._read_trailers()
        async for rest in self._raw:
            if rest:
                raise _malformed("there is something behind its end")

    async def _begin(self) -> int:
        head = _HEAD.fullmatch(await self._line())
        if head is None:
            raise _malformed("a chunk does not begin with its size")
        self._signature = (head["signature"] or b"").decode()
        return int(head["size"], 16)

    def _check_chunk(self) -> None:
        if self._chain:
            self._chain.check_chunk(self._signature)

    async def _read_trailers(self) -> None:
        signed = b""
        while line := await self._line(at_end=True):
            name, _, value = line.decode("latin-1").partition(":")
            name, value = name.strip().lower(), value.strip()
            if name in self.trailers or len(self.trailers) == TRAILERS_LIMIT:
                raise _malformed("it has too many trailers")
            self.trailers[name] = value
            if name != _SIGNED:
                signed += f"{name}:{value}\n".encode("latin-1")
        if self._chain and signed:
            self._chain.feed(signed)
            self._chain.check_trailer(self.trailers.get(_SIGNED, ""))

    async def _take(self, size: int) -> AsyncIterator[bytes]:
        while size:
            piece = self._left or await self._more()
            self._left = piece[size:]
            yield piece[:size]
            size -= min(size, len(piece))

    async def _line(self, *, at_end: bool = False) -> bytes:
        while (stop := self._left.find(b"\r\n")) < 0:
            if len(self._left) > LINE_LIMIT:
                raise _malformed("a line is too long")
            more = await anext(self._raw, None)
            if more is None and at_end and not self._left:
                return b""
            if more is None:
                raise _incomplete()
            self._left += more
        line, self._left = self._left[:stop], self._left[stop + 2 :]
        return line

    async def _more(self) -> bytes:
        async for piece in self._raw:
            if piece:
                return piece
        raise _incomplete()


def _malformed(why: str) -> Coded:
    return Coded("InvalidRequest", f"The body is not well-formed aws-chunked: {why}.")


def _incomplete() -> Coded:
    return Coded("IncompleteBody", "The body ended before its last chunk.")
