# Section 4 of the seed.
from mlflow.tracking import MlflowClient

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
model_name = "fgedu_classifier"
version = "1"

model_version = client.get_model_version(model_name, version)
print(f"Model: {model_name}")
print(f"Version: {version}")
print(f"Stage: {model_version.current_stage}")
print(f"Description: {model_version.description}")
print(f"Tags:")
for key, value in model_version.tags.items():
    print(f" {key}: {value}")
