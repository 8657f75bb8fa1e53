"""Buckets that are another store's: nobody makes their addresses mean bytes that were put here."""

import os
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.conformance.aws.conftest import Aws
from tests.conformance.aws.s3_clients import client_of, refusal
from tests.conftest import StartServer
from tests.support.s3 import Store
from tests.support.server import Server

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts"


def settings_of(moto: Store) -> dict[str, tuple[str, str]]:
    """By each setting that names a bucket: the bucket, and what the setting says."""
    names = {"--artifacts": "ours", "--ingest": "models", "--default-artifact-root": "runs"}
    for bucket in names.values():
        moto.client.create_bucket(Bucket=bucket)
    return {setting: (name, f"s3://{name}/some/prefix") for setting, name in names.items()}


@pytest.fixture(scope="module")
def buckets(moto: Store) -> dict[str, tuple[str, str]]:
    return settings_of(moto)


@pytest.fixture
def server(buckets: dict[str, tuple[str, str]], start_server: StartServer, moto: Store) -> Server:
    given = [part for setting, (_, place) in buckets.items() for part in (setting, place)]
    return start_server(*given, env=moto.environment)


def registered(http: httpx.Client, name: str, source: str) -> dict[str, Any]:
    http.post(f"{API}/registered-models/create", json={"name": name})
    made = http.post(f"{API}/model-versions/create", json={"name": name, "source": source})
    assert made.status_code == 200, made.text
    return made.json()["model_version"]


def address_of(http: httpx.Client, name: str) -> str:
    found = http.get(f"{API}/model-versions/get-download-uri", params={"name": name, "version": 1})
    return found.json()["artifact_uri"]


def packaged(server: Server, name: str, source: str, **variables: str) -> None:
    """As `registered`, by SageMaker's clients."""
    sagemaker = Aws(server.url).client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    specification = {
        "Containers": [{"Image": "image:1", "ModelDataUrl": source, "Environment": variables}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    sagemaker.create_model_package(ModelPackageGroupName=name, InferenceSpecification=specification)


def told_of(server: Server, name: str) -> str:
    """The `ModelDataUrl` that SageMaker's clients are told."""
    described = Aws(server.url).client("sagemaker").describe_model_package
    told = described(ModelPackageName=f"{name}/1")
    return told["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]


def test_a_bucket_that_a_setting_names_is_written_to_in_no_way(
    server: Server, buckets: dict[str, tuple[str, str]]
) -> None:
    with (
        closing(client_of(server.url)) as s3,
        httpx.Client(base_url=server.url, trust_env=False) as http,
    ):
        s3.put_object(Bucket="free", Key="m", Body=b"x")
        for bucket, _ in buckets.values():
            of = {"Bucket": bucket, "Key": "churn/model.tar.gz"}
            assert refusal(s3.create_bucket, Bucket=bucket)[:2] == (409, "BucketAlreadyExists")
            assert refusal(s3.head_bucket, Bucket=bucket)[0] == 403
            for size in (5, 100_000):
                status, code, told = refusal(s3.put_object, **of, Body=bytes(size))
                assert (status, code) == (403, "AccessDenied")
                assert told.startswith(f"The bucket '{bucket}' is not this server's: s3://{bucket}")
            copied = {"CopySource": {"Bucket": "free", "Key": "m"}}
            assert refusal(s3.copy_object, **of, **copied)[:2] == (403, "AccessDenied")
            assert refusal(s3.create_multipart_upload, **of)[:2] == (403, "AccessDenied")
            path = f"s3/{bucket}/churn/model.tar.gz"  # where MLflow's own calls would put it
            assert http.put(f"{FILES}/artifacts/{path}", content=b"x").status_code == 403
            asked = {"path": "model.tar.gz", "num_parts": 1}
            folder = path.rpartition("/")[0]
            parts = http.post(f"{FILES}/mpu/create/{folder}", json=asked)
            assert parts.status_code == 403
            assert refusal(s3.get_object, **of)[:2] == (404, "NoSuchKey")


def test_what_was_put_there_before_is_told_of_and_is_no_version_any_more(
    start_server: StartServer, moto: Store
) -> None:
    moto.client.create_bucket(Bucket="squatted")
    source, body = "s3://squatted/churn/model.tar.gz", os.urandom(1000)
    of = {"Bucket": "squatted", "Key": "churn/model.tar.gz"}
    server = start_server()
    with (
        closing(client_of(server.url)) as s3,
        httpx.Client(base_url=server.url, trust_env=False) as http,
    ):
        s3.put_object(**of, Body=body)
        packaged(server, "before", source)
        assert told_of(server, "before") == source
        assert address_of(http, "before").startswith("mlflow-artifacts:/")
    server.stop()
    again = start_server(
        "--ingest", "s3://squatted/other", data_dir=server.data_dir, env=moto.environment
    )
    with (
        closing(client_of(again.url)) as s3,
        httpx.Client(base_url=again.url, trust_env=False) as http,
    ):
        told = "s3://squatted is a store that the settings name, and before they did 1 objects"
        assert told in again.log_text()
        assert told_of(again, "before").startswith("s3://modelkeep/versions/")
        registered(http, "after", source)
        assert address_of(http, "after") == source
        assert address_of(http, "before").startswith("mlflow-artifacts:/")
        assert refusal(s3.put_object, **of, Body=b"x")[1] == "AccessDenied"
        assert s3.get_object(**of)["Body"].read() == body
        s3.delete_object(**of)
        assert refusal(s3.get_object, **of)[1] == "NoSuchKey"
    again.stop()
    freed = start_server(data_dir=server.data_dir)  # what an address means does not change back
    with closing(client_of(freed.url)) as s3:
        assert refusal(s3.put_object, **of, Body=b"x")[1] == "AccessDenied"
        s3.put_object(Bucket="squatted-not", Key="k", Body=b"x")


def test_a_version_of_a_named_bucket_has_the_bytes_that_lie_there(
    server: Server, buckets: dict[str, tuple[str, str]], moto: Store
) -> None:
    _, place = buckets["--ingest"]
    moto.client.put_object(Bucket="models", Key="some/prefix/m/model.bin", Body=b"theirs")
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        registered(http, "taken-in", f"{place}/m")
        while not (address := address_of(http, "taken-in")).startswith("mlflow-artifacts:/"):
            pass
        path = address.removeprefix("mlflow-artifacts:/")
        assert http.get(f"{FILES}/artifacts/{path}/model.bin").content == b"theirs"


def test_a_package_is_of_the_one_object_that_its_address_names(
    server: Server, buckets: dict[str, tuple[str, str]], moto: Store
) -> None:
    _, place = buckets["--ingest"]
    key, body = "some/prefix/one/model.tar.gz", os.urandom(100_000)
    moto.client.put_object(Bucket="models", Key=key, Body=body)
    moto.client.put_object(Bucket="models", Key=f"{key}.other", Body=b"another's")
    sagemaker = Aws(server.url).client("sagemaker")

    def described(name: str) -> dict[str, Any]:
        return sagemaker.describe_model_package(ModelPackageName=f"{name}/1")

    for name, source in (("one", f"{place}/one/model.tar.gz"), ("typo", f"{place}/typo")):
        packaged(server, name, source)
    while (told := described("one"))["ModelPackageStatus"] != "Completed":
        assert told["ModelPackageStatus"] == "Pending"
    moto.client.put_object(Bucket="models", Key=key, Body=b"evil")
    address = told_of(server, "one")
    bucket, _, frozen = address.removeprefix("s3://").partition("/")
    assert (bucket, frozen.rpartition("/")[2]) == ("modelkeep", "model.tar.gz")
    with closing(client_of(server.url)) as s3:
        assert s3.get_object(Bucket=bucket, Key=frozen)["Body"].read() == body
    while "FailureReason" not in (told := _files_of(described("typo"))):
        pass
    assert told["Status"] == "InProgress"  # it is looked for a while
    assert f"There is no object at {place}/typo" in told["FailureReason"]
    assert described("typo")["ModelPackageStatus"] == "Pending"
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        found = http.get(f"{API}/model-versions/get", params={"name": "typo", "version": 1})
        version = found.json()["model_version"]
    assert version["status"] == "PENDING_REGISTRATION"
    assert "no object" in version["status_message"]


def test_a_package_whose_code_lies_in_another_store_than_its_data_is_a_label(
    server: Server, buckets: dict[str, tuple[str, str]]
) -> None:
    _, place = buckets["--ingest"]
    with closing(client_of(server.url)) as s3:
        s3.put_object(Bucket="here", Key="model.tar.gz", Body=b"data")
    for name, variable in (("code", "SAGEMAKER_SUBMIT_DIRECTORY"), ("words", "WORDS")):
        packaged(server, name, "s3://here/model.tar.gz", **{variable: f"{place}/code.tar.gz"})
        with httpx.Client(base_url=server.url, trust_env=False) as http:
            found = http.get(f"{API}/model-versions/get", params={"name": name, "version": 1})
        told = f"It is not verified: it loads {place}/code.tar.gz, which is not this server's"
        assert found.json()["model_version"]["status_message"].startswith(told)


def _files_of(told: dict[str, Any]) -> dict[str, Any]:
    (found,) = told["ModelPackageStatusDetails"]["ValidationStatuses"]
    return found
