"""AWS's Signature Version 4, from the side that verifies.

What a signature covers is taken from the request as it came over the wire: its raw path and query,
not what they decode to. The host and every `x-amz-` header must be signed, or whoever passes the
request on could add one; and the type of the body, but for presigned addresses, whose users send
what they like. What comes twice is refused where it means something: signed are all of its values,
acted upon is one. Who signs is looked up by the caller: nothing here knows any secret.
Source: AWS General Reference, "Create a signed AWS API request"; botocore 1.44 (`auth.py`) for what
its signer leaves out.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote

from modelkeep.domain.errors import Unauthenticated
from modelkeep.protocols.http import Scope, header

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=15)  # how far a client's clock may be from ours, either way
PRESIGNED_LIMIT_S = 7 * 24 * 3600

S3 = "s3"  # the service that signs otherwise than all others
UNSIGNED = "UNSIGNED-PAYLOAD"
_PRESIGNED = b"X-Amz-Signature="
_FIELD = re.compile(r"\s*(Credential|SignedHeaders|Signature)=([^,\s]+)\s*")
_FIELDS = 3  # of those, one of each
_SECONDS = re.compile("[0-9]{1,9}")
_SCOPE = re.compile(
    r"(?P<key>[A-Za-z0-9_]{3,128})/(?P<day>[0-9]{8})/(?P<region>[A-Za-z0-9-]{1,64})"
    r"/(?P<service>[a-z0-9-]{1,64})/aws4_request"
)
_CLAIM_LIMIT = 2000  # characters of a credential that is looked for
_PLACE = re.compile(r"[0-9]{8}/[A-Za-z0-9-]{1,64}/[a-z0-9-]{1,64}")
_PARTS = 4  # of a credential's scope: the key, the day, the region and the service
_SPACES = re.compile("[ \t]+")  # no others: what is signed as one of them is acted upon as it came
_SIGNATURE = re.compile("[0-9a-f]{64}")
_ONCE = ("authorization", "content-type", "host")
_AT = re.compile("[0-9]{8}T[0-9]{6}Z")
_MOMENT = "%Y%m%dT%H%M%SZ"
_HEADERS = re.compile("[a-z0-9-]+(;[a-z0-9-]+)*")


class IncompleteSignature(Unauthenticated):
    """The signature, or what it must cover, is not there or cannot be read."""


class SignatureDoesNotMatch(Unauthenticated):
    """Somebody else signed this, or signed something else, or at another time."""


class Expired(SignatureDoesNotMatch):
    """A presigned address, after its time."""


class Skewed(SignatureDoesNotMatch):
    """Signed further from now than clocks may be apart."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request says of how it was signed."""

    key_id: str
    day: str  # YYYYMMDD, in UTC
    region: str
    service: str
    at: datetime
    headers: tuple[str, ...]
    signature: str
    payload: str | None = None  # what the client says of the body's hash, in a header or query
    is_presigned: bool = False
    lasts: timedelta = SKEW

    @property
    def credential_scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def read(scope: Scope) -> Signature | None:
    """How a request was signed; None if it was not. Raises IncompleteSignature."""
    headers = _headers(scope)
    given = headers.get("authorization", "")
    is_in_header = given.startswith(ALGORITHM)
    if is_in_header or _PRESIGNED in scope["query_string"]:
        _check_once(name.decode("latin-1") for name, _ in scope["headers"])
    if is_in_header:
        return _of_header(given.removeprefix(ALGORITHM), headers)
    if _PRESIGNED in scope["query_string"]:
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        _check_once(name for name, _ in pairs)
        return _of_query(dict(pairs), headers)
    return None


def _check_once(names: Iterable[str]) -> None:
    """Raises IncompleteSignature for a name that counts, and comes twice."""
    seen: set[str] = set()
    for name in map(str.lower, names):
        if name in seen and (name in _ONCE or name.startswith("x-amz-")):
            raise IncompleteSignature(f"{name[:80]} must not be sent twice.")
        seen.add(name)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its signature, which nobody looks at where there are no accounts."""

    key_id: str
    region: str
    service: str


def claimed(scope: Scope) -> Claim | None:
    """None of a request that says nothing, or nothing that can be read. The key may be any text:
    SDKs sign with whatever they are told."""
    given = header(scope, b"authorization") or unquote(scope["query_string"].decode("latin-1"))
    _, _, credential = given.partition("Credential=")
    told, end, _ = credential[:_CLAIM_LIMIT].partition("/aws4_request")
    parts = told.rsplit("/", 3)
    if not end or len(parts) != _PARTS or not _PLACE.fullmatch("/".join(parts[1:])):
        return None
    return Claim(_as_utf8(parts[0]), parts[2], parts[3])


def _as_utf8(text: str) -> str:
    """What a header says, which was read as Latin-1."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def signed_for(scope: Scope) -> str:
    """The service that a request says it was signed for; empty if it says none."""
    given = header(scope, b"authorization")
    if given.startswith(ALGORITHM) or (not given and _PRESIGNED in scope["query_string"]):
        claim = claimed(scope)
        return claim.service if claim else ""
    return S3 if is_of_version_2(scope) else ""


def is_of_version_2(scope: Scope) -> bool:
    """Whether a request is signed as only S3's clients still do, which nothing here verifies."""
    given, query = header(scope, b"authorization"), scope["query_string"]
    by_query = not given and b"AWSAccessKeyId=" in query and b"Signature=" in query
    return by_query or given.startswith("AWS ")


class Chain:
    """The signatures of a body's chunks, each of which covers the one before; the request's own is
    the first. `feed` takes what is to be covered next."""

    def __init__(self, signature: Signature, secret: str) -> None:
        self._key = _signing_key(secret, signature.day, signature.region, signature.service)
        self._head = f"{signature.at:%Y%m%dT%H%M%SZ}\n{signature.credential_scope}"
        self._last, self._hash = signature.signature, hashlib.sha256()

    def feed(self, piece: bytes) -> None:
        self._hash.update(piece)

    def check_chunk(self, given: str) -> None:
        """Raises SignatureDoesNotMatch."""
        self._check("PAYLOAD", f"{hashlib.sha256().hexdigest()}\n", given)

    def check_trailer(self, given: str) -> None:
        """Raises SignatureDoesNotMatch."""
        self._check("TRAILER", "", given)

    def _check(self, what: str, between: str, given: str) -> None:
        told = f"{ALGORITHM}-{what}\n{self._head}\n{self._last}\n{between}{self._hash.hexdigest()}"
        self._last = hmac.digest(self._key, told.encode(), "sha256").hex()
        self._hash = hashlib.sha256()
        if not hmac.compare_digest(self._last.encode(), given.encode()):
            raise SignatureDoesNotMatch("The signature of a chunk of the body does not match.")


def _of_header(given: str, headers: Mapping[str, str]) -> Signature:
    found = [_FIELD.fullmatch(part) for part in given.split(",")]
    fields = {field[1]: field[2] for field in found if field}
    if len(fields) != _FIELDS or len(found) != _FIELDS:
        raise IncompleteSignature(
            "The Authorization header must have Credential, SignedHeaders and Signature, once each."
        )
    return _signature(
        fields["Credential"],
        headers.get("x-amz-date", ""),
        fields["SignedHeaders"],
        fields["Signature"],
        headers,
        payload=headers.get("x-amz-content-sha256"),
    )


def _of_query(fields: Mapping[str, str], headers: Mapping[str, str]) -> Signature:
    """S3 leaves the body out."""
    lasts = fields.get("X-Amz-Expires", "")
    if not _SECONDS.fullmatch(lasts) or not 0 < int(lasts) <= PRESIGNED_LIMIT_S:
        raise IncompleteSignature(f"X-Amz-Expires must be 1 to {PRESIGNED_LIMIT_S} seconds.")
    return _signature(
        fields.get("X-Amz-Credential", ""),
        fields.get("X-Amz-Date", ""),
        fields.get("X-Amz-SignedHeaders", ""),
        fields.get("X-Amz-Signature", ""),
        headers,
        payload=UNSIGNED if "/s3/" in fields.get("X-Amz-Credential", "") else None,
        lasts_s=int(lasts),
    )


def _signature(
    credential: str,
    at: str,
    signed: str,
    signature: str,
    headers: Mapping[str, str],
    payload: str | None,
    lasts_s: int | None = None,
) -> Signature:
    scope = _SCOPE.fullmatch(credential)
    if scope is None:
        raise IncompleteSignature("Credential must be KEY/YYYYMMDD/REGION/SERVICE/aws4_request.")
    if not _AT.fullmatch(at) or not at.startswith(scope["day"]):
        raise IncompleteSignature("X-Amz-Date must be YYYYMMDDTHHMMSSZ, on the credential's day.")
    if not _HEADERS.fullmatch(signed) or not _SIGNATURE.fullmatch(signature):
        raise IncompleteSignature("SignedHeaders or Signature is not well formed.")
    names = tuple(signed.split(";"))
    asked = {"host", *(n for n in headers if n.startswith("x-amz-"))}
    asked |= {"content-type"} & headers.keys() if lasts_s is None else set()
    missing = asked - set(names)
    if missing or not set(names) <= set(headers):
        raise IncompleteSignature(
            "host, content-type and x-amz- headers must be signed, and what is signed be sent: "
            + ", ".join(sorted(missing or set(names) - set(headers)))
        )
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise IncompleteSignature("X-Amz-Date is no moment.") from None
    return Signature(
        key_id=scope["key"],
        day=scope["day"],
        region=scope["region"],
        service=scope["service"],
        at=moment,
        headers=names,
        signature=signature,
        payload=payload,
        is_presigned=lasts_s is not None,
        lasts=SKEW if lasts_s is None else timedelta(seconds=lasts_s),
    )


def verify(
    signature: Signature, secret: str, scope: Scope, body_sha256: str, now: datetime
) -> None:
    """Raises SignatureDoesNotMatch unless the secret's holder signed this request, lately.

    `body_sha256`: hexadecimal, of the body as it came; or what the client said of it, where that
    is not a hash and the protocol allows it.
    """
    _check_time(signature, now)
    if not hmac.compare_digest(
        expected(signature, secret, scope, body_sha256), signature.signature
    ):
        raise SignatureDoesNotMatch(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method."
        )


def _check_time(signature: Signature, now: datetime) -> None:
    """Raises Skewed or Expired, in AWS's words."""
    at, told = f"{signature.at:{_MOMENT}}", f"{now:{_MOMENT}}"
    if now + SKEW < signature.at:
        raise Skewed(
            f"Signature not yet current: {at} is still later than {now + SKEW:{_MOMENT}} "
            f"({told} + {SKEW.seconds // 60} min.)"
        )
    if signature.at + signature.lasts < now:
        lasts_s = int(signature.lasts.total_seconds())
        lasts = f"{lasts_s} sec." if lasts_s % 60 else f"{lasts_s // 60} min."
        raise (Expired if signature.is_presigned else Skewed)(
            f"Signature expired: {at} is now earlier than {now - signature.lasts:{_MOMENT}} "
            f"({told} - {lasts})"
        )


def expected(signature: Signature, secret: str, scope: Scope, body_sha256: str) -> str:
    """The signature that the secret's holder would have made, in hexadecimal."""
    request = _canonical_request(signature, scope, body_sha256)
    signed = "\n".join(
        (
            ALGORITHM,
            f"{signature.at:%Y%m%dT%H%M%SZ}",
            signature.credential_scope,
            hashlib.sha256(request.encode("latin-1")).hexdigest(),
        )
    )
    key = _signing_key(secret, signature.day, signature.region, signature.service)
    return hmac.digest(key, signed.encode(), "sha256").hex()


@lru_cache(maxsize=1024)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """It holds for a day, and takes four times what a signature does."""
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _canonical_request(signature: Signature, scope: Scope, body_sha256: str) -> str:
    headers = _headers(scope)
    told = "".join(f"{name}:{headers[name]}\n" for name in signature.headers)
    return "\n".join(
        (
            scope["method"],
            _path(scope, is_s3=signature.service == "s3"),
            _query(scope["query_string"].decode("latin-1"), is_presigned=signature.is_presigned),
            told,
            ";".join(signature.headers),
            body_sha256,
        )
    )


def _path(scope: Scope, *, is_s3: bool) -> str:
    """S3 takes the path as it came; everyone else resolves its dots and encodes it once more."""
    raw: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    if is_s3:
        return raw or "/"
    parts: list[str] = []
    for part in raw.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    whole = "/" + "/".join(parts)
    whole += "/" if parts and raw.endswith("/") else ""
    return quote(whole.encode("latin-1"), safe="/~")


def _query(query: str, *, is_presigned: bool) -> str:
    """Without the signature itself, where that is where it stands."""
    left_out = "X-Amz-Signature" if is_presigned else ""
    parts = (part.partition("=") for part in query.split("&") if part)
    pairs = sorted((name, value) for name, _, value in parts if name != left_out or not name)
    return "&".join(f"{name}={value}" for name, value in pairs)


def _headers(scope: Scope) -> dict[str, str]:
    """By name; of one that comes several times the values, joined as they are signed."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), _SPACES.sub(" ", value.decode("latin-1")).strip(" ")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found
