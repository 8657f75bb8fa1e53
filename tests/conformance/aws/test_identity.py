"""Who calls, as stock clients ask it; and the environment in which they find the server."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.aws.conftest import Aws
from tests.support.cli import modelkeep
from tests.support.office import Office
from tests.support.server import Server

ROLE = "arn:aws:iam::123456789012:role/x"
ROOT = Path(__file__).parents[3]
HOW_TO = ROOT / "docs" / "how-to" / "sagemaker.md"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with accounts, of an account number of its own."""
    options = ("--auth", "on", "--aws-account", "123456789012")
    server = Server(tmp_path_factory.mktemp("aws") / "data", args=options)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def office(guarded: Server) -> Office:
    found = Office(guarded)
    found.user("ann", "contributor", "*")
    found.user("eve", "viewer", "*")
    found.post("/accounts", {"name": "ci", "kind": "service", "owner": "ann"})
    return found


def client_of(office: Office, guarded: Server, name: str, service: str, **wanted: str) -> Any:
    key = office.post(f"/accounts/{name}/keys", wanted)
    return Aws(guarded.url).client(service, key["id"], key["secret"])


def test_a_user_is_a_user_and_a_service_a_role_that_was_assumed(
    office: Office, guarded: Server
) -> None:
    ann = client_of(office, guarded, "ann", "sts").get_caller_identity()
    assert ann["Arn"] == "arn:aws:iam::123456789012:user/ann"
    assert (ann["Account"], ann["UserId"]) == ("123456789012", "ann")
    other = client_of(office, guarded, "ci", "sts", account_number="210987654321")
    ci = other.get_caller_identity()
    assert ci["Arn"] == "arn:aws:sts::210987654321:assumed-role/ci/modelkeep"
    assert ci["Account"] == "210987654321"


def test_any_role_is_there_and_sagemaker_may_assume_it(aws: Aws) -> None:
    role = aws.client("iam").get_role(RoleName="SageMakerRole")["Role"]
    assert role["Arn"] == "arn:aws:iam::000000000000:role/SageMakerRole"
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    with pytest.raises(ClientError, match="failed to satisfy constraint"):
        aws.client("iam").get_role(RoleName="no role")


def test_what_a_caller_may_do_is_simulated_by_whether_they_may_write(
    office: Office, guarded: Server
) -> None:
    for name, decision in (("ann", "allowed"), ("eve", "implicitDeny")):
        iam = client_of(office, guarded, name, "iam")
        asked = {"PolicySourceArn": ROLE, "ActionNames": ["s3:GetObject", "sagemaker:CreateModel"]}
        results = iam.simulate_principal_policy(**asked)["EvaluationResults"]
        assert [r["EvalDecision"] for r in results] == [decision] * 2
        asked["ResourceArns"] = ["arn:aws:s3:::a", "arn:aws:s3:::b"]
        results = iam.simulate_principal_policy(**asked)["EvaluationResults"]
        assert [r["EvalResourceName"] for r in results] == asked["ResourceArns"] * 2


def test_without_accounts_a_key_is_a_claim(aws: Aws) -> None:
    who = aws.client("sts", "AKIAROBROBROBROBROBR").get_caller_identity()
    assert who["Arn"] == "arn:aws:iam::000000000000:user/AKIAROBROBROBROBROBR"
    refused = modelkeep("keys", "create", "--of", "ann", "--url", aws.url)
    assert refused.code == 1
    assert "--auth off" in refused.err


# -- the environment -------------------------------------------------------------------------------


def exported(text: str) -> dict[str, str]:
    words = (shlex.split(line) for line in text.splitlines())
    return dict(word.split("=", 1) for _, word in words)


def test_the_environment_that_is_printed_is_what_boto3_needs(
    office: Office, guarded: Server, tmp_path: Path
) -> None:
    env = {"MODELKEEP_TOKEN": office.token, "XDG_CONFIG_HOME": str(tmp_path)}
    words = ("aws", "env", "--new-key", "my notebook", "--bucket", "models", "--url", guarded.url)
    told = exported(modelkeep(*words, env=env).out)
    assert told["AWS_ENDPOINT_URL"] == guarded.url
    defaults = Path(told["SAGEMAKER_USER_CONFIG_OVERRIDE"])
    assert defaults == tmp_path / "modelkeep" / "sagemaker.yaml"
    assert "DefaultS3Bucket: models" in defaults.read_text()
    again = modelkeep("aws", "env", "--json", "--url", guarded.url, env=env | told)
    assert json.loads(again.out) == told
    sts = Aws(told["AWS_ENDPOINT_URL"]).client(
        "sts", told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"]
    )
    assert sts.get_caller_identity()["UserId"] == "boss"
    assert modelkeep("aws", "env", "--bucket", "A b", env=env).code == 64
    (listed,) = json.loads(modelkeep("keys", "list", "--json", "--url", guarded.url, env=env).out)
    assert listed["id"] == told["AWS_ACCESS_KEY_ID"]
    nobody = {"XDG_CONFIG_HOME": str(tmp_path / "nobody")}
    unknown = modelkeep("keys", "list", "--url", guarded.url, env=nobody)
    assert (unknown.code, "`modelkeep login NAME`" in unknown.err) == (1, True), unknown.err
    none = "MK" + "A" * 18
    missing = modelkeep("keys", "revoke", none, "--url", guarded.url, env=env)
    assert missing.err.strip() == f"boss has no key {none}."
    revoked = modelkeep("keys", "revoke", listed["id"], "--url", guarded.url, env=env)
    assert revoked.code == 0
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        sts.get_caller_identity()


@pytest.mark.parametrize(
    ("words", "env", "name"),
    [
        (("--user", "bob"), {"MODELKEEP_USER": "eve", "AWS_ACCESS_KEY_ID": "any"}, "bob"),
        ((), {"MODELKEEP_USER": "ann@example.org", "AWS_ACCESS_KEY_ID": "any"}, "ann@example.org"),
        ((), {"AWS_ACCESS_KEY_ID": "mine", "LOGNAME": "rob"}, "mine"),
        ((), {"AWS_ACCESS_KEY_ID": "", "LOGNAME": "rob"}, "rob"),
    ],
)
def test_without_accounts_the_environment_is_of_whoever_one_says_to_be(
    aws: Aws, tmp_path: Path, words: tuple[str, ...], env: dict[str, str], name: str
) -> None:
    given = {"XDG_CONFIG_HOME": str(tmp_path), **env}
    told = modelkeep("aws", "env", "--json", *words, url=aws.url, env=given).json
    assert told["AWS_ACCESS_KEY_ID"] == name
    sts = aws.client("sts", told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"])
    assert sts.get_caller_identity()["UserId"] == name


def test_the_shim_brings_the_sdks_own_address_of_sts_to_the_server(
    office: Office, guarded: Server, tmp_path: Path
) -> None:
    python = Path(os.environ.get("MODELKEEP_S3_PYTHON") or ROOT / ".envs" / "s3" / "bin" / "python")
    if not python.exists():
        pytest.skip(f"there is no boto3: {python}")
    (shim,) = re.findall(r"```python\n# sitecustomize\.py\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    (tmp_path / "sitecustomize.py").write_text(shim)
    env = {"MODELKEEP_TOKEN": office.token, "XDG_CONFIG_HOME": str(tmp_path)}
    words = ("aws", "env", "--new-key", "shim", "--json", "--url", guarded.url)
    told = json.loads(modelkeep(*words, env=env).out)
    fixed = "endpoint_url='https://sts.us-east-1.amazonaws.com'"
    asks = f"boto3.Session().client('sts', {fixed}).get_caller_identity()['UserId']"
    ended = subprocess.run(
        [python, "-c", f"import boto3; print({asks})"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path), **told},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout.strip() == "boss", ended.stderr
