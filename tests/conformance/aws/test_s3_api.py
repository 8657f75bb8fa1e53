"""The S3 API, through botocore's own client."""

import base64
import hashlib
import os
from typing import Any

import httpx
import pytest

from tests.conformance.aws.s3_clients import client_of, refusal
from tests.support.office import Office
from tests.support.server import Server

MIB = 1 << 20
DIGITS = b"123456789"


@pytest.fixture(scope="module")
def s3(aws_server: Server) -> Any:
    return client_of(aws_server.url)


def md5_tag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def test_what_is_put_is_got_with_its_md5_for_a_tag(s3) -> None:
    for size in (0, 1, 100_000, 3 * MIB):
        body = os.urandom(size)
        etag = md5_tag(body)
        put = s3.put_object(Bucket="basics", Key=f"k/{size}.bin", Body=body)
        assert put["ETag"] == etag
        assert put["ChecksumCRC32"]
        got = s3.get_object(Bucket="basics", Key=f"k/{size}.bin")
        assert got["Body"].read() == body
        head = s3.head_object(Bucket="basics", Key=f"k/{size}.bin")
        assert (head["ETag"], head["ContentLength"]) == (etag, size)
        assert head["LastModified"] == got["LastModified"]


def test_a_key_that_is_not_there_is_said_as_s3_says_it(s3) -> None:
    assert refusal(s3.get_object, Bucket="basics", Key="none")[:2] == (404, "NoSuchKey")
    assert refusal(s3.head_object, Bucket="basics", Key="none")[:2] == (404, "404")


def test_ranges_and_conditions(s3) -> None:
    body = os.urandom(100_000)
    etag = s3.put_object(Bucket="ranges", Key="a", Body=body)["ETag"]
    part = s3.get_object(Bucket="ranges", Key="a", Range="bytes=10-50009", IfMatch=etag)
    assert part["Body"].read() == body[10:50_010]
    assert part["ContentRange"] == "bytes 10-50009/100000"
    tail = s3.get_object(Bucket="ranges", Key="a", Range="bytes=-5")
    assert tail["Body"].read() == body[-5:]
    asked = {"Bucket": "ranges", "Key": "a"}
    assert refusal(s3.get_object, **asked, Range="bytes=100000-")[:2] == (416, "InvalidRange")
    assert refusal(s3.get_object, **asked, IfNoneMatch=etag)[0] == 304
    assert refusal(s3.get_object, **asked, IfMatch='"x"')[:2] == (412, "PreconditionFailed")


def test_a_listing_has_pages_and_folders(s3) -> None:
    keys = sorted(["a.txt", *(f"d{i}/f{j}" for i in range(4) for j in range(3)), "z"])
    for key in keys:
        s3.put_object(Bucket="pages", Key=key, Body=key.encode())
    for size in (1, 2, 5, 14, 1000):
        pages = list(
            s3.get_paginator("list_objects_v2").paginate(
                Bucket="pages", PaginationConfig={"PageSize": size}
            )
        )
        assert [one["Key"] for page in pages for one in page["Contents"]] == keys
        assert len(pages) == -(-len(keys) // size)
        rolled = s3.get_paginator("list_objects").paginate(
            Bucket="pages", Delimiter="/", PaginationConfig={"PageSize": size}
        )
        found = [
            (
                [one["Key"] for one in page.get("Contents", [])],
                [one["Prefix"] for one in page.get("CommonPrefixes", [])],
            )
            for page in rolled
        ]
        assert [key for objects, _ in found for key in objects] == ["a.txt", "z"]
        assert [one for _, folders in found for one in folders] == ["d0/", "d1/", "d2/", "d3/"]
    under = s3.list_objects_v2(Bucket="pages", Prefix="d1/f", StartAfter="d1/f0")
    assert [one["Key"] for one in under["Contents"]] == ["d1/f1", "d1/f2"]
    assert under["Contents"][0]["ETag"] == md5_tag(b"d1/f1")
    assert "pages" in [one["Name"] for one in s3.list_buckets()["Buckets"]]


def test_deletes_forget_what_is_there_and_nothing_beneath(s3) -> None:
    for key in ("x/1", "x/2", "y"):
        s3.put_object(Bucket="deletes", Key=key, Body=b"1")
    s3.delete_object(Bucket="deletes", Key="x")  # no object: a folder, of which nothing goes
    assert s3.list_objects_v2(Bucket="deletes")["KeyCount"] == 3
    assert refusal(s3.delete_bucket, Bucket="deletes")[:2] == (409, "BucketNotEmpty")
    wanted = {"Objects": [{"Key": "x/1"}, {"Key": "none"}, {"Key": "y"}]}
    told = s3.delete_objects(Bucket="deletes", Delete=wanted)["Deleted"]
    assert [one["Key"] for one in told] == ["x/1", "none", "y"]
    s3.delete_object(Bucket="deletes", Key="x/2")
    assert s3.list_objects_v2(Bucket="deletes")["KeyCount"] == 0
    s3.delete_bucket(Bucket="deletes")


def test_twenty_mebibytes_in_parts(s3) -> None:
    body = os.urandom(20 * MIB)
    of = {"Bucket": "parts", "Key": "model.bin"}
    upload = s3.create_multipart_upload(**of)["UploadId"]
    pieces = {3: body[16 * MIB :], 1: body[: 8 * MIB], 2: body[8 * MIB : 16 * MIB]}
    etags = {
        number: s3.upload_part(**of, UploadId=upload, PartNumber=number, Body=piece)["ETag"]
        for number, piece in pieces.items()
    }
    listed = s3.list_parts(**of, UploadId=upload)["Parts"]
    assert [(one["PartNumber"], one["Size"]) for one in listed] == [
        (1, 8 * MIB),
        (2, 8 * MIB),
        (3, 4 * MIB),
    ]
    named = [{"PartNumber": number, "ETag": etags[number]} for number in (1, 2, 3)]
    backwards = {"Parts": named[::-1]}
    done = s3.complete_multipart_upload
    assert refusal(done, **of, UploadId=upload, MultipartUpload=backwards)[1] == "InvalidPartOrder"
    etag = done(**of, UploadId=upload, MultipartUpload={"Parts": named})["ETag"]
    assert etag.endswith('-3"')
    assert done(**of, UploadId=upload, MultipartUpload={"Parts": named})["ETag"] == etag
    head = s3.head_object(**of)
    assert (head["ETag"], head["ContentLength"]) == (etag, len(body))
    assert s3.get_object(**of)["Body"].read() == body
    copied = s3.copy_object(Bucket="parts", Key="copy.bin", CopySource=of)
    assert copied["CopyObjectResult"]["ETag"] == etag
    again = s3.get_object(Bucket="parts", Key="copy.bin", Range="bytes=9000000-9000009")
    assert again["Body"].read() == body[9_000_000:9_000_010]


def test_an_upload_that_was_aborted_is_gone(s3) -> None:
    of = {"Bucket": "parts", "Key": "never"}
    upload = s3.create_multipart_upload(**of)["UploadId"]
    s3.upload_part(**of, UploadId=upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**of, UploadId=upload)
    assert refusal(s3.list_parts, **of, UploadId=upload)[0] == 404
    assert refusal(s3.list_parts, **of, UploadId="none")[:2] == (404, "NoSuchUpload")
    assert refusal(s3.get_object, **of)[1] == "NoSuchKey"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ChecksumCRC32": "AAAAAA=="},
        {"ChecksumCRC32C": "AAAAAA=="},
        {"ChecksumCRC64NVME": "AAAAAAAAAAA="},
        {"ChecksumSHA256": base64.b64encode(bytes(32)).decode()},
        {"ContentMD5": base64.b64encode(bytes(16)).decode()},
    ],
    ids=str,
)
def test_what_is_not_what_it_says_is_refused_and_leaves_nothing(s3, wrong) -> None:
    for size in (10, 100_000):
        of = {"Bucket": "wrong", "Key": f"{size}"}
        assert refusal(s3.put_object, **of, Body=b"x" * size, **wrong)[:2] == (400, "BadDigest")
        assert refusal(s3.get_object, **of)[1] == "NoSuchKey"


@pytest.mark.parametrize(
    ("algorithm", "value"),  # of the nine digits, as the catalogue of CRCs and the RFCs have them
    [
        ("CRC32", 0xCBF43926.to_bytes(4, "big")),
        ("CRC32C", 0xE3069283.to_bytes(4, "big")),
        ("CRC64NVME", 0xAE8B14860A799888.to_bytes(8, "big")),
        ("SHA1", hashlib.sha1(DIGITS, usedforsecurity=False).digest()),
        ("SHA256", hashlib.sha256(DIGITS).digest()),
    ],
)
def test_checksums_are_verified_kept_and_told(s3, algorithm: str, value: bytes) -> None:
    of, name = {"Bucket": "checksums", "Key": algorithm}, f"Checksum{algorithm}"
    told = base64.b64encode(value).decode()
    put = s3.put_object(**of, Body=DIGITS, **{name: told})
    assert (put[name], put["ChecksumType"]) == (told, "FULL_OBJECT")
    head = s3.head_object(**of, ChecksumMode="ENABLED")
    assert (head[name], head["ChecksumType"]) == (told, "FULL_OBJECT")
    assert name not in s3.head_object(**of)
    wrong = base64.b64encode(value[:-1] + bytes([value[-1] ^ 1])).decode()
    assert refusal(s3.put_object, **of, Body=DIGITS, **{name: wrong})[1] == "BadDigest"
    asked = {"ObjectAttributes": ["Checksum"]}
    assert s3.get_object_attributes(**of, **asked)["Checksum"][name] == told


def test_a_checksum_that_is_not_verified_is_refused(s3, aws_server: Server) -> None:
    put = s3.generate_presigned_url("put_object", Params={"Bucket": "wrong", "Key": "sum"})
    refused = httpx.put(put, content=b"1", headers={"x-amz-checksum-xxhash64": "AAAA"})
    assert refused.status_code == 400
    assert "x-amz-checksum-xxhash64 is not verified here; send one of " in refused.text


@pytest.mark.parametrize(
    "key", ["a b+c%2Fd.txt", "ünï/日本.bin", "a=b&c?d#e", "~!'()*;:@$,", "%25", "plus+plus"]
)
def test_odd_keys_come_back_as_they_went(s3, key: str) -> None:
    s3.put_object(Bucket="odd-keys", Key=key, Body=key.encode())
    assert s3.get_object(Bucket="odd-keys", Key=key)["Body"].read() == key.encode()
    assert key in [one["Key"] for one in s3.list_objects_v2(Bucket="odd-keys")["Contents"]]
    s3.delete_objects(Bucket="odd-keys", Delete={"Objects": [{"Key": key}]})
    assert s3.list_objects_v2(Bucket="odd-keys")["KeyCount"] == 0


@pytest.mark.parametrize(
    "key", ["../up", "a/../b", "a/./b", "/lead", "trail/", "a//b", "a\\b", "a%2F..%2Fb", "e\u0301"]
)
def test_keys_that_are_no_path_are_refused_in_a_sentence(s3, key: str) -> None:
    status, code, told = refusal(s3.put_object, Bucket="odd-keys", Key=key, Body=b"1")
    assert (status, code) == (400, "InvalidArgument")
    assert told.startswith(f"The key {key!r} is refused: keys are kept as paths")


def test_a_key_is_an_object_or_a_folder_and_never_both(s3) -> None:
    s3.put_object(Bucket="clash", Key="a/b", Body=b"1")
    assert refusal(s3.put_object, Bucket="clash", Key="a", Body=b"1")[1] == "InvalidArgument"


@pytest.mark.parametrize("name", ["api", "ajax-api", "health", "metrics", "a..b", "10.0.0.1"])
def test_bucket_names_that_mean_something_else_are_refused(s3, name: str) -> None:
    assert refusal(s3.create_bucket, Bucket=name)[:2] == (400, "InvalidBucketName")


def test_every_other_bucket_is_there(s3) -> None:
    s3.create_bucket(Bucket="sagemaker-us-east-1-000000000000")
    s3.head_bucket(Bucket="sagemaker-us-east-1-000000000000")
    assert s3.get_bucket_location(Bucket="anything")["LocationConstraint"] is None


def test_what_would_be_lost_is_refused(s3) -> None:
    of = {"Bucket": "lost", "Key": "k", "Body": b"1"}
    status, code, told = refusal(s3.put_object, **of, ObjectLockMode="GOVERNANCE")
    assert (status, code) == (501, "NotImplemented")
    assert "x-amz-object-lock-mode" in told
    assert refusal(s3.get_object_acl, Bucket="lost", Key="k")[:2] == (501, "NotImplemented")


@pytest.mark.parametrize("method", ["AES256", "aws:kms", "aws:kms:dsse"])
def test_an_object_is_kept_as_all_files_are_where_encryption_names_no_key(s3, method: str) -> None:
    of = {"Bucket": "encrypted", "Key": method.replace(":", "-")}
    asked = {"ServerSideEncryption": method}
    upload = {**of, "UploadId": s3.create_multipart_upload(**of, **asked)["UploadId"]}
    part = {"ETag": s3.upload_part(**upload, PartNumber=1, Body=b"1")["ETag"], "PartNumber": 1}
    told = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    put = s3.put_object(**of, Body=b"1", **asked)
    copy = s3.copy_object(Bucket="encrypted", Key="copy", CopySource=of, **asked)
    got = s3.get_object(**of)
    assert got["Body"].read() == b"1"
    assert not any("ServerSideEncryption" in one for one in (told, put, copy, got))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSEKMSKeyId", "alias/mine"),
        ("SSEKMSEncryptionContext", "e30="),
        ("SSECustomerAlgorithm", "AES256"),
    ],
)
def test_a_key_of_the_callers_is_refused_by_name(s3, name: str, value: str) -> None:
    of = {"Bucket": "encrypted", "Key": "keyed"}
    for call, more in (
        (s3.put_object, {"Body": b"1"}),
        (s3.create_multipart_upload, {}),
        (s3.copy_object, {"CopySource": of}),
    ):
        status, code, told = refusal(call, **of, **more, **{name: value})
        assert (status, code) == (501, "NotImplemented")
        assert "under a key of yours (x-amz-server-side-encryption-" in told
    assert refusal(s3.head_object, **of)[0] == 404


def test_an_encryption_that_nobody_knows_is_refused(s3) -> None:
    of = {"Bucket": "encrypted", "Key": "unknown", "Body": b"1"}
    told = refusal(s3.put_object, **of, ServerSideEncryption="rot13")
    assert told[:2] == (400, "InvalidEncryptionAlgorithmError")


def test_a_bucket_is_of_the_servers_account_and_of_no_other(s3) -> None:
    of, own, other = {"Bucket": "owned", "Key": "k"}, "000000000000", "999999999999"
    s3.put_object(**of, Body=b"1", ExpectedBucketOwner=own)
    s3.copy_object(**of, CopySource="owned/k", MetadataDirective="REPLACE",
                   ExpectedBucketOwner=own, ExpectedSourceBucketOwner=own)  # fmt: skip
    denied = (403, "AccessDenied", "Access Denied")
    assert refusal(s3.put_object, **of, Body=b"2", ExpectedBucketOwner=other) == denied
    assert refusal(s3.get_object, **of, ExpectedBucketOwner=other) == denied
    assert refusal(s3.list_objects_v2, Bucket="owned", ExpectedBucketOwner=other) == denied
    assert refusal(s3.head_object, **of, ExpectedBucketOwner=other)[0] == 403
    copy = {"Bucket": "owned", "Key": "copy", "CopySource": of}
    assert refusal(s3.copy_object, **copy, ExpectedSourceBucketOwner=other) == denied
    code = "InvalidBucketOwnerAWSAccountID"
    assert refusal(s3.get_object, **of, ExpectedBucketOwner="ann")[:2] == (400, code)
    assert s3.get_object(**of, ExpectedBucketOwner=own)["Body"].read() == b"1"


def test_presigned_addresses_put_and_get(s3) -> None:
    of = {"Bucket": "presigned", "Key": "a b.txt"}
    put = s3.generate_presigned_url("put_object", Params=of)
    assert httpx.put(put, content=b"hello").status_code == 200
    assert httpx.get(s3.generate_presigned_url("get_object", Params=of)).content == b"hello"


def test_chunks_with_a_trailer_are_decoded_and_verified(aws_server: Server, s3) -> None:
    def send(crc: str) -> httpx.Response:
        body = f"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n"
        headers = {
            "Authorization": "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request,"
            f"SignedHeaders=host,Signature={'0' * 64}",
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-decoded-content-length": "11",
            "x-amz-trailer": "x-amz-checksum-crc32",
            "content-encoding": "aws-chunked",
        }
        return httpx.put(f"{aws_server.url}/chunked/k", content=body, headers=headers)

    assert "BadDigest" in send("AAAAAA==").text
    assert send("DUoRhQ==").status_code == 200
    assert s3.get_object(Bucket="chunked", Key="k")["Body"].read() == b"hello world"


def test_a_package_keeps_the_bytes_that_were_registered(aws_server: Server, s3, sagemaker) -> None:
    first, of = os.urandom(100_000), {"Bucket": "models", "Key": "churn/model.tar.gz"}
    s3.put_object(**of, Body=first)
    sagemaker.create_model_package_group(ModelPackageGroupName="s3-churn")
    specification = {
        "Containers": [
            {"Image": "image:1", "ModelDataUrl": "s3://models/churn/model.tar.gz"},
        ],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="s3-churn", InferenceSpecification=specification
    )["ModelPackageArn"]
    s3.put_object(**of, Body=b"something else")
    told = sagemaker.describe_model_package(ModelPackageName=arn)
    container = told["InferenceSpecification"]["Containers"][0]
    api = f"{aws_server.url}/api/2.0"
    version = {"name": "s3-churn", "version": "1"}
    uri = httpx.get(f"{api}/mlflow/model-versions/get-download-uri", params=version)
    path = uri.json()["artifact_uri"].removeprefix("mlflow-artifacts:/")
    got = httpx.get(f"{api}/mlflow-artifacts/artifacts/{path}/model.tar.gz")
    assert got.content == first
    bucket, _, folder = path.partition("/")
    frozen = {"Bucket": bucket, "Key": f"{folder}/model.tar.gz"}
    assert container["ModelDataUrl"] == f"s3://{bucket}/{folder}/model.tar.gz"
    assert s3.get_object(**frozen)["Body"].read() == first
    assert refusal(s3.put_object, **frozen, Body=b"1")[:2] == (403, "AccessDenied")


def test_what_nobody_put_here_stays_a_label(aws_server: Server) -> None:
    api = f"{aws_server.url}/api/2.0/mlflow"
    httpx.post(f"{api}/registered-models/create", json={"name": "elsewhere"})
    given = {"name": "elsewhere", "source": "s3://of-others/model.tar.gz"}
    assert httpx.post(f"{api}/model-versions/create", json=given).status_code == 200
    version = {"name": "elsewhere", "version": "1"}
    uri = httpx.get(f"{api}/model-versions/get-download-uri", params=version).json()
    assert uri["artifact_uri"] == given["source"]


def test_with_accounts_a_key_may_do_what_its_roles_let_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    server = Server(tmp_path_factory.mktemp("s3") / "data", args=("--auth", "on"))
    server.start()
    try:
        office = Office(server)
        clients = {}
        for name, role in (("ann", "contributor"), ("bob", "contributor"), ("vic", "viewer")):
            office.user(name, role, "*")
            key = office.post(f"/accounts/{name}/keys", {})
            clients[name] = client_of(server.url, key["id"], key["secret"])
        ann, vic = clients["ann"], clients["vic"]
        of = {"Bucket": "guarded", "Key": "a b/ü+.bin"}
        for body in (b"small", os.urandom(100_000)):
            ann.put_object(**of, Body=body)
            assert ann.get_object(**of)["Body"].read() == body
        assert refusal(vic.put_object, **of, Body=b"1")[:2] == (403, "AccessDenied")
        assert refusal(vic.delete_object, **of)[:2] == (403, "AccessDenied")
        forged = client_of(server.url, key["id"], "x" * 40)
        assert refusal(forged.list_buckets)[:2] == (403, "SignatureDoesNotMatch")
        nobody = client_of(server.url, "MK" + "A" * 18, "x" * 40)
        assert refusal(nobody.get_object, **of)[1] in (
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
        )
        upload = ann.create_multipart_upload(**of)["UploadId"]
        part = {**of, "UploadId": upload, "PartNumber": 1}
        assert refusal(clients["bob"].upload_part, **part, Body=b"1")[0] == 404
        got = ann.generate_presigned_url("get_object", Params=of)
        assert httpx.get(got).content == body
        assert httpx.get(got).status_code == 200  # as often as one likes
        assert httpx.get(got.replace("guarded", "others")).status_code == 403
        assert httpx.get(got.partition("?")[0]).status_code == 401
    finally:
        server.kill()
