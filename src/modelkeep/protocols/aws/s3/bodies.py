"""Bodies of uploads: decoded, and compared to every hash that the client told of them.

What does not match is refused when its last byte has come, before anything names it.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from modelkeep.domain.errors import InvalidInput
from modelkeep.protocols import uploads
from modelkeep.protocols.aws.errors import Coded
from modelkeep.protocols.aws.s3.chunks import Chunks
from modelkeep.protocols.aws.sigv4 import UNSIGNED, Chain
from modelkeep.protocols.http import Receive, Scope, header

LIMIT_BYTES = 5 << 30  # S3's own, of one object or part that is put at once

_SHA256 = re.compile("[0-9a-f]{64}")
_CHECKSUM = "x-amz-checksum-"
# Headers of that family that tell of no hash.
_ASIDES = frozenset((f"{_CHECKSUM}algorithm", f"{_CHECKSUM}mode", f"{_CHECKSUM}type"))
_UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


class Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...
    def digest(self) -> bytes: ...


class Crc:
    """A cyclic redundancy check of so many bytes; `step` takes more bytes into a value."""

    def __init__(self, step: Callable[[bytes, int], int], size: int) -> None:
        self._step, self._size, self._value = step, size, step(b"", 0)

    def update(self, data: bytes, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def _crc_of(model: str, size: int) -> Crc:
    import anycrc

    return Crc(anycrc.Model(model).calc, size)


def _md5() -> Hash:
    return hashlib.md5(usedforsecurity=False)


_HASHES: Mapping[str, Callable[[], Hash]] = {
    f"{_CHECKSUM}crc32": lambda: Crc(zlib.crc32, 4),
    f"{_CHECKSUM}crc32c": lambda: _crc_of("CRC32-ISCSI", 4),
    f"{_CHECKSUM}crc64nvme": lambda: _crc_of("CRC64-NVME", 8),
    f"{_CHECKSUM}sha1": lambda: hashlib.sha1(usedforsecurity=False),
    f"{_CHECKSUM}sha256": hashlib.sha256,
    "content-md5": _md5,
}


class Body:
    """The body of one request. `chain` verifies its chunks' signatures, where there are accounts.

    `md5`, of a whole object, and `checksums` (as they were told, by header) are known when all of
    it was read.
    """

    def __init__(self, scope: Scope, receive: Receive, chain: Chain | None) -> None:
        self._scope = scope
        self._payload = header(scope, b"x-amz-content-sha256") or UNSIGNED
        self._raw = uploads.pieces(scope, receive)
        self._chunks: Chunks | None = None
        if self._payload.startswith("STREAMING-"):
            self._chunks = Chunks(self._raw, self._chain(chain))
        elif self._payload != UNSIGNED and not _SHA256.fullmatch(self._payload):
            raise Coded(
                "InvalidArgument",
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-… or a SHA-256.",
            )
        self._sha256, self._md5 = hashlib.sha256(), _md5()
        self._is_whole = not _is_of_upload(scope)
        self._told = self._headers()
        self._hashes = {name: _hash_of(name) for name in (*self._told, *self._trailing())}

    @property
    def md5(self) -> str:
        return self._md5.digest().hex()

    @property
    def checksums(self) -> dict[str, str]:
        return {name: value for name, value in self._told.items() if name.startswith(_CHECKSUM)}

    async def read(self) -> AsyncIterator[bytes]:
        """Raises Coded where a hash or the length is not the one told, or it is too long;
        SignatureDoesNotMatch."""
        is_hashed, size = _SHA256.fullmatch(self._payload) is not None, 0
        async for piece in self._chunks.read() if self._chunks else self._raw:
            size += len(piece)
            if size > LIMIT_BYTES:
                raise too_large()
            if self._is_whole:
                self._md5.update(piece)
            if is_hashed:
                self._sha256.update(piece)
            for hashing in self._hashes.values():
                hashing.update(piece)
            yield piece
        if is_hashed and self._sha256.hexdigest() != self._payload:
            raise Coded(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        self._check(size)

    def _chain(self, chain: Chain | None) -> Chain | None:
        if self._payload == _UNSIGNED_CHUNKS:
            return None
        if self._payload not in (_SIGNED_CHUNKS, f"{_SIGNED_CHUNKS}-TRAILER"):
            raise Coded("NotImplemented", f"{self._payload[:80]} is not understood here.", 501)
        return chain

    def _headers(self) -> dict[str, str]:
        if _is_of_upload(self._scope) and self._scope["method"] == "POST":
            return {}  # which tell of the object that is put together, and not of the body
        pairs = ((name.decode("latin-1"), value) for name, value in self._scope["headers"])
        return {name: value.decode("latin-1") for name, value in pairs if _tells(name)}

    def _trailing(self) -> list[str]:
        names = header(self._scope, b"x-amz-trailer").lower().split(",")
        return [name.strip() for name in names if _tells(name.strip())]

    def _check(self, size: int) -> None:
        decoded = header(self._scope, b"x-amz-decoded-content-length")
        if self._chunks and decoded != str(size):
            raise Coded("IncompleteBody", f"The body has {size} bytes, {decoded or 'none'} told.")
        if self._chunks:
            self._told |= {n: v for n, v in self._chunks.trailers.items() if n in self._hashes}
        for name, hashing in self._hashes.items():
            check(name, self._told.get(name, ""), hashing)


def too_large() -> Coded:
    return Coded("EntityTooLarge", f"One call puts at most {LIMIT_BYTES} bytes.")


class Expected:
    """The hashes that a client told of an object that is put together of parts."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self._told = told
        self._hashes = {name: _hash_of(name) for name in told}

    @classmethod
    def of(cls, scope: Scope) -> "Expected":
        """Raises Coded for a hash of hashes, and for one that is not verified here."""
        pairs = (
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        )
        told = {name: value for name, value in pairs if name.startswith(_CHECKSUM) and _tells(name)}
        if any("-" in value for value in told.values()):
            raise _composite()
        check_type(scope)
        return cls(told)

    def update(self, data: bytes) -> None:
        for hashing in self._hashes.values():
            hashing.update(data)

    def checked(self) -> Mapping[str, str]:
        """What was told. Raises Coded where it does not hold."""
        for name, hashing in self._hashes.items():
            check(name, self._told[name], hashing)
        return self._told


async def whole(body: Body, limit_bytes: int) -> bytes:
    """A small body. Raises Coded for one over the limit."""
    parts, size = list[bytes](), 0
    async for piece in body.read():
        size += len(piece)
        if size > limit_bytes:
            raise Coded("MalformedXML", f"The body is longer than {limit_bytes} bytes.")
        parts.append(piece)
    return b"".join(parts)


def check(name: str, told: str, hashing: Hash) -> None:
    """Raises Coded."""
    if told != base64.b64encode(hashing.digest()).decode():
        raise Coded("BadDigest", f"The {name} you specified did not match the calculated checksum.")


def check_type(scope: Scope) -> None:
    """Raises Coded where an object's checksum is to be one of its parts' checksums."""
    if header(scope, b"x-amz-checksum-type").upper() == "COMPOSITE":
        raise _composite()


def _composite() -> Coded:
    return Coded(
        "NotImplemented",
        "A checksum of the parts' checksums is not verified here: send that of the whole object "
        "(x-amz-checksum-type: FULL_OBJECT), or none.",
        501,
    )


def check_known(algorithm: str) -> None:
    """Raises InvalidInput for one that is not verified here."""
    _hash_of(f"{_CHECKSUM}{algorithm.lower()}")


def _is_of_upload(scope: Scope) -> bool:
    return b"uploadId=" in scope.get("query_string", b"")


def _tells(name: str) -> bool:
    return name == "content-md5" or (name.startswith(_CHECKSUM) and name not in _ASIDES)


def _hash_of(name: str) -> Hash:
    """Raises InvalidInput: what cannot be verified is not accepted as if it were."""
    make = _HASHES.get(name)
    if make is None:
        known = ", ".join(sorted(_HASHES))
        raise InvalidInput(f"{name} is not verified here; send one of {known}, or none.")
    return make()
