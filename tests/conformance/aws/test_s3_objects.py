"""What is said of objects, what must hold of them, and many who change them at once."""

import hashlib
import os
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.conformance.aws.s3_clients import client_of, refusal
from tests.conftest import StartServer
from tests.support.cli import modelkeep
from tests.support.server import Server

BUCKET = "objects"


@pytest.fixture(scope="module")
def s3(aws_server: Server) -> Any:
    return client_of(aws_server.url)


def of(key: str) -> dict[str, str]:
    return {"Bucket": BUCKET, "Key": key}


SAID: dict[str, Any] = {
    "Metadata": {"a": "1", "long": "x" * 1000},
    "ContentType": "text/html",
    "ContentDisposition": 'attachment; filename="a.html"',
    "ContentEncoding": "gzip",
    "ContentLanguage": "de",
    "CacheControl": "max-age=60",
}


@pytest.mark.parametrize("size", [5, 100_000])
def test_what_is_said_of_an_object_is_told_with_it(s3: Any, size: int) -> None:
    key, body = f"said/{size}", os.urandom(size)
    s3.put_object(**of(key), Body=body, Expires=datetime(2030, 1, 1, tzinfo=UTC), **SAID)
    for found in (s3.head_object(**of(key)), s3.get_object(**of(key))):
        assert {name: found[name] for name in SAID} == SAID
        assert found["ExpiresString"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    assert s3.get_object(**of(key))["Body"].read() == body
    s3.put_object(**of(key), Body=body)  # which says nothing
    head = s3.head_object(**of(key))
    assert head["Metadata"] == {}
    assert not {"ContentDisposition", "ContentEncoding", "CacheControl"} & head.keys()


def test_a_copy_has_what_was_said_or_what_is_said_anew(s3: Any) -> None:
    s3.put_object(**of("source"), Body=b"x", Tagging="k=v", **SAID)
    s3.copy_object(**of("copy"), CopySource=of("source"))
    head = s3.head_object(**of("copy"))
    assert {name: head[name] for name in SAID} == SAID
    assert s3.get_object_tagging(**of("copy"))["TagSet"] == [{"Key": "k", "Value": "v"}]
    anew = {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}, "TaggingDirective": "REPLACE"}
    told = s3.copy_object(**of("copy"), CopySource=of("copy"), **anew)["CopyObjectResult"]
    head = s3.head_object(**of("copy"), ChecksumMode="ENABLED")
    assert head["Metadata"] == {"b": "2"}
    assert head["ContentType"] != SAID["ContentType"]
    assert head["ChecksumCRC32"] == told["ChecksumCRC32"]
    assert s3.get_object_tagging(**of("copy"))["TagSet"] == []
    assert refusal(s3.copy_object, **of("copy"), CopySource=of("copy"))[1] == "InvalidRequest"


def test_metadata_has_its_limit(s3: Any) -> None:
    s3.put_object(**of("limit"), Body=b"", Metadata={"ab": "x" * 2046})
    for wrong in ({"Metadata": {"ab": "x" * 2047}}, {"CacheControl": "x" * 2040}):
        told = refusal(s3.put_object, **of("limit"), Body=b"", **wrong)
        assert told[:2] == (400, "MetadataTooLarge")
    assert refusal(s3.create_multipart_upload, **of("limit"), Metadata={"a": "x" * 2048})[1] == (
        "MetadataTooLarge"
    )


def test_an_address_may_say_what_is_told_but_nothing_else(s3: Any) -> None:
    s3.put_object(**of("told"), Body=b"<b>", ContentType="text/plain")
    params = {**of("told"), "ResponseContentDisposition": "attachment; filename=b"}
    got = httpx.get(s3.generate_presigned_url("get_object", Params=params))
    assert got.headers["content-disposition"] == "attachment; filename=b"
    assert got.headers["content-security-policy"] == "sandbox"
    for wrong in ("a\r\nset-cookie: b=c", "日本"):
        params = {**of("told"), "ResponseContentType": wrong}
        refused = httpx.get(s3.generate_presigned_url("get_object", Params=params))
        assert refused.status_code == 400
        assert "set-cookie" not in refused.headers


def test_tags_are_put_got_and_taken_away(s3: Any) -> None:
    s3.put_object(**of("tags"), Body=b"x", Metadata={"kept": "1"}, Tagging="a=1&b=%C3%BC")
    tags = s3.get_object_tagging(**of("tags"))["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "ü"}]
    assert s3.get_object(**of("tags"))["TagCount"] == 2
    new = [{"Key": "c", "Value": ""}]
    s3.put_object_tagging(**of("tags"), Tagging={"TagSet": new})
    assert s3.get_object_tagging(**of("tags"))["TagSet"] == new
    s3.delete_object_tagging(**of("tags"))
    assert s3.get_object_tagging(**of("tags"))["TagSet"] == []
    assert s3.head_object(**of("tags"))["Metadata"] == {"kept": "1"}
    eleven = {"TagSet": [{"Key": str(n), "Value": ""} for n in range(11)]}
    assert refusal(s3.put_object_tagging, **of("tags"), Tagging=eleven)[:2] == (400, "BadRequest")
    twice = {"TagSet": [{"Key": "a", "Value": value} for value in "12"]}
    assert refusal(s3.put_object_tagging, **of("tags"), Tagging=twice)[1] == "InvalidTag"
    assert refusal(s3.put_object, **of("tags"), Body=b"", Tagging="a=1&a=2")[1] == "InvalidTag"
    assert refusal(s3.put_object_tagging, **of("none"), Tagging={"TagSet": new})[0] == 404
    assert refusal(s3.get_object_tagging, **of("none"))[:2] == (404, "NoSuchKey")


def test_attributes_are_those_asked_for(s3: Any) -> None:
    etag = s3.put_object(**of("attributes"), Body=b"12345", ChecksumAlgorithm="SHA256")["ETag"]
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    found = s3.get_object_attributes(**of("attributes"), ObjectAttributes=wanted)
    assert found["ETag"] == etag.strip('"')
    assert found["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert len(found["Checksum"]["ChecksumSHA256"]) == 44
    assert (found["ObjectSize"], found["StorageClass"]) == (5, "STANDARD")
    some = s3.get_object_attributes(**of("attributes"), ObjectAttributes=["ObjectSize"])
    assert "ETag" not in some
    assert refusal(s3.get_object_attributes, **of("none"), ObjectAttributes=["ETag"])[0] == 404


# -- conditions --------------------------------------------------------------------------------


def test_an_object_is_put_only_where_what_was_said_holds(s3: Any) -> None:
    for size in (5, 100_000):
        key, body = f"if/{size}", os.urandom(size)
        put = {**of(key), "Body": body}
        assert refusal(s3.put_object, **put, IfMatch='"x"')[:2] == (404, "NoSuchKey")
        etag = s3.put_object(**put, IfNoneMatch="*")["ETag"]
        assert refusal(s3.put_object, **put, IfNoneMatch="*")[:2] == (412, "PreconditionFailed")
        assert refusal(s3.put_object, **put, IfMatch='"x"')[:2] == (412, "PreconditionFailed")
        s3.put_object(**of(key), Body=b"other", IfMatch=etag)
        assert s3.get_object(**of(key))["Body"].read() == b"other"
        assert refusal(s3.put_object, **put, IfNoneMatch='"x"')[:2] == (501, "NotImplemented")


def test_of_many_who_put_an_absent_object_one_does(s3: Any) -> None:
    def put(number: int) -> str:
        try:
            s3.put_object(**of("race"), Body=f"{number}".encode(), IfNoneMatch="*")
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "done"

    with ThreadPoolExecutor(8) as threads:
        assert Counter(threads.map(put, range(16))) == {"done": 1, "PreconditionFailed": 15}


def test_an_object_is_got_only_where_what_was_said_holds(s3: Any) -> None:
    etag = s3.put_object(**of("got"), Body=b"0123456789")["ETag"]
    at = s3.head_object(**of("got"))["LastModified"]
    later, earlier = at + timedelta(minutes=1), at - timedelta(minutes=1)
    for call in (s3.get_object, s3.head_object):
        for wrong in ({"IfMatch": '"x"'}, {"IfUnmodifiedSince": earlier}):
            assert refusal(call, **of("got"), **wrong)[0] == 412
        for known in ({"IfNoneMatch": etag}, {"IfModifiedSince": at}, {"IfModifiedSince": later}):
            assert refusal(call, **of("got"), **known)[0] == 304
        for right in (
            {"IfMatch": etag, "IfUnmodifiedSince": earlier},
            {"IfNoneMatch": '"x"', "IfModifiedSince": later},
            {"IfModifiedSince": earlier},
            {"IfUnmodifiedSince": at},
        ):
            assert call(**of("got"), **right)["ContentLength"] == 10


def test_a_copy_is_made_only_where_what_was_said_holds(s3: Any) -> None:
    etag = s3.put_object(**of("if-source"), Body=b"x")["ETag"]
    copy = {**of("if-copy"), "CopySource": of("if-source")}
    for wrong in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag}):
        assert refusal(s3.copy_object, **copy, **wrong)[:2] == (412, "PreconditionFailed")
    assert refusal(s3.get_object, **of("if-copy"))[0] == 404
    s3.copy_object(**copy, CopySourceIfMatch=etag)
    none = {**copy, "CopySource": of("no-source")}
    assert refusal(s3.copy_object, **none)[:2] == (404, "NoSuchKey")


@pytest.mark.parametrize(
    ("wanted", "start", "stop"), [("0-3", 0, 4), ("7-", 7, 10), ("-4", 6, 10), ("-99", 0, 10)]
)
def test_a_head_has_ranges_too(s3: Any, wanted: str, start: int, stop: int) -> None:
    s3.put_object(**of("ranges"), Body=b"0123456789")
    for call in (s3.get_object, s3.head_object):
        found = call(**of("ranges"), Range=f"bytes={wanted}")
        assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert found["ContentRange"] == f"bytes {start}-{stop - 1}/10"
        assert found["ContentLength"] == stop - start
    got = s3.get_object(**of("ranges"), Range=f"bytes={wanted}")
    assert got["Body"].read() == b"0123456789"[start:stop]
    assert refusal(s3.head_object, **of("ranges"), Range="bytes=10-")[0] == 416


# -- lists and deletes -------------------------------------------------------------------------


def test_each_key_that_cannot_be_deleted_is_told_with_its_reason(s3: Any) -> None:
    s3.put_object(**of("deleted"), Body=b"x")
    keys = ["deleted", "a//b", "absent", "../up"]
    told = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
    assert [one["Key"] for one in told["Deleted"]] == ["deleted", "absent"]
    assert {one["Key"]: one["Code"] for one in told["Errors"]} == {
        "a//b": "InvalidArgument",
        "../up": "InvalidArgument",
    }
    frozen = {"Objects": [{"Key": "versions/1/model"}]}
    told = s3.delete_objects(Bucket="modelkeep", Delete=frozen)
    assert [one["Code"] for one in told["Errors"]] == ["AccessDenied"]
    assert "Deleted" not in told


def test_lists_have_their_edges(s3: Any) -> None:
    keys = sorted(["p/a b+ü", "p/d/1", "p/d/2", "p/é", "q"], key=str.encode)
    for key in keys:
        s3.put_object(Bucket="edges", Key=key, Body=b"x")
    listed = s3.list_objects_v2(Bucket="edges", EncodingType="url")
    assert listed["Contents"][0]["Key"] == "p/a%20b%2B%C3%BC"
    assert listed["EncodingType"] == "url"
    empty = s3.list_objects_v2(Bucket="edges", MaxKeys=0)
    assert (empty["KeyCount"], empty["IsTruncated"]) == (0, False)
    first = s3.list_objects_v2(Bucket="edges", Prefix="p/", Delimiter="/", MaxKeys=2)
    assert [one["Prefix"] for one in first["CommonPrefixes"]] == ["p/d/"]
    rest = s3.list_objects_v2(
        Bucket="edges", Prefix="p/", Delimiter="/", ContinuationToken=first["NextContinuationToken"]
    )
    assert [one["Key"] for one in rest["Contents"]] == ["p/é"]
    behind = s3.list_objects_v2(Bucket="edges", StartAfter="p/d/1", FetchOwner=True)
    assert [one["Key"] for one in behind["Contents"]] == ["p/d/2", "p/é", "q"]
    assert behind["Contents"][0]["Owner"]["ID"]
    assert "Owner" not in s3.list_objects_v2(Bucket="edges")["Contents"][0]
    old = s3.list_objects(Bucket="edges", Marker="p/é", MaxKeys=5)
    assert [one["Key"] for one in old["Contents"]] == ["q"]
    assert old["Contents"][0]["Owner"]["ID"]
    assert refusal(s3.list_objects_v2, Bucket="edges", ContinuationToken="!")[0] == 400
    assert s3.head_bucket(Bucket="edges")["BucketRegion"] == "us-east-1"


# -- many at once ------------------------------------------------------------------------------

KEYS = [f"k/{number}" for number in range(6)]
STEPS = 25


def content(seed: int) -> bytes:
    """Bytes that say by themselves whether they are whole."""
    head = f"{seed:012}".encode()
    block = hashlib.sha256(head).digest()
    return head + block * (1 << seed % 13)


def is_whole(body: bytes) -> bool:
    return body == content(int(body[:12]))


def change(url: str, worker: int) -> Counter[str]:
    """How often what was done."""
    choose, seen = random.Random(worker), Counter[str]()
    with closing(client_of(url)) as s3:
        for step in range(STEPS):
            key = choose.choice(KEYS)
            at = {"Bucket": "many", "Key": key}
            what = choose.choice(("put", "put", "parts", "get", "get", "delete", "list", "copy"))
            body = content(worker * 1000 + step)
            try:
                if what == "put":
                    told = s3.put_object(**at, Body=body, Metadata={"by": body[:12].decode()})
                    assert told["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'  # noqa: S324
                elif what == "parts":
                    upload = {**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]}
                    part = s3.upload_part(**upload, PartNumber=1, Body=body)["ETag"]
                    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
                    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
                elif what == "get":
                    got = s3.get_object(**at)
                    body = got["Body"].read()
                    assert is_whole(body)
                    assert got["Metadata"].get("by", body[:12].decode()) == body[:12].decode()
                elif what == "delete":
                    s3.delete_object(**at)
                elif what == "copy":
                    source = {"Bucket": "many", "Key": choose.choice(KEYS)}
                    s3.copy_object(**at, CopySource=source, MetadataDirective="REPLACE")
                else:
                    listed = s3.list_objects_v2(Bucket="many").get("Contents", [])
                    assert {one["Key"] for one in listed} <= set(KEYS)
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchKey":
                    raise
                seen[f"{what} of none"] += 1
            else:
                seen[what] += 1
    return seen


def test_many_who_change_the_same_keys_tear_nothing(
    start_server: StartServer, database_url: str
) -> None:
    server = start_server(database_url=database_url)
    with ThreadPoolExecutor(8) as threads:
        seen = sum(threads.map(partial(change, server.url), range(8)), Counter[str]())
    assert sum(seen.values()) == 8 * STEPS
    assert {"put", "parts", "get", "delete", "list", "copy"} <= seen.keys()
    with closing(client_of(server.url)) as s3:
        for one in s3.list_objects_v2(Bucket="many").get("Contents", []):
            got = s3.get_object(Bucket="many", Key=one["Key"])
            body = got["Body"].read()
            assert is_whole(body)
            assert (got["ETag"], len(body)) == (one["ETag"], one["Size"])
            if "-" not in got["ETag"]:
                assert got["ETag"].strip('"') == hashlib.md5(body).hexdigest()  # noqa: S324
        assert "Uploads" not in s3.list_multipart_uploads(Bucket="many")
    assert modelkeep("audit", "verify", url=server.url).code == 0
    server.stop()
    where = ("--database-url", database_url) if database_url else ()
    sound = modelkeep("fsck", "--data-dir", server.data_dir, *where)
    assert sound.code == 0, sound
