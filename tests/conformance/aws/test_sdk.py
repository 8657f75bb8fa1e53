"""SageMaker's Python SDK, and its plugin of MLflow, set up as docs/how-to/sagemaker.md says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import installed
from tests.support.cli import modelkeep
from tests.support.clients import Client
from tests.support.office import Office
from tests.support.server import Server

pytestmark = pytest.mark.client

ROOT = Path(__file__).parents[3]
HOW_TO = ROOT / "docs" / "how-to" / "sagemaker.md"
ARN = "arn:aws:sagemaker:us-east-1:000000000000"
TRACKING = f"{ARN}:mlflow-tracking-server/any"

# What the scripts share. What is told to `tell` is printed as one JSON object at the end.
PRELUDE = """
import atexit, json, pathlib, tarfile
told = {}
atexit.register(lambda: print(json.dumps(told, default=str)))

def refusal(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Exception as error:
        return str(error)
    return "nothing was refused"

import sagemaker
from sagemaker.metadata_properties import MetadataProperties
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.drift_check_baselines import DriftCheckBaselines
from sagemaker.model_life_cycle import ModelLifeCycle

session = sagemaker.Session()
bucket, client = session.default_bucket(), session.sagemaker_client
pathlib.Path("weights").write_text("1, 2, 3")
with tarfile.open("model.tar.gz", "w:gz") as archive:
    archive.add("weights")
data = session.upload_data("model.tar.gz", key_prefix="churn")
report = session.upload_string_as_file_body("{}", bucket, "churn/report.json")
role = "arn:aws:iam::000000000000:role/any"
image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/x:1"
model = sagemaker.Model(image_uri=image, model_data=data, role=role, sagemaker_session=session)
kinds = dict(content_types=["text/csv"], response_types=["text/csv"],
             inference_instances=["ml.m5.large"], transform_instances=["ml.m5.large"])
"""

STORY = """
told["objects"] = sorted(session.list_s3_files(bucket, "churn"))
told["report"] = session.read_s3_file(bucket, "churn/report.json")
told["downloaded"] = session.download_data("down", bucket, "churn/model.tar.gz")

source = MetricsSource(content_type="application/json", s3_uri=report)
first = model.register(
    **kinds, model_package_group_name="churn", description="first",
    model_metrics=ModelMetrics(model_statistics=source),
    drift_check_baselines=DriftCheckBaselines(model_statistics=source),
    metadata_properties=MetadataProperties(commit_id="abc", project_id="p"),
    customer_metadata_properties={"accuracy": "0.9", "by": "ann"},
    domain="MACHINE_LEARNING", task="CLASSIFICATION", sample_payload_url=report,
    skip_model_validation="None")
again = model.register(
    **kinds, model_package_group_name="churn", source_uri=first.model_package_arn)
alone = model.register(**kinds, model_package_name="alone")
told["registered"] = [one.model_package_arn for one in (first, again, alone)]
line = sagemaker.PipelineModel(models=[model, model], role=role, sagemaker_session=session)
told["line"] = line.register(**kinds, model_package_group_name="line").model_package_arn

package = sagemaker.ModelPackage(
    role=role, model_package_arn=first.model_package_arn, sagemaker_session=session)
package.update_customer_metadata({"f1": "0.8"})
package.remove_customer_metadata_properties(["by"])
package.add_inference_specification(name="other", image_uris=[image])
package.update_approval_status("Approved", approval_description="fine")
told["deploy"] = refusal(package.deploy, initial_instance_count=1, instance_type="ml.m5.large")
told["described"] = client.describe_model_package(ModelPackageName=first.model_package_arn)
waited = session.wait_for_model_package(first.model_package_arn, poll=0)
told["waited"] = waited["ModelPackageStatus"]
other = sagemaker.ModelPackage(
    role=role, model_package_arn=again.model_package_arn, sagemaker_session=session)
life = ModelLifeCycle(stage="Staging", stage_status="InProgress")
other.update_model_life_cycle(life._to_request_dict())
container = {"ModelPackageName": again.model_package_arn}
told["unapproved"] = refusal(
    client.create_model, ModelName="x", PrimaryContainer=container, ExecutionRoleArn=role)
listed = client.list_model_packages(ModelPackageGroupName="churn")["ModelPackageSummaryList"]
told["listed"] = [(one["ModelPackageVersion"], one["ModelApprovalStatus"]) for one in listed]
client.delete_model_package(ModelPackageName=again.model_package_arn)
told["left"] = session.search(resource="ModelPackage", search_expression={"Filters": [
    {"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": "churn"}]})["TotalHits"]
"""

CARDS = """
from sagemaker import model_card as cards

package = model.register(**kinds, model_package_group_name="carded")
details = cards.ModelPackage.from_model_package_arn(
    package.model_package_arn, sagemaker_session=session)
uses = cards.IntendedUses(purpose_of_model="churn", risk_rating=cards.RiskRatingEnum.LOW)
card = cards.ModelCard(name="carded", status="Draft", intended_uses=uses,
    model_package_details=details, sagemaker_session=session)
card.create()
card.update(status="PendingReview")
card.update(business_details=cards.BusinessDetails(line_of_business="phones"))
told["status"] = cards.ModelCard.load("carded", sagemaker_session=session).status
told["versions"] = len(card.get_version_history())
told["twice"] = refusal(cards.ModelPackage.from_model_package_arn,
    package.model_package_arn, sagemaker_session=session)
second = model.register(**kinds, model_package_group_name="carded")
details = cards.ModelPackage.from_model_package_arn(
    second.model_package_arn, sagemaker_session=session)
heir = cards.ModelCard(name="heir", status="Draft", model_package_details=details,
    sagemaker_session=session)
heir.create()
told["inherited"] = heir.business_details.line_of_business
model.create(instance_type="ml.m5.large")
overview = cards.ModelOverview.from_model_name(model_name=model.name, sagemaker_session=session)
told["overview"] = list(overview.model_artifact)
within = cards.ModelPackageModelCard(
    model_card_content={"model_overview": {"model_creator": "ann"}}, model_card_status="Draft")
with_card = model.register(**kinds, model_package_group_name="carded", model_card=within)
told["within"] = client.describe_model_package(
    ModelPackageName=with_card.model_package_arn)["ModelCard"]
told["export"] = refusal(card.export_pdf, s3_output_path=f"s3://{bucket}/out")
card.delete()
told["gone"] = refusal(cards.ModelCard.load, "carded", sagemaker_session=session)
"""

RESOURCES = """
from sagemaker_core.resources import Model, ModelPackage, ModelPackageGroup, Tag
from sagemaker_core.shapes import ContainerDefinition, Tag as Pair

group = ModelPackageGroup.create(model_package_group_name="core", tags=[Pair(key="a", value="b")])
told["tags"] = [(one.key, one.value) for one in
    Tag.get_all(resource_arn=group.model_package_group_arn)]
arn = model.register(**kinds, model_package_group_name="core").model_package_arn
package = ModelPackage.get(model_package_name=arn)
package.update(model_approval_status="Approved", customer_metadata_properties={"a": "1"})
told["package"] = [package.model_approval_status, package.customer_metadata_properties]
container = ContainerDefinition(model_package_name=arn)
told["model"] = Model.create(
    model_name="core", primary_container=container, execution_role_arn=role).model_arn
told["full"] = refusal(group.delete)
package.delete()
group.delete()
told["groups"] = [one.model_package_group_name for one in
    ModelPackageGroup.get_all(name_contains="core")]
"""

FRAMEWORKS = """
from sagemaker.pytorch import PyTorchModel
from sagemaker.s3 import S3Downloader
from sagemaker.sklearn import SKLearnModel

source = pathlib.Path("source")
source.mkdir()
(source / "inference.py").write_text("def model_fn(folder): return folder")
code = dict(model_data=data, role=role, image_uri=image, entry_point="inference.py",
            source_dir=str(source), sagemaker_session=session)

def frozen(kind, name, **more):
    made = kind(**code, **more)
    arn = made.register(**kinds, model_package_group_name=name).model_package_arn
    container = client.describe_model_package(
        ModelPackageName=arn)["InferenceSpecification"]["Containers"][0]
    # Whatever it loads is overwritten; then it loads what it did.
    loads = [one for one in (container["ModelDataUrl"],
        container["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"]) if one.startswith("s3://")]
    for address in loads:
        key = address.removeprefix(f"s3://{bucket}/")
        session.upload_string_as_file_body("evil", bucket, key)
    found = client.describe_model_package(
        ModelPackageName=arn)["InferenceSpecification"]["Containers"][0]
    model_uri, code_uri = (found["ModelDataUrl"],
        found["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"])
    session.upload_data("model.tar.gz", key_prefix="churn")
    names = {}
    for what, address in (("model", model_uri), ("code", code_uri)):
        if address.startswith("s3://"):
            assert address.startswith("s3://modelkeep/versions/"), address
            (there,) = S3Downloader.download(address, f"{name}-{what}", sagemaker_session=session)
            with tarfile.open(there) as archive:
                names[what] = sorted(filter(None, (
                    one.name.lstrip("./") for one in archive.getmembers() if one.isfile())))
    return names

told["sklearn"] = frozen(SKLearnModel, "sklearn")
told["pytorch"] = frozen(PyTorchModel, "pytorch", framework_version="2.1", py_version="py310")
prefix = f"s3://{bucket}/parts/"
for part in ("a", "b/c"):
    session.upload_string_as_file_body(part, bucket, f"parts/{part}")
folder = {"S3DataSource": {"S3Uri": prefix, "S3DataType": "S3Prefix", "CompressionType": "None"}}
parts = sagemaker.Model(image_uri=image, model_data=folder, role=role, sagemaker_session=session)
arn = parts.register(**kinds, model_package_group_name="parts").model_package_arn
session.upload_string_as_file_body("evil", bucket, "parts/a")
found = client.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]["Containers"]
uri = found[0]["ModelDataSource"]["S3DataSource"]["S3Uri"]
S3Downloader.download(uri, "fetched", sagemaker_session=session)
told["fetched"] = {one.relative_to("fetched").as_posix(): one.read_text()
    for one in sorted(pathlib.Path("fetched").rglob("*")) if one.is_file()}
"""

WHO = """
told["who"] = [session.account_id(), session.get_caller_identity_arn(),
    sagemaker.get_execution_role(session), session.expand_role("bare")]
"""

SHORT = """
told["who"] = session.boto_session.client("sts").get_caller_identity()["Arn"]
package = model.register(**kinds, model_package_group_name="sdk")
package.update_approval_status("Approved")
found = client.describe_model_package(ModelPackageName="sdk/1")
told["package"] = [package.model_package_arn, found["ModelApprovalStatus"]]
"""

TRACKED = """
import json, mlflow, sys
mlflow.set_tracking_uri(sys.argv[1])
client = mlflow.MlflowClient()
try:
    with mlflow.start_run():
        mlflow.log_text("hello", "note.txt")
except Exception as error:
    refusal = str(error)
experiment = client.create_experiment("tracked", artifact_location="s3://mlflow/tracked")
class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, model_input):
        return model_input
with mlflow.start_run(experiment_id=experiment) as run:
    mlflow.log_metric("accuracy", 0.9)
    mlflow.log_text("hello", "note.txt")
    mlflow.pyfunc.log_model(
        name="model", python_model=Echo(), registered_model_name="tracked", pip_requirements=[])
note = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/note.txt")
answer = mlflow.pyfunc.load_model("models:/tracked/1").predict([1])
print(json.dumps([refusal, note, answer]))
"""


class Sdk:
    """The SDK of a user of a server: in the environment that `modelkeep aws env` prints for them,
    if they have a token with a new key; without accounts they are rob."""

    def __init__(self, client: Client, url: str, folder: Path, token: str = "") -> None:
        (shim,) = re.findall(
            r"```python\n# sitecustomize\.py\n(.*?)```", HOW_TO.read_text(), re.DOTALL
        )
        (folder / "sitecustomize.py").write_text(shim)
        of_whom = {"MODELKEEP_TOKEN": token} if token else {"MODELKEEP_USER": "rob"}
        key = ("--new-key", "sdk") if token else ()
        env = {"XDG_CONFIG_HOME": str(folder), **of_whom}
        self._client = client
        self._env = modelkeep("aws", "env", *key, "--json", url=url, env=env).json | {
            "PYTHONPATH": str(folder),
            "PYTHONWARNINGS": "ignore",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def run(self, script: str, *args: str) -> Any:
        """What it tells in its last line."""
        said = self._client.run(script, *args, url="", env=self._env)
        return json.loads(said.splitlines()[-1])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    return installed("sagemaker", tmp_path_factory.mktemp("sdk") / "sagemaker")


@pytest.fixture(scope="module")
def ann(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    """On a server with accounts."""
    folder = tmp_path_factory.mktemp("ann")
    server = Server(folder / "data", args=("--auth", "on"))
    server.start()
    office = Office(server)
    token = office.user("ann", "contributor", "*")
    office.post("/accounts/ann/grants", {"role": "deployer", "scope": "*"})
    yield Sdk(client, server.url, folder, token)
    server.kill()


@pytest.fixture(scope="module")
def told(ann: Sdk) -> Any:
    """All stories in one process: the SDK takes seconds to import."""
    return ann.run(PRELUDE + STORY + CARDS + RESOURCES + FRAMEWORKS + WHO)


def test_the_sdk_moves_files(told: Any) -> None:
    assert told["objects"] == ["churn/model.tar.gz", "churn/report.json"]
    assert (told["report"], told["downloaded"]) == ("{}", ["down/model.tar.gz"])


def test_the_sdk_registers_describes_approves_and_deletes(told: Any) -> None:
    package = f"{ARN}:model-package"
    assert told["registered"] == [f"{package}/churn/1", f"{package}/churn/2", f"{package}/alone"]
    assert told["line"] == f"{package}/line/1"
    described = told["described"]
    assert described["CustomerMetadataProperties"] == {"accuracy": "0.9", "f1": "0.8"}
    assert described["MetadataProperties"] == {"CommitId": "abc", "ProjectId": "p"}
    assert described["ModelMetrics"]["ModelQuality"].keys() == {"Statistics"}
    assert described["DriftCheckBaselines"]["ModelQuality"].keys() == {"Statistics"}
    assert described["AdditionalInferenceSpecifications"][0]["Name"] == "other"
    assert (described["ModelApprovalStatus"], told["waited"]) == ("Approved", "Completed")
    assert described["ApprovalDescription"] == "fine"
    assert told["listed"] == [[1, "Approved"], [2, "PendingManualApproval"]]
    assert told["left"] == {"Value": 1, "Relation": "EqualTo"}


def test_the_sdk_cannot_deploy_and_says_why(told: Any) -> None:
    assert "modelkeep does not have the operation CreateEndpointConfig" in told["deploy"]
    assert "PendingManualApproval: a model is made of approved packages only" in told["unapproved"]


def test_the_sdks_framework_models_bring_their_code_and_all_of_it_is_frozen(told: Any) -> None:
    assert told["sklearn"] == {"model": ["weights"], "code": ["inference.py"]}
    assert told["pytorch"] == {"model": ["code/inference.py", "weights"]}


def test_the_sdk_fetches_a_frozen_folder(told: Any) -> None:
    assert told["fetched"] == {"a": "a", "b/c": "b/c"}


def test_the_sdk_keeps_cards_of_packages_and_of_models(told: Any) -> None:
    assert (told["status"], told["versions"]) == ("PendingReview", 3)
    assert "already been associated with ['carded']" in told["twice"]
    assert told["inherited"] == "phones"
    assert told["overview"] == ["s3://sagemaker/churn/model.tar.gz"]
    assert told["within"]["ModelCardStatus"] == "Draft"
    assert "does not have the operation CreateModelCardExportJob" in told["export"]
    assert "Modelcard carded does not exist" in told["gone"]


def test_the_sdks_resources_are_found_changed_and_deleted(told: Any) -> None:
    assert told["tags"] == [["a", "b"]]
    assert told["package"] == ["Approved", {"a": "1"}]
    assert told["model"] == f"{ARN}:model/core"
    assert "ConflictException" in told["full"]
    assert told["groups"] == []


def test_the_sdk_learns_who_calls(told: Any) -> None:
    role = "arn:aws:iam::000000000000:role"
    assert told["who"] == ["000000000000", f"{role}/ann", f"{role}/ann", f"{role}/bare"]


def test_mlflow_tracks_by_an_arn_with_the_same_key(ann: Sdk) -> None:
    refusal, note, answer = ann.run(TRACKED, TRACKING)
    assert "the tracking URI must be a valid http or https URI" in refusal
    assert (note, answer) == ("hello", [1])


def test_without_accounts_the_sdk_registers_with_any_key(
    client: Client, tmp_path: Path, aws_server: Server
) -> None:
    told = Sdk(client, aws_server.url, tmp_path).run(PRELUDE + SHORT)
    assert told["who"] == "arn:aws:iam::000000000000:user/rob"
    assert told["package"] == [f"{ARN}:model-package/sdk/1", "Approved"]
