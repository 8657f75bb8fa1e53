"""Ways past the gates that lead nowhere: what somebody who makes packages tries with stock clients,
and somebody who approves them, alone."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import httpx
import pytest

from tests.conformance.aws.conftest import Aws
from tests.support.refusals import refused
from tests.support.server import Server

POLICY = """
model_registry:
  stage_transitions:
    None -> Production: {required_tags: [tested], approval_required: true}
    None -> Staging: {approval_required: true}
    Archived -> Production: {required_tags: [tested], approval_required: true}
"""
TESTED = {"tested": "yes"}
PENDING, APPROVED, REJECTED = "PendingManualApproval", "Approved", "Rejected"
CONFLICT, INVALID = "ConflictException", "ValidationException"
GOOD = {"Containers": [{"Image": "good:1", "ModelDataUrl": "s3://bucket/good.tar.gz"}]}
EVIL = {"Containers": [{"Image": "evil:1", "ModelDataUrl": "s3://bucket/evil.tar.gz"}]}
ROLE = "arn:aws:iam::000000000000:role/sagemaker"
_numbers = count()


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("ruled") / "data")
    server.start()
    body = {"source": POLICY}
    url = f"{server.url}/api/v1/policy"
    httpx.post(url, json=body, trust_env=False, auth=("boss", "")).raise_for_status()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def people(ruled: Server) -> Callable[..., Any]:
    aws = Aws(ruled.url)
    return lambda name, service="sagemaker": aws.client(service, name)


@pytest.fixture
def maker(people: Callable[..., Any]) -> Any:
    return people("maker")


@pytest.fixture
def voter(people: Callable[..., Any]) -> Any:
    return people("voter")


@pytest.fixture
def group(maker: Any) -> str:
    name = f"group-{next(_numbers)}"
    maker.create_model_package_group(ModelPackageGroupName=name)
    return name


def register(maker: Any, group: str, **params: Any) -> str:
    params = {"CustomerMetadataProperties": TESTED, "InferenceSpecification": GOOD, **params}
    return maker.create_model_package(ModelPackageGroupName=group, **params)["ModelPackageArn"]


def say(client: Any, arn: str, status: str, **params: Any) -> None:
    client.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status, **params)


def runs(client: Any, arn: str) -> str:
    found = client.describe_model_package(ModelPackageName=arn)
    return found["InferenceSpecification"]["Containers"][0]["Image"]


def status(client: Any, arn: str) -> str:
    return client.describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"]


CHANGES: dict[str, dict[str, Any]] = {
    "image": {"InferenceSpecification": EVIL},
    "more": {"AdditionalInferenceSpecificationsToAdd": [{"Name": "evil", **EVIL}]},
    "source": {"SourceUri": "s3://bucket/evil"},
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_an_approval_and_a_change_of_what_runs_do_not_come_in_one_call(
    maker: Any, voter: Any, group: str, change: str
) -> None:
    arn = register(maker, group)
    both = {"ModelApprovalStatus": APPROVED, **CHANGES[change]}
    assert refused(voter.update_model_package, ModelPackageArn=arn, **both)[0] == CONFLICT
    assert (status(maker, arn), runs(maker, arn)) == (PENDING, "good:1")
    say(voter, arn, APPROVED)  # and whoever tried has changed nothing, so that their vote counts
    assert status(maker, arn) == APPROVED


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_what_was_approved_never_runs_anything_else(
    maker: Any, voter: Any, group: str, change: str
) -> None:
    first, second = register(maker, group), register(maker, group)
    update = {"ModelPackageArn": first, **CHANGES[change]}
    for arn in (first, second):
        say(voter, arn, APPROVED)
    assert refused(maker.update_model_package, **update)[0] == CONFLICT
    # A gate that fails now hides the approval, which would come back with what the gate asks for.
    maker.update_model_package(ModelPackageArn=first, CustomerMetadataPropertiesToRemove=["tested"])
    assert status(maker, first) == PENDING
    assert refused(maker.update_model_package, **update)[0] == CONFLICT
    # A rollback would go back to it, whatever was said of it meanwhile.
    say(voter, first, REJECTED)
    assert refused(maker.update_model_package, **update)[0] == CONFLICT
    say(voter, second, REJECTED, ApprovalDescription="it drifts")
    assert refused(maker.update_model_package, **update)[0] == CONFLICT
    assert runs(maker, first) == "good:1"


def test_what_was_approved_for_another_stage_is_fixed_as_well(
    maker: Any, voter: Any, group: str, ruled: Server
) -> None:
    arn = register(maker, group)
    life = {"Stage": "Staging", "StageStatus": "Approved"}
    move = {"ModelPackageArn": arn, "ModelLifeCycle": life}
    assert refused(maker.update_model_package, **move)[0] == CONFLICT
    change = {"ModelPackageArn": arn, "InferenceSpecification": EVIL}
    assert refused(maker.update_model_package, **change)[0] == CONFLICT
    requests = httpx.get(f"{ruled.url}/api/v1/requests", trust_env=False).json()
    (waiting,) = [one for one in requests if one["model"] == group]
    url = f"{ruled.url}/api/v1/requests/{waiting['id']}/approve"
    httpx.post(url, json={"comment": "x"}, trust_env=False, auth=("voter", "")).raise_for_status()
    assert refused(maker.update_model_package, **change)[0] == CONFLICT


def test_a_clone_has_no_approval_and_its_makers_are_those_of_the_original_too(
    maker: Any, voter: Any, people: Callable[..., Any], group: str
) -> None:
    original = register(maker, group)
    say(voter, original, APPROVED)
    asked = {"ModelPackageGroupName": group, "SourceUri": original}
    clone = people("cloner").create_model_package(**asked)["ModelPackageArn"]
    assert (status(maker, clone), runs(maker, clone)) == (PENDING, "good:1")
    for who in ("cloner", "maker"):
        vote = {"ModelPackageArn": clone, "ModelApprovalStatus": APPROVED}
        code, message = refused(people(who).update_model_package, **vote)
        assert (code, f"{who} " in message) == (CONFLICT, True)
    create = people("cloner").create_model_package
    assert refused(create, **asked, ModelApprovalStatus=APPROVED)[0] == INVALID
    assert status(maker, clone) == PENDING
    say(voter, clone, APPROVED)


def test_a_stage_at_registration_is_a_move_through_its_gates(maker: Any, group: str) -> None:
    life = {"Stage": "Production", "StageStatus": "Approved"}
    params = {"ModelPackageGroupName": group, "CustomerMetadataProperties": TESTED}
    assert refused(maker.create_model_package, **params, ModelLifeCycle=life)[0] == INVALID
    listed = maker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert listed == []


def test_an_approval_is_not_inherited_by_what_takes_the_name(
    maker: Any, voter: Any, group: str
) -> None:
    arn = register(maker, group)
    say(voter, arn, APPROVED)
    assert refused(maker.delete_model_package, ModelPackageName=arn)[0] == CONFLICT
    say(voter, arn, PENDING)
    maker.delete_model_package(ModelPackageName=arn)
    assert register(maker, group).endswith("/2")
    maker.delete_model_package(ModelPackageName=f"{group}/2")
    maker.delete_model_package_group(ModelPackageGroupName=group)
    maker.create_model_package_group(ModelPackageGroupName=group)
    assert register(maker, group) == arn
    assert status(maker, arn) == PENDING
    model = {"ModelName": group, "PrimaryContainer": {"ModelPackageName": arn}}
    assert refused(maker.create_model, **model)[0] == INVALID


def test_a_model_is_not_made_of_what_is_not_approved_any_more(
    maker: Any, voter: Any, group: str
) -> None:
    arn = register(maker, group)
    say(voter, arn, APPROVED)
    made = {"PrimaryContainer": {"ModelPackageName": arn}}
    maker.create_model(ModelName=group, **made)
    say(voter, arn, REJECTED)
    assert refused(maker.create_model, ModelName=f"{group}-2", **made)[0] == INVALID
    many = {"Containers": [made["PrimaryContainer"]]}
    assert refused(maker.create_model, ModelName=f"{group}-2", **many)[0] == INVALID


def test_a_package_has_one_name(maker: Any, group: str) -> None:
    arn = register(maker, group)
    for other in ("0", "01", "+1", "1.0"):
        alias = f"{arn[:-1]}{other}"
        assert refused(maker.describe_model_package, ModelPackageName=alias)[0] == INVALID
        asked = maker.batch_describe_model_package(ModelPackageArnList=[alias])
        assert list(asked["BatchDescribeModelPackageErrorMap"]) == [alias]


def test_a_token_is_its_callers_own(maker: Any, voter: Any, group: str) -> None:
    mine = {"ModelPackageGroupName": group, "ClientToken": "shared"}
    first = maker.create_model_package(**mine)["ModelPackageArn"]
    assert voter.create_model_package(**mine)["ModelPackageArn"] != first
    vote = {"ModelPackageArn": first, "ModelApprovalStatus": APPROVED, "ClientToken": "vote"}
    maker.update_model_package(
        ModelPackageArn=first, CustomerMetadataProperties=TESTED, ClientToken="tags"
    )
    assert refused(maker.update_model_package, **vote)[0] == CONFLICT
    voter.update_model_package(**vote)
    assert refused(maker.update_model_package, **vote)[0] == CONFLICT
    assert status(maker, first) == APPROVED


def test_the_documents_of_a_package_are_written_by_its_own_calls_alone(
    maker: Any, group: str, ruled: Server
) -> None:
    register(maker, group)
    for name in ("sagemaker.json", "sagemaker-verdict.json"):
        url = f"{ruled.url}/api/v1/models/{group}/versions/1/documents/{name}"
        body = {"media_type": "application/json", "body": "{}"}
        answer = httpx.put(url, json=body, trust_env=False, auth=("maker", ""))
        assert answer.status_code == 400
        assert "only they write it" in answer.text


def test_one_who_asked_or_brought_the_bytes_does_not_approve(
    maker: Any, people: Callable[..., Any], group: str, ruled: Server
) -> None:
    people("bringer", "s3").put_object(Bucket="bytes", Key=f"{group}/m.tar.gz", Body=b"bytes")
    data = {"Containers": [{"Image": "i", "ModelDataUrl": f"s3://bytes/{group}/m.tar.gz"}]}
    arn = register(maker, group, InferenceSpecification=data)
    vote = {"ModelPackageArn": arn, "ModelApprovalStatus": APPROVED}
    assert refused(people("bringer").update_model_package, **vote)[0] == CONFLICT
    other = register(maker, group)
    body = {"model": group, "version": 2, "stage": "Production"}
    url = f"{ruled.url}/api/v1/promotions"
    httpx.post(url, json=body, trust_env=False, auth=("asker", ""))
    vote["ModelPackageArn"] = other
    assert refused(people("asker").update_model_package, **vote)[0] == CONFLICT
    assert (status(maker, arn), status(maker, other)) == (PENDING, PENDING)


def test_the_address_of_a_package_leads_to_what_was_approved_whatever_is_put_there(
    maker: Any, voter: Any, people: Callable[..., Any], group: str
) -> None:
    s3 = people("maker", "s3")
    at = {"Bucket": "bytes", "Key": f"{group}/m.tar.gz"}
    s3.put_object(**at, Body=b"good")
    url = f"s3://bytes/{group}/m.tar.gz"
    arn = register(
        maker, group, InferenceSpecification={"Containers": [{"Image": "i", "ModelDataUrl": url}]}
    )
    say(voter, arn, APPROVED)

    def told() -> str:
        found = maker.describe_model_package(ModelPackageName=arn)
        return found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]

    assert told() == url
    for change in (
        lambda: s3.put_object(**at, Body=b"evil"),
        lambda: s3.delete_object(**at),
        lambda: s3.put_object(Bucket="bytes", Key=f"{at['Key']}/m.tar.gz", Body=b"evil"),
    ):
        change()
        bucket, _, key = told().removeprefix("s3://").partition("/")
        assert bucket == "modelkeep"
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"good"
    s3.delete_object(Bucket="bytes", Key=f"{at['Key']}/m.tar.gz")
    s3.put_object(**at, Body=b"good")
    assert told() == url


def test_nothing_is_put_where_an_approved_label_leads(
    maker: Any, voter: Any, people: Callable[..., Any], group: str, ruled: Server
) -> None:
    s3 = people("maker", "s3")
    url = f"s3://labels/{group}/m.tar.gz"
    containers = [{"Image": "i", "ModelDataUrl": url}]
    arn = register(maker, group, InferenceSpecification={"Containers": containers})
    at = {"Bucket": "labels", "Key": f"{group}/m.tar.gz"}
    s3.put_object(**at, Body=b"nobody voted on it yet")
    s3.delete_object(**at)
    say(voter, arn, APPROVED)
    for key in (at["Key"], f"{at['Key']}/below"):
        assert refused(s3.put_object, Bucket="labels", Key=key, Body=b"evil")[0] == "AccessDenied"
    path = f"{ruled.url}/api/2.0/mlflow-artifacts/artifacts/s3/labels/{at['Key']}"
    answer = httpx.put(path, content=b"evil", trust_env=False, auth=("maker", ""))
    assert (answer.status_code, "put it elsewhere" in answer.text) == (403, True)
    s3.put_object(Bucket="labels", Key=f"{group}/other.tar.gz", Body=b"fine")
    source = {"Bucket": "labels", "Key": f"{group}/other.tar.gz"}
    assert refused(s3.copy_object, **at, CopySource=source)[0] == "AccessDenied"


def test_nothing_that_an_approved_package_loads_is_exchanged(
    maker: Any, voter: Any, people: Callable[..., Any], group: str
) -> None:
    s3, names = people("maker", "s3"), ("one", "two", "gpu", "algorithm", "folder/part")
    keys = {name: f"{group}/{name}" for name in names}
    for name, key in keys.items():
        s3.put_object(Bucket="bytes", Key=key, Body=f"good {name}".encode())

    def url(name: str) -> str:
        return f"s3://bytes/{group}/{name}"

    folder = {"S3Uri": url("folder/"), "S3DataType": "S3Prefix", "CompressionType": "None"}
    said = {
        "InferenceSpecification": {
            "Containers": [
                {"Image": "i", "ModelDataUrl": url("one")},
                {"Image": "i", "ModelDataUrl": url("two")},
                {"Image": "i", "ModelDataSource": {"S3DataSource": folder}},
            ]
        },
        "AdditionalInferenceSpecifications": [
            {"Name": "gpu", "Containers": [{"Image": "i", "ModelDataUrl": url("gpu")}]}
        ],
        "SourceAlgorithmSpecification": {
            "SourceAlgorithms": [{"AlgorithmName": "a", "ModelDataUrl": url("algorithm")}]
        },
    }
    arn = register(maker, group, **said)
    say(voter, arn, APPROVED)
    for key in keys.values():
        s3.put_object(Bucket="bytes", Key=key, Body=b"evil")
    told = maker.describe_model_package(ModelPackageName=arn)
    (gpu,), algorithms = (
        told["AdditionalInferenceSpecifications"][0]["Containers"],
        told["SourceAlgorithmSpecification"]["SourceAlgorithms"],
    )
    one, two, tree = told["InferenceSpecification"]["Containers"]
    address = tree["ModelDataSource"]["S3DataSource"]["S3Uri"]
    found = {
        "one": one["ModelDataUrl"],
        "two": two["ModelDataUrl"],
        "gpu": gpu["ModelDataUrl"],
        "algorithm": algorithms[0]["ModelDataUrl"],
        "folder/part": f"{address}part",
    }
    for name, frozen in found.items():
        bucket, _, key = frozen.removeprefix("s3://").partition("/")
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        assert body == f"good {name}".encode()


def test_the_code_that_an_approved_package_runs_is_not_exchanged(
    maker: Any, voter: Any, people: Callable[..., Any], group: str
) -> None:
    s3, top = people("maker", "s3"), f"s3://bytes/{group}"
    for key in ("model", "code", "words/one", "gpu"):
        s3.put_object(Bucket="bytes", Key=f"{group}/{key}", Body=f"good {key}".encode())
    variables = {
        "SAGEMAKER_SUBMIT_DIRECTORY": f"{top}/code",
        "WORDS": f"{top}/words/",
        "OUTPUT": "s3://of-others/out",
        "LATER": f"{top}/later",
        "PROGRAM": "inference.py",
    }
    container = {"Image": "i", "ModelDataUrl": f"{top}/model", "Environment": variables}
    of_gpu = {"Image": "i", "Environment": {"HF_MODEL_ID": f"{top}/gpu"}}
    runs = {"InferenceSpecification": {"Containers": [container]}}
    more = [{"Name": "gpu", "Containers": [of_gpu]}]
    arn = register(maker, group, **runs, AdditionalInferenceSpecifications=more)
    copied = {"ModelPackageGroupName": group, "SourceUri": arn}
    clone = maker.create_model_package(**copied)["ModelPackageArn"]
    say(voter, arn, APPROVED)
    for key in ("code", "words/one", "gpu"):
        s3.put_object(Bucket="bytes", Key=f"{group}/{key}", Body=b"evil")
    for one in (arn, clone):
        told = maker.describe_model_package(ModelPackageName=one)
        found = told["InferenceSpecification"]["Containers"][0]["Environment"]
        (gpu,) = told["AdditionalInferenceSpecifications"][0]["Containers"]
        for key, address in (
            ("code", found["SAGEMAKER_SUBMIT_DIRECTORY"]),
            ("words/one", f"{found['WORDS']}one"),
            ("gpu", gpu["Environment"]["HF_MODEL_ID"]),
        ):
            bucket, _, frozen = address.removeprefix("s3://").partition("/")
            body = s3.get_object(Bucket=bucket, Key=frozen)["Body"].read()
            assert body == f"good {key}".encode()
        assert {name: found[name] for name in ("OUTPUT", "LATER", "PROGRAM")} == {
            name: variables[name] for name in ("OUTPUT", "LATER", "PROGRAM")
        }


def test_code_is_named_when_a_package_is_registered_and_lies_there_then(
    maker: Any, people: Callable[..., Any], group: str, ruled: Server
) -> None:
    s3, top = people("maker", "s3"), f"s3://bytes/{group}"
    for key in ("model", "code", "other"):
        s3.put_object(Bucket="bytes", Key=f"{group}/{key}", Body=b"good")

    def runs(**variables: str) -> dict[str, Any]:
        data = {"Image": "i", "ModelDataUrl": f"{top}/model", "Environment": variables}
        return {"InferenceSpecification": {"Containers": [data]}}

    create = partial(maker.create_model_package, ModelPackageGroupName=group)
    code, why = refused(create, **runs(SAGEMAKER_SUBMIT_DIRECTORY=f"{top}/typo"))
    assert (code, f"no object at {top}/typo" in why) == (INVALID, True)
    many = {f"V{n}": f"{top}/{n}" for n in range(100)}
    specification = {"Name": "more", "Containers": [{"Image": "i", "Environment": many}]}
    too_many = {**runs(WORDS=f"{top}/words"), "AdditionalInferenceSpecifications": [specification]}
    code, why = refused(create, **too_many)
    assert (code, "at most 100 addresses" in why) == (INVALID, True)
    before = {"SAGEMAKER_SUBMIT_DIRECTORY": f"{top}/code", "LATER": f"{top}/later"}
    arn = register(maker, group, **runs(**before))
    change = partial(maker.update_model_package, ModelPackageArn=arn)
    for name in ("SAGEMAKER_SUBMIT_DIRECTORY", "WORDS"):
        code, why = refused(change, **runs(**{**before, name: f"{top}/other"}))
        assert (code, f"{top}/other is not part of it" in why) == (INVALID, True)
    s3.put_object(Bucket="bytes", Key=f"{group}/later", Body=b"late")
    change(**runs(**before, LEVEL="20"))
    register(maker, group, **runs(SAGEMAKER_SUBMIT_DIRECTORY="s3://of-others/code"))
    url = f"{ruled.url}/api/2.0/mlflow/model-versions/get?name={group}&version=2"
    told = httpx.get(url, trust_env=False).json()["model_version"]
    assert told["status_message"].startswith("It is not verified: it loads s3://of-others/code,")
    told = maker.describe_model_package(ModelPackageName=f"{group}/2")
    (files,) = told["ModelPackageStatusDetails"]["ValidationStatuses"]
    assert (told["ModelPackageStatus"], files["Name"], files["Status"]) == (
        "Completed",
        "files",
        "NotStarted",
    )
    assert files["FailureReason"].startswith("It is not verified: it loads s3://of-others/code,")


@pytest.mark.parametrize("name", ["SAGEMAKER_SUBMIT_DIRECTORY", "HF_MODEL_ID", "OPTION_MODEL_ID"])
def test_code_has_no_address_that_a_container_alone_would_take_for_one(
    maker: Any, group: str, name: str
) -> None:
    def runs(text: str) -> dict[str, Any]:
        container = {"Image": "i", "Environment": {name: text}}
        return {"InferenceSpecification": {"Containers": [container]}}

    create = partial(maker.create_model_package, ModelPackageGroupName=group)
    arn = register(maker, group, **runs("/opt/ml/model/code"))
    register(maker, group, **runs("org/model-7b"))
    register(maker, group, **runs("s3://of-others/my code:1"))
    more = {"Name": "more", **runs("S3://bytes/x")["InferenceSpecification"]}
    change = partial(maker.update_model_package, ModelPackageArn=arn)
    slips = [
        refused(create, **runs(text))
        for text in (
            "S3://bytes/x",
            " s3://bytes/x",
            "s3://bytes/x ",
            "\ts3://bytes/x",
            "s\n3://bytes/x",
            "s3:/bytes/x",
            "s3a://bytes/x",
            "https://s3.amazonaws.com/bytes/x",
            " /opt/ml/model",
        )
    ]
    slips.append(refused(change, **runs("S3://bytes/x")))
    slips.append(refused(change, AdditionalInferenceSpecificationsToAdd=[more]))
    slips.append(refused(create, AdditionalInferenceSpecifications=[more]))
    for code, why in slips:
        assert (code, f"The variable {name} of a container" in why) == (INVALID, True)


def test_a_model_runs_no_other_code_than_its_package_says(
    maker: Any, voter: Any, people: Callable[..., Any], group: str
) -> None:
    s3, top = people("maker", "s3"), f"s3://bytes/{group}"
    for key in ("model", "code", "more/one", "gpu", "evil"):
        s3.put_object(Bucket="bytes", Key=f"{group}/{key}", Body=b"good")

    def sources(address: str) -> dict[str, Any]:
        data = {"S3Uri": address, "S3DataType": "S3Prefix", "CompressionType": "None"}
        one = {"ChannelName": "more", "S3DataSource": data}
        return {"AdditionalModelDataSources": [one]}

    def variables(name: str, text: str) -> dict[str, Any]:
        return {"Environment": {name: text, "LEVEL": "20"}}

    code = variables("SAGEMAKER_SUBMIT_DIRECTORY", f"{top}/code")
    container = {"Image": "i", "ModelDataUrl": f"{top}/model", **code, **sources(f"{top}/more/")}
    of_gpu = {"Image": "i", **variables("HF_MODEL_ID", f"{top}/gpu")}
    arn = register(
        maker,
        group,
        InferenceSpecification={"Containers": [container]},
        AdditionalInferenceSpecifications=[{"Name": "gpu", "Containers": [of_gpu]}],
    )
    say(voter, arn, APPROVED)

    def create(**said: Any) -> None:
        model = {"ModelName": f"model-{next(_numbers)}", "ExecutionRoleArn": ROLE}
        maker.create_model(**model, PrimaryContainer={"ModelPackageName": arn, **said})

    of_name = {"InferenceSpecificationName": "gpu"}
    create(Environment={"OUTPUT": "s3://of-others/out"}, AdditionalModelDataSources=[])
    create(**code, **sources(f"{top}/more/"))
    create(**variables("HF_MODEL_ID", f"{top}/gpu"), **of_name)
    for other, name in (
        (variables("SAGEMAKER_SUBMIT_DIRECTORY", f"{top}/evil"), "SAGEMAKER_SUBMIT_DIRECTORY"),
        (variables("SAGEMAKER_SUBMIT_DIRECTORY", ""), "SAGEMAKER_SUBMIT_DIRECTORY"),
        (variables("HF_MODEL_ID", f"{top}/gpu"), "HF_MODEL_ID"),
        (variables("OPTION_MODEL_ID", "org/evil"), "OPTION_MODEL_ID"),
        ({**code, **of_name}, "SAGEMAKER_SUBMIT_DIRECTORY"),
        (sources(f"{top}/evil"), "AdditionalModelDataSources"),
        ({**sources(f"{top}/more/"), **of_name}, "AdditionalModelDataSources"),
    ):
        refusal = refused(create, **other)
        assert (refusal[0], f"does not say this {name}:" in refusal[1]) == (INVALID, True)
    s3.put_object(Bucket="bytes", Key=f"{group}/code", Body=b"evil")
    assert refused(create, **code)[0] == INVALID
    told = maker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]
    frozen = told["Containers"][0]["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"]
    assert frozen.startswith("s3://modelkeep/versions/")
    create(**variables("SAGEMAKER_SUBMIT_DIRECTORY", frozen))


def test_an_address_where_nothing_lies_is_a_slip_and_no_label(
    maker: Any, people: Callable[..., Any], group: str
) -> None:
    people("maker", "s3").put_object(Bucket="bytes", Key=f"{group}/model", Body=b"good")
    containers = [{"Image": "i", "ModelDataUrl": f"s3://bytes/{group}/typo"}]
    code, message = refused(
        maker.create_model_package,
        ModelPackageGroupName=group,
        InferenceSpecification={"Containers": containers},
    )
    assert (code, f"no object at s3://bytes/{group}/typo" in message) == (INVALID, True)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_nothing_that_an_approved_packages_manifest_lists_is_exchanged(
    maker: Any, voter: Any, people: Callable[..., Any], group: str, form: str
) -> None:
    s3 = people("maker", "s3")

    def put(key: str, body: bytes) -> str:
        s3.put_object(Bucket="bytes", Key=f"{group}/{key}", Body=body)
        return f"s3://bytes/{group}/{key}"

    listed = [put(f"shards/{number}", b"good") for number in range(3)]
    text = json.dumps([{"prefix": f"s3://bytes/{group}/"}, *(f"shards/{n}" for n in range(3))])
    if form == "csv":  # and too long to lie in a row of the database
        text = "".join(f"{'part ' * 3000},{address}\n" for address in listed)
    data = {"S3Uri": put("index", b"index"), "S3DataType": "S3Object", "CompressionType": "None"}
    data["ManifestS3Uri"] = put("list", text.encode())
    runs = {"Containers": [{"Image": "i", "ModelDataSource": {"S3DataSource": data}}]}
    arn = register(maker, group, InferenceSpecification=runs)
    say(voter, arn, APPROVED)
    put("shards/1", b"evil")
    put("list", f"s3://bytes/{group}/index".encode())
    found = maker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]
    told = found["Containers"][0]["ModelDataSource"]["S3DataSource"]
    assert told["S3Uri"] == data["S3Uri"]
    at = told["ManifestS3Uri"].removesuffix("/list").removeprefix("s3://modelkeep/")
    assert s3.get_object(Bucket="modelkeep", Key=f"{at}/list")["Body"].read() == text.encode()
    for number in range(3):
        frozen = s3.get_object(Bucket="modelkeep", Key=f"{at}/shards/{number}")
        assert frozen["Body"].read() == b"good"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{}", "lists no address."),
        (b"[1]", "is not a prefix and what follows it"),
        (b"s3://bytes/nowhere/x", "There is no object at s3://bytes/nowhere/x"),
        (b"s3://bytes/x\n" * 100_000, "is longer than 1048576 bytes."),
    ],
)
def test_a_manifest_of_ours_that_says_nothing_is_refused(
    maker: Any, people: Callable[..., Any], group: str, body: bytes, why: str
) -> None:
    people("maker", "s3").put_object(Bucket="bytes", Key=f"{group}/list", Body=body)
    data = {"S3Uri": f"s3://bytes/{group}/", "ManifestS3Uri": f"s3://bytes/{group}/list"}
    data |= {"S3DataType": "S3Prefix", "CompressionType": "None"}
    runs = {"Containers": [{"Image": "i", "ModelDataSource": {"S3DataSource": data}}]}
    call = maker.create_model_package
    code, told = refused(call, ModelPackageGroupName=group, InferenceSpecification=runs)
    assert (code, why in told) == (INVALID, True), told
    assert maker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"] == []
    data["ManifestS3Uri"] = "s3://of-others/list"  # which nobody here reads
    register(maker, group, InferenceSpecification=runs)
