"""Signatures of version 4: whatever botocore signs is believed, and nothing that was changed."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import assume, given
from hypothesis import strategies as st

from modelkeep.protocols.aws import sigv4
from modelkeep.protocols.aws.sigv4 import IncompleteSignature, SignatureDoesNotMatch

# Of AWS's published test vectors.
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
THEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
HOST = "example.amazonaws.com"
FORM = "application/x-www-form-urlencoded"
VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
POST = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
ORDERED = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
VECTORS = [  # method, path and query, further headers, body, signed headers, signature
    ("GET", "/", [], "", "host;x-amz-date", VANILLA),
    ("GET", "/example/..", [], "", "host;x-amz-date", VANILLA),
    ("GET", "//", [], "", "host;x-amz-date", VANILLA),
    ("GET", "/./", [], "", "host;x-amz-date", VANILLA),
    ("GET", "/?Param2=value2&Param1=value1", [], "", "host;x-amz-date", ORDERED),
    ("GET", "/\u1234".encode().decode("latin-1"), [], "", "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    ("GET", "/example space/", [], "", "host;x-amz-date",
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    ("GET", "/", [("My-Header1", " value1"), ("My-Header2", ' "a   b   c"')], "",
     "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ("GET", "/", [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
     "", "host;my-header1;x-amz-date",
     "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    ("POST", "/", [], "", "host;x-amz-date", POST),
    ("POST", "/", [("Content-Type", FORM)], "Param1=value1", "content-type;host;x-amz-date",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
]  # fmt: skip


def scope_of(method: str, target: str, headers: list[tuple[str, str]]) -> dict[str, Any]:
    """A request as an HTTP server hands it on."""
    path, _, query = target.partition("?")
    return {
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(n.lower().encode(), v.encode("latin-1").strip()) for n, v in headers],
    }


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(("method", "target", "more", "body", "signed", "signature"), VECTORS)
def test_the_published_signatures_are_believed(
    method: str, target: str, more: list[tuple[str, str]], body: str, signed: str, signature: str
) -> None:
    given_by = (
        f"AWS4-HMAC-SHA256 Credential={KEY}/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={signed}, Signature={signature}"
    )
    known = [("Host", HOST), ("X-Amz-Date", "20150830T123600Z"), ("Authorization", given_by)]
    scope = scope_of(method, target, known + more)
    found = sigv4.read(scope)
    assert found is not None
    sigv4.verify(found, SECRET, scope, sha256(body.encode()), THEN)
    with pytest.raises(SignatureDoesNotMatch):
        sigv4.verify(found, SECRET, scope, sha256(b"another"), THEN)


# -- botocore's own signers ------------------------------------------------------------------------

# As clients send them: encoded, but where they need not.
paths = st.lists(
    st.sampled_from(["a", "b%20c", "..", ".", "", "%2F", "%25", "~x", "%C3%A9", "a+b",
                     "x=y", "a:b", "@", "(*)", "%e1%88%b4"]),
    max_size=5,
).map(lambda parts: "/" + "/".join(parts))  # fmt: skip
queries = st.lists(
    st.tuples(st.sampled_from(["a", "A", "list-type", "prefix", "b%20c", "uploads", "%C3%A9"]),
              st.sampled_from(["", "1", "2", "a%2Fb", "x~", "%20", "%2B", "=", "a=b"])),
    max_size=4,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: "&".join(f"{n}={v}" for n, v in pairs))  # fmt: skip
headers = st.dictionaries(
    st.sampled_from(["X-Amz-Target", "Content-Type", "X-Amz-Meta-Note", "Range", "X-Other"]),
    st.sampled_from(["a", "a  b", " a ", "application/x-amz-json-1.1", "a,b", '"a   b"', ""]),
    max_size=4,
)
bodies = st.binary(max_size=40)
services = st.sampled_from(["sagemaker", "sts", "events", "s3"])


def signed_by_botocore(
    method: str,
    url: str,
    more: dict[str, str],
    body: bytes,
    service: str,
    *,
    presigns: bool = False,
) -> tuple[dict[str, Any], datetime]:
    """The request as botocore signs and sends it, and when."""
    now = datetime(2026, 11, 22, 10, 0, 7, tzinfo=UTC)
    request = AWSRequest(method=method, url=url, data=b"" if presigns else body, headers=more)
    kinds = {(False, False): auth.SigV4Auth, (False, True): auth.S3SigV4Auth,
             (True, False): auth.SigV4QueryAuth, (True, True): auth.S3SigV4QueryAuth}  # fmt: skip
    signer = kinds[presigns, service == "s3"](Credentials(KEY, SECRET), service, "eu-west-3")
    with patch.object(auth, "get_current_datetime", lambda: now.replace(tzinfo=None)):
        signer.add_auth(request)
    parts = urlsplit(str(request.url))
    sent = [(name, str(value)) for name, value in request.headers.items()]
    if not any(name.lower() == "host" for name, _ in sent):
        sent.append(("Host", parts.netloc))
    return scope_of(method, f"{parts.path}?{parts.query}", sent), now


def believed(scope: dict[str, Any], body: bytes, now: datetime, secret: str = SECRET) -> bool:
    try:
        found = sigv4.read(scope)
        if found is None or found.key_id != KEY:
            return False
        hashed = found.payload if found.service == "s3" and found.payload else sha256(body)
        if hashed not in (sigv4.UNSIGNED, sha256(body)):
            return False
        sigv4.verify(found, secret, scope, hashed, now)
    except (SignatureDoesNotMatch, IncompleteSignature):
        return False
    return True


@given(st.sampled_from(["GET", "PUT", "POST"]), paths, queries, headers, bodies, services)
def test_what_botocore_signs_is_believed(
    method: str, path: str, query: str, more: dict[str, str], body: bytes, service: str
) -> None:
    scope, now = signed_by_botocore(method, f"http://h:5000{path}?{query}", more, body, service)
    assert believed(scope, body, now)
    assert believed(scope, body, now + timedelta(minutes=14))
    assert not believed(scope, body, now + timedelta(minutes=16))
    assert not believed(scope, body, now - timedelta(minutes=16))
    assert not believed(scope, body + b"x", now)
    assert not believed(scope, body, now, SECRET + "x")


@given(paths, queries, services, st.sampled_from(["GET", "PUT"]))
def test_what_botocore_presigns_is_believed_until_it_expires(
    path: str, query: str, service: str, method: str
) -> None:
    scope, now = signed_by_botocore(
        method, f"http://h:5000{path}?{query}", {}, b"", service, presigns=True
    )
    assert believed(scope, b"", now + timedelta(minutes=59))
    assert not believed(scope, b"", now + timedelta(minutes=61))
    scope["query_string"] += b"&versionId=1"
    assert not believed(scope, b"", now)


@given(st.data(), st.sampled_from(["sagemaker", "s3"]), st.booleans())
def test_whatever_bit_is_turned_nothing_is_believed(
    data: st.DataObject, service: str, presigns: bool
) -> None:
    body = b'{"ModelPackageGroupName": "g"}'
    more = {"X-Amz-Target": "SageMaker.DeleteModelPackageGroup"}
    scope, now = signed_by_botocore(
        "POST", "http://h:5000/a%20b/c?x=1", more, body, service, presigns=presigns
    )
    sent = b"" if presigns and service != "s3" else body
    assert believed(scope, sent, now)
    place = data.draw(st.sampled_from(["raw_path", "query_string", "headers", "body"]))
    if place == "body":
        assume(not (presigns and service == "s3"))  # which leaves the body out
        sent = sent or b"\0"
        turned = _turned(data, sent)
        assert not believed(scope, turned, now)
        return
    if place == "headers":
        at = data.draw(st.integers(0, len(scope["headers"]) - 1))
        name, value = scope["headers"][at]
        scope["headers"][at] = name, _turned(data, value)
        if b" ".join(scope["headers"][at][1].split()) == b" ".join(value.split()):
            return  # a blank for a blank
    else:
        scope[place] = _turned(data, scope[place])
    assert not believed(scope, sent, now)


def _turned(data: st.DataObject, whole: bytes) -> bytes:
    at, bit = data.draw(st.integers(0, len(whole) * 8 - 1)) // 8, data.draw(st.integers(0, 6))
    return whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :]


@pytest.mark.parametrize("name", ["x-amz-target", "content-type"])
def test_a_header_that_says_what_is_meant_and_that_nobody_signed_is_refused(name: str) -> None:
    scope, _ = signed_by_botocore("POST", "http://h:5000/", {}, b"", "sagemaker")
    scope["headers"].append((name.encode(), b"SageMaker.DeleteModelPackage"))
    with pytest.raises(IncompleteSignature, match=name):
        sigv4.read(scope)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("/eu-west-3/", "/eu-west-1/"), ("/sagemaker/", "/sts/"), ("20261122/", "20261121/")],
)
def test_a_signature_of_another_scope_is_refused(was: str, becomes: str) -> None:
    scope, now = signed_by_botocore("POST", "http://h:5000/", {}, b"", "sagemaker")
    scope["headers"] = [(n, v.replace(was.encode(), becomes.encode())) for n, v in scope["headers"]]
    assert not believed(scope, b"", now)


# -- what is signed, and what is acted upon --------------------------------------------------------


def s3_get(query: str = "", **more: str) -> tuple[dict[str, Any], datetime]:
    url = f"http://h:5000/bucket/key?{query}"
    given = {name.replace("_", "-"): value for name, value in more.items()}
    return signed_by_botocore("GET", url, given, b"", "s3")


@pytest.mark.parametrize("name", ["X-Amz-Copy-Source", "X-Amz-Target", "Content-Type"])
def test_one_value_is_not_sent_as_two(name: str) -> None:
    """Signed are all of them, joined by a comma; acted upon is the first."""
    scope, now = s3_get(**{name: "first,second"})
    assert believed(scope, b"", now)
    joined = (name.lower().encode(), b"first,second")
    at = next(i for i, pair in enumerate(scope["headers"]) if pair[0].lower() == joined[0])
    halves = [(joined[0], b"first"), (joined[0], b"second")]
    assert not believed(scope | {"headers": [*scope["headers"][:at], *halves,
                                             *scope["headers"][at + 1 :]]}, b"", now)  # fmt: skip


def test_who_signs_is_said_once() -> None:
    scope, now = s3_get()
    ((name, given),) = [pair for pair in scope["headers"] if pair[0] == b"authorization"]
    rest = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
    assert believed(scope, b"", now)
    other = given.replace(KEY.encode(), b"SOMEBODYELSE")
    fields = given.partition(b" ")[2]
    for twice in (
        [(name, other), (name, given)],
        [(name, other + b"," + fields)],
        [(name, given + b",Credential=x")],
        [(name, given), (name, b"Basic x")],
    ):
        with pytest.raises(IncompleteSignature):
            sigv4.read(scope | {"headers": [*rest, *twice]})


def test_no_other_space_passes_for_a_space() -> None:
    scope, now = s3_get(X_Amz_Copy_Source="/bucket/a b")
    assert believed(scope, b"", now)
    for space in (b"\xa0", b"\x85", b"\x1c"):
        headers = [(n, v.replace(b" ", space) if n == b"x-amz-copy-source" else v)
                   for n, v in scope["headers"]]  # fmt: skip
        assert not believed(scope | {"headers": headers}, b"", now)


@pytest.mark.parametrize(
    "lasts",
    ["0", "604801", "0000000019999999999999", "000000001604800", "9" * 5000, "1e3", "-1", ""],
)
def test_an_address_is_good_for_a_week_at_most(lasts: str) -> None:
    credential = f"{KEY}/20150830/us-east-1/s3/aws4_request"
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}"
        f"&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Signature={'0' * 64}"
    )
    address = scope_of("GET", f"/bucket/key?{query}&X-Amz-Expires={lasts}", [("Host", HOST)])
    with pytest.raises(IncompleteSignature, match="X-Amz-Expires must be 1 to 604800"):
        sigv4.read(address)
    for wrong in (f"X-Amz-Expires=1&X-Amz-Expires={lasts or 1}", "x-amz-date=1&X-Amz-Expires=1"):
        with pytest.raises(IncompleteSignature, match="must not be sent twice"):
            sigv4.read(scope_of("GET", f"/bucket/key?{query}&{wrong}", [("Host", HOST)]))
