"""Objects in parts, over the wire: wherever the server's own files lie."""

import base64
import hashlib
import os
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from modelkeep.storage.blobs.bucket import Bucket
from modelkeep.storage.blobs.parts_s3 import S3Parts
from modelkeep.storage.blobs.s3 import S3Blobs
from tests.conformance.aws.s3_clients import client_of, refusal
from tests.support.s3 import START_LIMIT_S, Store
from tests.support.server import Server

MIB = 1 << 20
TRANSFERS = Path(__file__).with_name("transfers.py")
TRANSFER_LIMIT_S = 120


@pytest.fixture(scope="module")
def s3(aws_server: Server) -> Any:
    return client_of(aws_server.url)


@pytest.fixture(params=["disk", "moto", "swift"])
def any_store(request: pytest.FixtureRequest, start_server: Callable[..., Server]) -> Server:
    if request.param == "disk":
        return start_server()
    store: Store = request.getfixturevalue(request.param)
    return start_server("--artifacts", str(store.place()), env=store.environment)


def test_boto3s_transfers_work_as_they_are(any_store: Server, moto: Store) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAANNANNANNANNANNA", "AWS_SECRET_ACCESS_KEY": "secret"}
    done = subprocess.run(
        [moto.python, TRANSFERS, any_store.url, "17"],
        env={**os.environ, **keys, "AWS_CONFIG_FILE": "/dev/null"},
        capture_output=True,
        text=True,
        timeout=TRANSFER_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


# -- in AWS's words ----------------------------------------------------------------------------


def begin(s3: Any, key: str, **said: Any) -> dict[str, str]:
    of = {"Bucket": "in-parts", "Key": key}
    return {**of, "UploadId": s3.create_multipart_upload(**of, **said)["UploadId"]}


def put(s3: Any, upload: dict[str, str], number: int, body: bytes) -> dict[str, Any]:
    etag = s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
    return {"PartNumber": number, "ETag": etag}


def test_wrong_lists_of_parts_are_refused_as_s3_refuses_them(s3: Any) -> None:
    upload = begin(s3, "wrong")
    small, large = put(s3, upload, 1, b"small"), put(s3, upload, 2, bytes(5 * MIB))
    replaced = put(s3, upload, 3, b"first")
    last = put(s3, upload, 3, b"last")
    foreign = {"PartNumber": 4, "ETag": f'"{"0" * 32}"'}
    for parts, code in (
        ([small, large], "EntityTooSmall"),
        ([large, small], "InvalidPartOrder"),
        ([large, large], "InvalidPartOrder"),
        ([large, replaced], "InvalidPart"),
        ([large, foreign], "InvalidPart"),
        ([{"PartNumber": 9, "ETag": last["ETag"]}], "InvalidPart"),
        ([], "MalformedXML"),
    ):
        wanted = {"Parts": parts}
        told = refusal(s3.complete_multipart_upload, **upload, MultipartUpload=wanted)
        assert told[:2] == (400, code), told
    assert refusal(s3.get_object, Bucket="in-parts", Key="wrong")[1] == "NoSuchKey"
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [large, last]})
    assert done["ETag"].endswith('-2"')
    assert s3.get_object(Bucket="in-parts", Key="wrong")["Body"].read() == bytes(5 * MIB) + b"last"


@pytest.mark.parametrize("number", [0, 10_001])
def test_numbers_of_parts_have_their_limits(s3: Any, number: int) -> None:
    upload = begin(s3, "numbers")
    status, code, told = refusal(s3.upload_part, **upload, PartNumber=number, Body=b"x")
    assert (status, code) == (400, "InvalidArgument")
    assert told == "Part number must be an integer between 1 and 10000, inclusive"


def test_what_is_no_upload_is_called_so_whatever_is_asked_of_it(s3: Any) -> None:
    upload = begin(s3, "gone")
    part = put(s3, upload, 1, b"x")
    calls: dict[str, dict[str, Any]] = {
        "upload_part": {"PartNumber": 2, "Body": b"y"},
        "list_parts": {},
        "complete_multipart_upload": {"MultipartUpload": {"Parts": [part]}},
        "abort_multipart_upload": {},
    }
    s3.abort_multipart_upload(**upload)
    elsewhere = {**begin(s3, "other"), "Key": "not-that-one"}
    forged = {**upload, "UploadId": "../../1-0"}
    for of in (upload, elsewhere, forged):
        for call, params in calls.items():
            assert refusal(getattr(s3, call), **of, **params)[:2] == (404, "NoSuchUpload"), call


def test_a_page_of_nothing_is_the_last(s3: Any) -> None:
    s3.create_bucket(Bucket="in-parts")
    upload = begin(s3, "nothing-shown")
    s3.upload_part(**upload, PartNumber=1, Body=b"x")
    try:
        assert not s3.list_parts(**upload, MaxParts=0)["IsTruncated"]
        assert not s3.list_multipart_uploads(Bucket="in-parts", MaxUploads=0)["IsTruncated"]
        assert len(s3.list_parts(**upload)["Parts"]) == 1
    finally:
        s3.abort_multipart_upload(**upload)


def test_uploads_under_way_are_listed_by_pages_and_folders(s3: Any) -> None:
    begun = [begin(s3, key) for key in ("l/a", "l/d/1", "l/d/2", "l/a", "l/z")]
    by_key = sorted((one["Key"], one["UploadId"]) for one in begun)
    for size in (1, 2, 3, 1000):
        pages = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket="in-parts", Prefix="l/", PaginationConfig={"PageSize": size}
        )
        found = [(one["Key"], one["UploadId"]) for page in pages for one in page["Uploads"]]
        assert found == by_key
        rolled = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket="in-parts", Prefix="l/", Delimiter="/", PaginationConfig={"PageSize": size}
        )
        seen = [
            one.get("Prefix") or one["Key"]
            for page in rolled
            for one in (*page.get("Uploads", ()), *page.get("CommonPrefixes", ()))
        ]
        assert sorted(seen) == ["l/a", "l/a", "l/d/", "l/z"]
    for upload in begun:
        s3.abort_multipart_upload(**upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="in-parts", Prefix="l/")


def test_parts_are_listed_by_pages(s3: Any) -> None:
    upload = begin(s3, "pages")
    for number in (1, 2, 5):
        put(s3, upload, number, b"x" * number)
    pages = s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 2})
    found = [[(one["PartNumber"], one["Size"]) for one in page["Parts"]] for page in pages]
    assert found == [[(1, 1), (2, 2)], [(5, 5)]]


# -- as S3 has their hashes and their bounds ---------------------------------------------------


def whole_tag(*contents: bytes) -> str:
    """As clients work it out that compare."""
    over = b"".join(hashlib.md5(content).digest() for content in contents)  # noqa: S324
    return f'"{hashlib.md5(over).hexdigest()}-{len(contents)}"'  # noqa: S324


def complete(s3: Any, upload: dict[str, str], *parts: dict[str, Any]) -> Any:
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": list(parts)})


def test_etags_are_the_md5_of_parts_and_of_those_together(s3: Any) -> None:
    contents = [os.urandom(5 * MIB), os.urandom(5 * MIB), b"last"]
    upload = begin(s3, "tagged")
    parts = [put(s3, upload, number, content) for number, content in enumerate(contents, 1)]
    tags = [f'"{hashlib.md5(content).hexdigest()}"' for content in contents]  # noqa: S324
    assert [part["ETag"] for part in parts] == tags
    assert [part["ETag"] for part in s3.list_parts(**upload)["Parts"]] == tags
    source = {"Bucket": "in-parts", "Key": "tagged"}
    assert complete(s3, upload, *parts)["ETag"] == whole_tag(*contents)
    assert s3.head_object(**source)["ETag"] == whole_tag(*contents)
    assert complete(s3, upload, *parts)["ETag"] == whole_tag(*contents)  # once more

    upload = begin(s3, "tagged-again")
    copied = s3.upload_part_copy(
        **upload, PartNumber=1, CopySource=source, CopySourceRange=f"bytes=7-{5 * MIB + 6}"
    )["CopyPartResult"]["ETag"]
    taken = b"".join(contents)[7 : 5 * MIB + 7]
    assert copied == f'"{hashlib.md5(taken).hexdigest()}"'  # noqa: S324
    assert complete(s3, upload, {"PartNumber": 1, "ETag": copied})["ETag"] == whole_tag(taken)


def test_parts_that_came_before_they_had_an_md5_are_put_together_all_the_same(
    s3: Any, aws_server: Server
) -> None:
    upload = begin(s3, "older")
    content = b"x" * 100
    put(s3, upload, 1, content)
    (kept,) = aws_server.data_dir.rglob(f"{upload['UploadId']}/1/*")
    kept.rename(kept.with_name(kept.name.rpartition("-")[2]))
    (part,) = s3.list_parts(**upload)["Parts"]
    assert part["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    named = {"PartNumber": 1, "ETag": part["ETag"]}
    assert complete(s3, upload, named)["ETag"].endswith('-1"')
    assert s3.get_object(Bucket="in-parts", Key="older")["Body"].read() == content


def test_a_part_is_read_by_its_number(s3: Any) -> None:
    sizes = (5 * MIB, 5 * MIB, 6 * MIB, 9)
    contents = [os.urandom(size) for size in sizes]
    upload = begin(s3, "numbered")
    complete(
        s3, upload, *(put(s3, upload, 2 * n, content) for n, content in enumerate(contents, 1))
    )
    of = {"Bucket": "in-parts", "Key": "numbered"}
    s3.copy_object(Bucket="in-parts", Key="numbered-copy", CopySource=of, MetadataDirective="COPY")
    start = 0
    for number, content in enumerate(contents, 1):  # in a row, whatever their numbers were
        for key in ("numbered", "numbered-copy"):
            asked = {"Bucket": "in-parts", "Key": key, "PartNumber": number}
            head, got = s3.head_object(**asked), s3.get_object(**asked)
            assert got["Body"].read() == content
            bounds = f"bytes {start}-{start + len(content) - 1}/{sum(sizes)}"
            for found in (head, got):
                told = found["PartsCount"], found["ContentLength"], found["ETag"]
                assert told == (4, len(content), whole_tag(*contents))
                assert found["ContentRange"] == bounds
                assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
        start += len(content)
    assert "PartsCount" not in s3.head_object(**of)
    told = refusal(s3.get_object, **of, PartNumber=5)
    assert told == (416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
    for wrong in ({"PartNumber": 0}, {"PartNumber": 10_001}):
        assert refusal(s3.get_object, **of, **wrong)[:2] == (400, "InvalidArgument")
    told = refusal(s3.get_object, **of, PartNumber=1, Range="bytes=0-1")
    assert told[:2] == (400, "InvalidRequest")
    parts = s3.get_object_attributes(**of, ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert parts["TotalPartsCount"] == 4


@pytest.mark.parametrize("body", [b"", b"small", bytes(100_000)])
def test_what_was_put_at_once_is_its_own_first_part(s3: Any, body: bytes) -> None:
    of = {"Bucket": "in-parts", "Key": f"at-once-{len(body)}"}
    s3.put_object(**of, Body=body)
    found = s3.get_object(**of, PartNumber=1)
    assert found["Body"].read() == body
    assert "PartsCount" not in found
    status = found["ResponseMetadata"]["HTTPStatusCode"]
    assert (status, found.get("ContentRange")) == (
        (206, f"bytes 0-{len(body) - 1}/{len(body)}") if body else (200, None)
    )
    assert refusal(s3.get_object, **of, PartNumber=2)[:2] == (416, "InvalidPartNumber")
    # Put again in parts, and at once again: what was said of it before is forgotten.
    upload = begin(s3, of["Key"])
    complete(s3, upload, put(s3, upload, 1, b"in parts"))
    assert s3.head_object(**of, PartNumber=1)["PartsCount"] == 1
    s3.put_object(**of, Body=body)
    assert "PartsCount" not in s3.head_object(**of, PartNumber=1)


def test_a_checksum_of_checksums_is_refused_before_anything_is_sent(s3: Any) -> None:
    of = {"Bucket": "in-parts", "Key": "composite"}
    asked = {**of, "ChecksumAlgorithm": "SHA256", "ChecksumType": "COMPOSITE"}
    status, code, message = refusal(s3.create_multipart_upload, **asked)
    assert (status, code) == (501, "NotImplemented")
    assert "FULL_OBJECT" in message
    upload = begin(s3, "composite")
    parts = {"Parts": [put(s3, upload, 1, b"x")]}
    told = refusal(
        s3.complete_multipart_upload, **upload, MultipartUpload=parts, ChecksumType="COMPOSITE"
    )
    assert told[:2] == (501, "NotImplemented")


# -- parts that are copied ---------------------------------------------------------------------


def test_parts_are_copied_from_other_objects_and_ranges_of_them(s3: Any) -> None:
    source = {"Bucket": "in-parts", "Key": "source ü+.bin"}
    body, small = os.urandom(6 * MIB + 5), b"0123456789"
    etag = s3.put_object(**source, Body=body)["ETag"]
    s3.put_object(Bucket="in-parts", Key="small", Body=small)
    upload, parts = begin(s3, "copied"), []
    copies: list[dict[str, Any]] = [
        {"CopySource": source, "CopySourceIfMatch": etag},
        {"CopySource": source, "CopySourceRange": f"bytes=3-{5 * MIB + 2}"},
        {"CopySource": "in-parts/small", "CopySourceRange": "bytes=2-4"},
    ]
    for number, copied in enumerate(copies, 1):
        result = s3.upload_part_copy(**upload, PartNumber=number, **copied)["CopyPartResult"]
        assert result["LastModified"]
        parts.append({"PartNumber": number, "ETag": result["ETag"]})
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    whole = s3.get_object(Bucket="in-parts", Key="copied")["Body"].read()
    assert whole == body + body[3 : 5 * MIB + 3] + small[2:5]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"CopySourceRange": "bytes=5-10"}, "InvalidArgument"),
        ({"CopySourceRange": "bytes=4-3"}, "InvalidArgument"),
        ({"CopySourceRange": "bytes=-3"}, "InvalidArgument"),
        ({"CopySource": "in-parts/none"}, "NoSuchKey"),
        ({"CopySource": "in-parts"}, "InvalidArgument"),
        ({"CopySource": "in-parts/%ff"}, "InvalidArgument"),
        ({"CopySourceIfMatch": '"no"'}, "PreconditionFailed"),
    ],
    ids=str,
)
def test_parts_that_cannot_be_copied_are_refused(s3: Any, wrong: Any, code: str) -> None:
    s3.put_object(Bucket="in-parts", Key="ten", Body=b"0123456789")
    upload = begin(s3, "not-copied")
    given = {"CopySource": "in-parts/ten", "PartNumber": 1, **wrong}
    assert refusal(s3.upload_part_copy, **upload, **given)[1] == code


# -- hashes, and what is said ------------------------------------------------------------------


def test_a_hash_of_the_whole_is_verified_and_told(s3: Any) -> None:
    body = os.urandom(5 * MIB + 9)
    right = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    upload = begin(s3, "hashed", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = {"Parts": [put(s3, upload, 1, body[: 5 * MIB]), put(s3, upload, 2, body[5 * MIB :])]}
    done = s3.complete_multipart_upload
    for wrong, code in (("AAAAAA==", "BadDigest"), ("AAAAAA==-2", "NotImplemented")):
        told = refusal(done, **upload, MultipartUpload=parts, ChecksumCRC32=wrong)
        assert told[1] == code
    size = {"MpuObjectSize": len(body) + 1}
    assert refusal(done, **upload, MultipartUpload=parts, **size)[1] == "InvalidRequest"
    size = {"MpuObjectSize": len(body)}
    done(**upload, MultipartUpload=parts, ChecksumCRC32=right, **size)
    asked = {"Bucket": "in-parts", "Key": "hashed"}
    head = s3.head_object(**asked, ChecksumMode="ENABLED")
    assert (head["ChecksumCRC32"], head["ChecksumType"]) == (right, "FULL_OBJECT")
    assert s3.get_object(**asked)["Body"].read() == body  # which botocore holds against it


def test_what_is_said_at_the_beginning_is_of_the_whole(s3: Any) -> None:
    upload = begin(s3, "said", Metadata={"k": "v"}, ContentType="text/x-y", Tagging="a=b")
    parts = {"Parts": [put(s3, upload, 1, b"x")]}
    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    head = s3.head_object(Bucket="in-parts", Key="said")
    assert (head["Metadata"], head["ContentType"]) == ({"k": "v"}, "text/x-y")


def test_parts_take_no_objects_place_that_they_must_not_take(s3: Any) -> None:
    upload = begin(s3, "once")
    parts = {"Parts": [put(s3, upload, 1, b"x")]}
    etag = s3.put_object(Bucket="in-parts", Key="once", Body=b"there")["ETag"]
    done = s3.complete_multipart_upload
    absent = refusal(done, **upload, MultipartUpload=parts, IfNoneMatch="*")
    assert absent[:2] == (412, "PreconditionFailed")
    other = refusal(done, **upload, MultipartUpload=parts, IfMatch='"other"')
    assert other[:2] == (412, "PreconditionFailed")
    done(**upload, MultipartUpload=parts, IfMatch=etag)
    assert s3.get_object(Bucket="in-parts", Key="once")["Body"].read() == b"x"


# -- a server that is killed -------------------------------------------------------------------


@pytest.fixture
def in_moto(moto: Store, start_server: Callable[..., Server]) -> Iterator[tuple[Server, S3Blobs]]:
    place = moto.place()
    blobs = S3Blobs(Bucket(place, moto.client))
    yield start_server("--artifacts", str(place), env=moto.environment), blobs
    blobs.threads.shutdown()


def test_a_server_killed_amid_parts_leaves_nothing_that_is_not_swept(
    in_moto: tuple[Server, S3Blobs],
) -> None:
    server, blobs = in_moto
    kept: dict[str, bytes] = {}
    enough = threading.Event()

    def upload(worker: int) -> None:
        with closing(client_of(server.url)) as s3:
            for number in range(1000):
                key, bodies = f"{worker}/{number}", [os.urandom(5 * MIB), os.urandom(100 * worker)]
                try:
                    begun = begin(s3, key)
                    parts = [put(s3, begun, n, body) for n, body in enumerate(bodies, 1)]
                    s3.complete_multipart_upload(**begun, MultipartUpload={"Parts": parts})
                except (BotoCoreError, ClientError):
                    return
                kept[key] = b"".join(bodies)
                if len(kept) >= 4:
                    enough.set()

    with ThreadPoolExecutor(3) as threads:
        working = [threads.submit(upload, worker) for worker in range(3)]
        enough.wait(START_LIMIT_S)
        server.kill()
        for worker in working:
            worker.result()
    assert len(kept) >= 4
    server.start()
    with closing(client_of(server.url)) as s3:
        for key, body in kept.items():
            assert s3.get_object(Bucket="in-parts", Key=key)["Body"].read() == body
    server.stop()
    S3Parts(blobs).sweep(2**62)
    blobs.sweep(2**62)
    folder = blobs.bucket.place.key("blobs/")
    assert all(one["Key"].startswith(folder) for one in blobs.bucket.listed(""))
    assert "Uploads" not in blobs.bucket.call("list_multipart_uploads")
    assert {hashlib.sha256(body).hexdigest() for body in kept.values()} <= {
        one.sha256 for one in blobs.stored()
    }
