"""The frozen files of versions, as they lie in the bucket `modelkeep`: found by their prefix, as
any client fetches a folder."""

from typing import Any

import pytest

from tests.conformance.aws.conftest import Aws
from tests.conformance.aws.s3_clients import client_of, refusal

FILES = {"a": b"1", "d/b": b"22", "d/e/c": b"333", "z": b"4444"}


@pytest.fixture(scope="module")
def s3(aws: Aws) -> Any:
    return client_of(aws.url)


@pytest.fixture(scope="module")
def prefix(s3: Any, sagemaker: Any) -> str:
    """Under which the first of eleven versions has the files as they were, `versions/<id>/`."""
    for key, body in FILES.items():
        s3.put_object(Bucket="sagemaker", Key=f"p/{key}", Body=body)
    source = {"S3Uri": "s3://sagemaker/p/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container = {"Image": "i", "ModelDataSource": {"S3DataSource": source}}
    sagemaker.create_model_package_group(ModelPackageGroupName="frozen")
    for _ in range(11):
        sagemaker.create_model_package(
            ModelPackageGroupName="frozen", InferenceSpecification={"Containers": [container]}
        )
    s3.put_object(Bucket="sagemaker", Key="p/a", Body=b"another")
    told = sagemaker.describe_model_package(ModelPackageName="frozen/1")
    (container,) = told["InferenceSpecification"]["Containers"]
    bucket, _, found = container["ModelDataSource"]["S3DataSource"]["S3Uri"][5:].partition("/")
    assert bucket == "modelkeep"
    return found


def keys_of(page: dict[str, Any]) -> list[str]:
    return [one["Key"] for one in page.get("Contents", [])]


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_a_prefix_that_was_frozen_is_fetched_as_any_is(
    s3: Any, prefix: str, operation: str
) -> None:
    pages = s3.get_paginator(operation).paginate(
        Bucket="modelkeep", Prefix=prefix, PaginationConfig={"PageSize": 3}
    )
    found = [one for page in pages for one in page["Contents"]]
    assert [one["Key"] for one in found] == [prefix + key for key in FILES]
    for one in found:
        at = {"Bucket": "modelkeep", "Key": one["Key"]}
        head = s3.head_object(**at)
        told = (one["ETag"], one["Size"], one["LastModified"].replace(microsecond=0))
        assert told == (head["ETag"], head["ContentLength"], head["LastModified"])
        assert s3.get_object(**at)["Body"].read() == FILES[one["Key"].removeprefix(prefix)]


def test_folders_of_frozen_files_stand_for_what_is_in_them(s3: Any, prefix: str) -> None:
    of: dict[str, Any] = {"Bucket": "modelkeep", "Delimiter": "/"}
    top = s3.list_objects_v2(**of, Prefix=prefix)
    assert keys_of(top) == [f"{prefix}a", f"{prefix}z"]
    assert [one["Prefix"] for one in top["CommonPrefixes"]] == [f"{prefix}d/"]
    first = s3.list_objects_v2(**of, Prefix=prefix, MaxKeys=2)
    assert (keys_of(first), first["KeyCount"], first["IsTruncated"]) == ([f"{prefix}a"], 2, True)
    rest = s3.list_objects_v2(**of, Prefix=prefix, ContinuationToken=first["NextContinuationToken"])
    assert (keys_of(rest), rest["IsTruncated"]) == ([f"{prefix}z"], False)
    assert keys_of(s3.list_objects_v2(**of, Prefix=f"{prefix}d/")) == [f"{prefix}d/b"]
    without = s3.list_objects_v2(**of, Prefix=prefix.removesuffix("/"))
    assert [one["Prefix"] for one in without["CommonPrefixes"]] == [prefix]


def test_part_of_a_name_is_a_prefix_but_part_of_a_versions_number_is_none(
    s3: Any, prefix: str
) -> None:
    of = {"Bucket": "modelkeep"}
    assert keys_of(s3.list_objects_v2(**of, Prefix=f"{prefix}d/e/")) == [f"{prefix}d/e/c"]
    assert keys_of(s3.list_objects_v2(**of, Prefix=f"{prefix}d/b")) == [f"{prefix}d/b"]
    assert keys_of(s3.list_objects_v2(**of, Prefix="versions/1")) == [
        f"versions/1/{key}" for key in FILES
    ]
    behind = s3.list_objects_v2(**of, Prefix=prefix, StartAfter=f"{prefix}d/b")
    assert keys_of(behind) == [f"{prefix}d/e/c", f"{prefix}z"]
    for far, count in (("a" * 40, len(FILES)), ("w", 0)):
        assert len(keys_of(s3.list_objects_v2(**of, Prefix=prefix, StartAfter=far))) == count
    for absent in ("versions/999/", "versions/01/", "versions/x", "other", f"{prefix}none"):
        page = s3.list_objects_v2(**of, Prefix=absent)
        assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


@pytest.mark.parametrize("prefix", ["", "ver", "versions/"])
def test_frozen_files_are_listed_a_version_at_a_time(s3: Any, prefix: str) -> None:
    told = refusal(s3.list_objects_v2, Bucket="modelkeep", Prefix=prefix)
    assert told[:2] == (403, "AccessDenied")
    assert "Prefix='versions/<id>/'" in told[2]
