"""What boto3's managed transfers do, many threads and all: `python transfers.py URL MIB`.

Run by the Python of `.envs/s3`, which has boto3; whatever is not as it should be ends it.
"""

import io
import os
import sys
import tempfile
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

MIB = 1 << 20
SAID = {
    "Metadata": {"framework": "xgboost"},
    "ContentType": "application/x-model",
    "ContentDisposition": 'attachment; filename="model.tar.gz"',
    "ContentEncoding": "identity",
    "CacheControl": "no-cache",
    "Tagging": "team=fraud&stage=dev%20one",
    "StorageClass": "STANDARD_IA",
}


def main(url: str, mib: int) -> None:
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    s3 = boto3.client("s3", endpoint_url=url, region_name="us-east-1", config=config)
    body, of = os.urandom(mib * MIB + 13), {"Bucket": "transfers", "Key": "m/model.tar.gz"}
    with tempfile.TemporaryDirectory() as folder:
        there, back = Path(folder) / "there", Path(folder) / "back"
        there.write_bytes(body)
        s3.upload_file(str(there), *of.values(), ExtraArgs=SAID)
        s3.download_file(*of.values(), str(back))
        assert back.read_bytes() == body
        s3.upload_file(str(there), "transfers", "sha", ExtraArgs={"ChecksumAlgorithm": "SHA256"})
    check_said(s3, of)
    s3.copy(of, "transfers", "copy")  # in parts, of ranges
    check_said(s3, {"Bucket": "transfers", "Key": "copy"}, tags={})
    out = io.BytesIO()
    s3.download_fileobj("transfers", "copy", out)
    assert out.getvalue() == body
    wide = TransferConfig(multipart_chunksize=6 * MIB, max_concurrency=10)
    s3.upload_fileobj(io.BytesIO(body), "transfers", "object", Config=wide)
    assert s3.get_object(Bucket="transfers", Key="object")["Body"].read() == body
    listed = {one["Key"]: one["Size"] for one in s3.list_objects_v2(Bucket="transfers")["Contents"]}
    assert listed == dict.fromkeys(("copy", "m/model.tar.gz", "object", "sha"), len(body)), listed
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="transfers")


def check_said(s3, of, tags=None) -> None:
    head = s3.head_object(**of)
    for name, value in SAID.items():
        if name not in ("Tagging", "StorageClass"):
            assert head[name] == value, (name, head)
    found = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(**of)["TagSet"]}
    assert found == ({"team": "fraud", "stage": "dev one"} if tags is None else tags), found


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
