# Section 4 of the seed.
from mlflow.tracking import MlflowClient
import datetime

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")

def generate_version_name(model_name, version_type="patch"):
    latest_versions = client.search_model_versions(
        f"name='{model_name}'",
        order_by=["version_number DESC"],
        max_results=1
    )
    if not latest_versions:
        return "v1.0.0"
    current_version = latest_versions[0].tags.get("semantic_version", "v1.0.0")
    major, minor, patch = map(int, current_version[1:].split("."))
    if version_type == "major":
        major += 1
        minor = 0
        patch = 0
    elif version_type == "minor":
        minor += 1
        patch = 0
    else:
        patch += 1
    return f"v{major}.{minor}.{patch}"

model_name = "fgedu_classifier"
new_version = generate_version_name(model_name, "patch")
print(f"New version: {new_version}")

client.set_model_version_tag(
    name=model_name,
    version="2",
    key="semantic_version",
    value=new_version
)
client.set_model_version_tag(
    name=model_name,
    version="2",
    key="release_date",
    value=datetime.datetime.now().strftime("%Y-%m-%d")
)
client.set_model_version_tag(
    name=model_name,
    version="2",
    key="author",
    value="fgedu_ml_team"
)
