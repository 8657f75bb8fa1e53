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
