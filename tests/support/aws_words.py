"""Calls of AWS's operations made up by chance, of what botocore's models say that they take.

Most of what is made is nearly right, since what is all wrong is refused at the first look: one or
two members of a call are spoilt, the rest may be. The same seed makes the same calls.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from modelkeep.protocols.aws import constraints
from modelkeep.protocols.aws.models import Shape

DEPTH = 6  # of objects within one another that are made on purpose
_CONTROLS = "".join(map(chr, (0, 1, 8, 9, 10, 0x1F, 0x7F, 0x85, 0x2028, 0xFFFE, 0xFFFF)))
_TEXTS = (
    *("", " ", "a", "A-b", "-", "a-", "0", "-1", "9" * 40, "1e400", "NaN", "true", "null", "None"),
    *("..", "../../etc/passwd", "a/b", "/a", "a//b", "%2e%2e%2f", "a%00b", "a\\b", "*", "?", "a:b"),
    *("'", '"', "' OR 1=1 --", "<a>", "&amp;", "]]>", "<!DOCTYPE a [<!ENTITY b 'c'>]>", "{}", "[]"),
    *("é", "e\u0301", "\u202etxt", "\u200b", "\U0001f600", "\U0010ffff", "ｆｕｌｌ", _CONTROLS),
    *("2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *('{"a": [1]}', '{"\\ud800": 1}', '{"intended_uses": 1}', '{"model_overview": []}', "[" * 2000),
    *("x" * 64, "x" * 1025, "x" * 300_000),
    *("arn:aws:sagemaker:us-east-1:000000000000:model-package/known/1", "arn:aws:x:::", "arn:"),
    *("s3://bucket/key", "s3://", "models:/known/1", "runs:/none/model", "file:///etc/passwd"),
)
# Between them they fit most patterns.
_FIT = (
    *("a", "A-b", "x1", "2", "text/csv", "ml.m5.large", "TENSORFLOW", "a" * 20, "0" * 36, "{}"),
    *("arn:aws:iam::000000000000:role/r", "arn:aws:sagemaker:us-east-1:000000000000:model/model"),
    *("arn:aws:kms:us-east-1:000000000000:key/k", "s3://bucket/key", "https://s3/bucket/key"),
    *("sha256:" + "0" * 64, "i/j:1", "sg-0", "subnet-0", "GROUP-1", "/a", "None", "us-east-1"),
)
# Members of which an operation takes one alone.
_APART = (
    *(("ModelPackageName", "ModelPackageGroupName"), ("SourceUri", "InferenceSpecification")),
    *(("PrimaryContainer", "Containers"), ("EventPattern", "ScheduleExpression")),
)
_NUMBERS = (0, 1, -1, 2, 100, 101, 2**31, 2**63 - 1, 2**63, 2**70, -(2**63) - 1, 0.5, 1e308, 1e15)
_ODD: tuple[Any, ...] = (
    *(None, True, False, 1, 0.5, "1"),
    *({}, [], [[]], [None], [{}], {"": ""}, {"a": {}}),
)


class Words:
    """Makes values of shapes. `known` are texts that name what is there, by part of a member's
    name: some of what is made should find something."""

    def __init__(self, random: Random, known: Mapping[str, Sequence[str]]) -> None:
        self.random, self._known = random, known
        self._fitting: dict[str, list[str]] = {}

    def params(self, shape: Shape | None) -> Any:
        """What a call brings: as it should be, but for what is spoilt."""
        if shape is None:
            return self.random.choice(({}, {"Any": 1}))
        if self.random.random() < 0.02:
            return self.random.choice(_ODD)
        self._spoils = self.random.choice((0.0, 0.0, 0.02, 0.1))
        self._told = self.random.choice((0.1, 0.3, 0.6))
        made = self._of(shape, "", 0)
        for pair in _APART:
            if isinstance(made, dict) and made.keys() >= set(pair) and self.chance(0.9):
                del made[self.random.choice(pair)]
        return made

    def text(self) -> str:
        if self.random.random() < 0.8:
            return self.random.choice(_TEXTS)
        length = self.random.choice((1, 3, 20))
        letters = (chr(self.random.choice((0x7F, 0x2FFF, 0xD7FF))) for _ in range(length))
        return "".join(letters)

    def chance(self, of: float) -> bool:
        return self.random.random() < of

    def _of(self, shape: Shape, name: str, depth: int) -> Any:
        if self.chance(self._spoils):
            return self.random.choice((*_ODD, self.text(), self.random.choice(_NUMBERS)))
        match shape.kind:
            case "structure":
                return self._structure(shape, depth)
            case "list":
                count = self._count(shape, depth)
                return [self._of(shape.element, name, depth + 1) for _ in range(count)]
            case "map":
                keys = (
                    self._of(shape.key, name, depth + 1) for _ in range(self._count(shape, depth))
                )
                return {str(key): self._of(shape.value, name, depth + 1) for key in keys}
            case "boolean":
                return self.chance(0.5)
            case "integer" | "long" | "float" | "double":
                return self._number(shape)
            case "timestamp":
                return self.random.choice(
                    (0, 1_700_000_000.5, 2e9, -1, 1e11, "2026-01-01T00:00:00Z")
                )
            case "blob":
                return base64.b64encode(self.random.randbytes(9)).decode()
            case _:
                return self._text(shape, name)

    def _structure(self, shape: Shape, depth: int) -> dict[str, Any]:
        told = self._told if depth < DEPTH else 0.0
        return {
            member.place_name or name: self._of(member, name, depth + 1)
            for name, member in shape.members.items()
            if self.chance(1 - self._spoils if name in shape.required else told)
        }

    def _count(self, shape: Shape, depth: int) -> int:
        least = shape.rules.get("min", 0)
        return max(least, self.random.choice((0, 1, 1, 2) if depth < DEPTH else (0,)))

    def _number(self, shape: Shape) -> float:
        if self.chance(0.7):
            least = shape.rules.get("min", 1)
            return self.random.choice((least, least + 1, shape.rules.get("max", least + 9)))
        return self.random.choice(_NUMBERS)

    def _text(self, shape: Shape, name: str) -> str:
        for part, texts in self._known.items():
            if part in name and self.chance(0.8):
                return self.random.choice(texts)
        if shape.choices and self.chance(0.9):
            return self.random.choice(shape.choices)
        if shape.name not in self._fitting:
            fits = [text for text in _FIT if not any(constraints.broken(shape, text))]
            self._fitting[shape.name] = fits
        fitting = self._fitting[shape.name]
        return self.random.choice(fitting) if fitting and self.chance(0.9) else self.text()


def as_form(given: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a form that say what a JSON value says."""
    before = f"{name}." if name else ""
    if isinstance(given, dict):
        for key, value in given.items():
            yield from as_form(value, before + str(key))
    elif isinstance(given, list):
        for place, value in enumerate(given, start=1):
            yield from as_form(value, f"{before}member.{place}")
    elif given is not None:
        yield name or "x", json.dumps(given) if not isinstance(given, str) else given


def form(fields: Any) -> bytes:
    return urlencode(list(fields), errors="surrogatepass").encode()


# -- S3 --------------------------------------------------------------------------------------------

_BUCKETS = (
    "bucket",
    "bucket",
    "bucket",
    "modelkeep",
    "other",
    "api",
    "..",
    "B",
    "a" * 64,
    "%ff",
    "",
)
_KEYS = (
    *("key", "key", "folder/key", "folder", "", "a%20b", "a+b", "%C3%A9", "e%CC%81", "%00", "%ff"),
    *("..", "../x", "a/../b", "%2e%2e/x", "a%2F..%2Fb", "a//b", "/a", "a/", "a%5Cb", "k" * 300),
    *("versions/1/MLmodel", "versions/1", "versions/%31/x", "k/" * 600, "%F4%8F%BF%BF", "%25"),
)
_FIELDS = (
    *(
        "list-type",
        "prefix",
        "delimiter",
        "max-keys",
        "continuation-token",
        "start-after",
        "marker",
    ),
    *(
        "encoding-type",
        "uploads",
        "uploadId",
        "partNumber",
        "delete",
        "location",
        "acl",
        "versionId",
    ),
    *(
        "part-number-marker",
        "max-parts",
        "fetch-owner",
        "x-id",
        "X-Amz-Expires",
        "response-expires",
    ),
)
_VALUES = (
    *(
        "",
        "",
        "1",
        "2",
        "0",
        "-1",
        "1000",
        "10001",
        "9" * 30,
        "url",
        "/",
        "a",
        "%00",
        "%ff",
        "%ED%A0%80",
    ),
    *("k", "folder/", "bm9uZQ==", "=", "%C3%A9", "%F4%8F%BF%BF", "x" * 3000),
)
_HEADERS = {
    "range": ("bytes=0-0", "bytes=5-1", "bytes=-1", "bytes=0-", "bytes=9-", "bytes=a-b",
              "bytes=" + "9" * 30 + "-"),
    "if-match": ("*", '"x"', "", '"x", "y"', "W/"),
    "if-none-match": ("*", '"x"', ","),
    "if-range": ('"x"', "Wed, 21 Oct 2015 07:28:00 GMT"),
    "content-md5": ("", "x", "AAAA", "1B2M2Y8AsgTpgAmY7PhCfg=="),
    "x-amz-copy-source": ("/bucket/key", "bucket/key", "/bucket/%ff", "", "?", "/",
                          "/modelkeep/versions/1/MLmodel"),
    "x-amz-content-sha256": ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                             "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-x", "0" * 64, "x"),
    "x-amz-checksum-crc32": ("AAAAAA==", "x", ""),
    "x-amz-checksum-crc64nvme": ("AAAAAAAAAAA=",),
    "x-amz-trailer": ("x-amz-checksum-crc32", "x", ",", "x-amz-checksum-x"),
    "x-amz-decoded-content-length": ("0", "5", "-1", "x"),
    "x-amz-acl": ("public-read", "private", "x"),
    "x-amz-tagging": ("a=b",),
    "content-encoding": ("aws-chunked", "gzip"),
}  # fmt: skip
_BODIES = (
    *(
        b"",
        b"hello",
        b"x" * 70_000,
        b"<",
        b"<a/>",
        b"\x00",
        b"\xff\xfe<\x00",
        b"<Delete>" + b"<a>" * 9000,
    ),
    b"<Delete><Object><Key>key</Key></Object><Object><Key>../x</Key></Object></Delete>",
    b"<Delete><Object><Key>key</Key></Object></Delete>",
    b"<Delete><Quiet>true</Quiet><Object><Key></Key></Object></Delete>",
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
    b"</CompleteMultipartUpload>",
    b'<!DOCTYPE d [<!ENTITY a "b">]><Delete>&a;</Delete>',
    *(
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhel",
        b"fffffffffffffff\r\nx",
        b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
    ),
    *(
        b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n0\r\n\r\n",
        b"-1\r\n\r\n",
        b"0\r\n" + b"a:b\r\n" * 50,
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of S3's, whose path and query are as they stand on the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def objects(random: Random, uploads: Sequence[str] = ()) -> Asked:
    """A request that S3's clients might make, or might not. `uploads` are the ids of some."""
    key = random.choice(_KEYS)
    path = f"/{random.choice(_BUCKETS)}" + (f"/{key}" if random.random() < 0.8 else "")
    count = random.choice((0, 0, 1, 1, 2, 3))
    fields = [
        random.choice(_FIELDS) + random.choice(("", "=")) + random.choice(_VALUES)
        for _ in range(count)
    ]
    if uploads and random.random() < 0.2:
        path = "/bucket/key"
        fields = [f"uploadId={quote(random.choice(uploads))}", *fields[:1]]
        fields += random.choice(([], ["partNumber=1"], ["partNumber=10001"]))
    names = random.sample(list(_HEADERS), random.choice((0, 0, 1, 1, 2, 4)))
    return Asked(
        random.choice(("GET", "GET", "PUT", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS")),
        path + "?" + "&".join(fields),
        {name: random.choice(_HEADERS[name]) for name in names},
        random.choice(_BODIES),
    )


# -- signatures ------------------------------------------------------------------------------------

_PARTS = {
    "Credential": (
        *(
            "AKIAANN/20260101/us-east-1/s3/aws4_request",
            "AKIAANN/20260101/us-east-1/sts/aws4_request",
        ),
        *(
            "",
            "/",
            "a/b",
            "AKIA/99999999/x/s3/aws4_request",
            "A" * 5000,
            "AKIA/20260101/é/s3/aws4_request",
        ),
    ),
    "SignedHeaders": ("host", "host;x-amz-date", "", ";", "host;host", "HOST", "x" * 5000),
    "Signature": ("0" * 64, "", "x", "0" * 63, "G" * 64),
    "Date": ("20260101T000000Z", "99991231T235959Z", "00010101T000000Z", "20260230T000000Z", ""),
    "Expires": ("1", "604800", "604801", "0", "-1", "9" * 30, "0" * 20 + "9" * 13, "x", ""),
}


def signed(random: Random) -> tuple[str, dict[str, str]]:
    """Fields of a query, and headers, that look like a signature to this reader or that."""
    said = {name: random.choice(some) for name, some in _PARTS.items() if random.random() < 0.9}
    if random.random() < 0.5:
        pairs = [("X-Amz-" + name, value) for name, value in said.items()]
        random.shuffle(pairs)
        return urlencode(pairs + random.choice(([], pairs[:1]))), {}
    between = random.choice((",", ", ", " ", ",,"))
    parts = [f"{name}={value}" for name, value in said.items()]
    kind = random.choice(("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256", "AWS ", "Basic ", "Bearer ", ""))
    given = {
        "authorization": kind + between.join(parts + random.choice(([], parts[:1]))),
        "x-amz-date": random.choice(_PARTS["Date"]),
        "x-amz-content-sha256": random.choice(("UNSIGNED-PAYLOAD", "0" * 64, "", "x")),
    }
    return "", {name: value.encode().decode("latin-1") for name, value in given.items()}
