# Section 9 of the seed.
from mlflow.tracking import MlflowClient

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
model_name = "fgedu_classifier"
version = "1"

model_version = client.get_model_version(model_name, version)
run_id = model_version.run_id

print(f"Artifacts for {model_name} v{version}:")
print("=" * 60)

def list_artifacts_recursive(path=""):
    artifacts = client.list_artifacts(run_id, path)
    for artifact in artifacts:
        full_path = f"{path}/{artifact.path}" if path else artifact.path
        if artifact.is_dir:
            print(f"[DIR] {full_path}/")
            list_artifacts_recursive(artifact.path)
        else:
            size_mb = artifact.file_size / (1024 * 1024) if artifact.file_size else 0
            print(f"[FILE] {full_path} ({size_mb:.2f} MB)")

list_artifacts_recursive()
