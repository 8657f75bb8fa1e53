# Section 6 of the seed.
import mlflow
from mlflow.tracking import MlflowClient

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
model_name = "fgedu_classifier"
version = "1"

model_version = client.get_model_version(model_name, version)
run = client.get_run(model_version.run_id)

print(f"Model Lineage for {model_name} v{version}")
print("=" * 60)
print("\nRun Information:")
print(f" Run ID: {run.info.run_id}")
print(f" Experiment ID: {run.info.experiment_id}")
print(f" Start Time: {run.info.start_time}")
print(f" Status: {run.info.status}")

print("\nParameters:")
for key, value in run.data.params.items():
    print(f" {key}: {value}")

print("\nMetrics:")
for key, value in run.data.metrics.items():
    print(f" {key}: {value}")

print("\nArtifacts:")
for artifact in client.list_artifacts(run.info.run_id):
    print(f" {artifact.path}")

print("\nTags:")
for key, value in run.data.tags.items():
    if key.startswith("mlflow."):
        continue
    print(f" {key}: {value}")
