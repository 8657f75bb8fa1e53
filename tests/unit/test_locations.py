"""Where artifacts may be said to live."""

import pytest

from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.locations import (
    artifact_location,
    beneath,
    check_local_source,
    check_source,
)


@pytest.mark.parametrize(
    "location",
    [
        *(
            "file:///etc",
            "FILE:/etc",
            "/etc",
            "./x",
            "../x",
            "x/../y",
            "~/x",
            "$HOME",
            "C:/x",
            "C:\\x",
            "dbfs:/x",
            "s3:/b/x",
        ),
        *("http://169.254.169.254/", "http:///?/../../etc/", "https://h/x", "ftp://h/x"),
        *("s3://b/x?y=1", "s3://b/x#y", "s3://b/x;y", "s3://b/x%3Fy", "s3://b/x%253by", "s3:///x"),
        *("s3://b/../x", "s3://b/%2e%2e/x", "s3://b/%252e%252e/x", "gs://b/a\x00"),
        *("mlflow-artifacts:/", "mlflow-artifacts:/../x", "mlflow-artifacts:/a//b"),
        *("mlflow-artifacts:/modelkeep", "mlflow-artifacts:/modelkeep/versions/1"),
        *("mlflow-artifacts:/ModelKeep/x", "mlflow-artifacts://host/x", "mlflow-artifacts:x"),
        *("mlflow-artifacts:/a%2f..%2fb", "MLFLOW-ARTIFACTS:/x", "mlflow-artifacts:/a b /c"),
        "s3://b/" + "x" * 2050,
    ],
)
def test_no_artifact_location_leads_out_of_the_store(location: str) -> None:
    with pytest.raises(InvalidInput):
        artifact_location(location)


@pytest.mark.parametrize(
    "location",
    [
        *("s3://bucket/path/", "gs://bucket", "S3://bucket/x", "mlflow-artifacts:/team a/x"),
        *("abfss://c@account.dfs.core.windows.net/x", "azureml://datastores/a/paths/b"),
    ],
)
def test_folders_of_ours_and_object_stores_are_kept_as_they_are_written(location: str) -> None:
    assert artifact_location(location) == location


def test_an_absolute_path_is_a_label_unless_it_is_the_systems_or_this_servers() -> None:
    own = ("/srv/modelkeep", "/data/mk")
    for location in ("/mnt/team a/x", "/tmp/x/", "/srv/modelkeep2", "/srv", "/home/ann/mlruns"):
        assert artifact_location(location, own) == location
    for location in (
        *("/", "//mnt/x", "/mnt//x", "/mnt/./x", "/mnt/../etc", "/mnt/%2e%2e/etc", "/mnt/a\\b"),
        *("/mnt/a?b", "/mnt/a#b", "/mnt/a;b", "/mnt/\x00", "/mnt/．．/etc", "/ mnt/x"),
        *("/etc", "/ETC/x", "/usr/share/x", "/proc/self/root", "/root/.ssh", "/dev/shm"),
        *("/srv/modelkeep", "/srv/modelkeep/", "/srv/ModelKeep/blobs", "/data/mk/x"),
    ):
        with pytest.raises(InvalidInput):
            artifact_location(location, own)


def test_a_local_source_lies_in_its_runs_folder() -> None:
    root = "/mnt/x/run/artifacts"
    for source in (root, f"{root}/", f"{root}/model", f"{root}/a/b"):
        check_local_source(source, root)
    for source, of in (
        *((source, root) for source in ("/mnt/x/run", f"{root}x", f"{root}/../a", f"{root}//a")),
        *((source, root) for source in (f"{root}/%2e%2e/a", f"/{root}", f"{root}/a\\b", "/")),
        *((f"{root}/model", of) for of in (None, "mlflow-artifacts:/0/run/artifacts", "s3://b/x")),
    ):
        with pytest.raises(InvalidInput):
            check_local_source(source, of)


def test_a_relative_path_is_a_folder_of_ours() -> None:
    assert artifact_location("team a/x") == "mlflow-artifacts:/team a/x"
    for location in ("modelkeep/versions/1", "a//b", "a\\b", "a?b", "x/", " x"):
        with pytest.raises(InvalidInput):
            artifact_location(location)


def test_what_lies_beneath_a_location_follows_one_slash() -> None:
    assert beneath("s3://b/x/", "run", "artifacts") == "s3://b/x/run/artifacts"
    assert beneath("s3://b", "run") == "s3://b/run"


@pytest.mark.parametrize(
    ("source", "scheme"),
    [
        ("S3://bucket/X", "s3"),
        ("gs://bucket", "gs"),
        ("runs:/a/b", "runs"),
        ("models:/m@a", "models"),
        ("mlflow-artifacts:/a//b", "mlflow-artifacts"),
        ("plug-in://store/x", "plug-in"),
        ("dbfs:/x", "dbfs"),
    ],
)
def test_a_source_has_a_scheme_of_its_own(source: str, scheme: str) -> None:
    assert check_source(source) == scheme


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("/etc", "To use a local path as a model version source"),
        ("path/to/source", "To use a local path as a model version source"),
        ("FILE:///etc", "To use a local path as a model version source"),
        ("C:/x", "To use a local path as a model version source"),
        ("", "To use a local path as a model version source"),
        ("s3a://b/x/../../", "If supplying a source as an http, https,"),
        ("mlflow-artifacts:/x/..%2f..%2fy", "If supplying a source as an http, https,"),
        ("mlflow-artifacts:/x%00", "If supplying a source as an http, https,"),
        ("plug-in://store", "If supplying a source as an http, https,"),
        ("plug-in:x/y", "If supplying a source as an http, https,"),
        ("plug-in://store/./x", "If supplying a source as an http, https,"),
        ("plug-in://[", "If supplying a source as an http, https,"),
        ("http://h/x", "'source' cannot use the 'http' scheme"),
        ("FTP://h/../x", "'source' cannot use the 'ftp' scheme"),
        ("viewfs:/x", "'source' cannot use the 'viewfs' scheme"),
        ("mlflow-artifacts://h/x", "'source' cannot use the 'mlflow-artifacts' scheme"),
        ("s3://b/" + "x" * 2048, "maximum length of 2048"),
    ],
)
def test_a_source_that_leads_elsewhere_is_refused_in_words_that_clients_know(
    source: str, said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_source(source)
    assert said in caught.value.message
