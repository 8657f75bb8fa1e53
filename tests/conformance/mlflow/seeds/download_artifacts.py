# Section 9 of the seed.
import mlflow
from mlflow.tracking import MlflowClient
import os

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
model_name = "fgedu_classifier"
version = "1"
download_path = f"/tmp/{model_name}_v{version}"
model_uri = f"models:/{model_name}/{version}"

local_path = mlflow.artifacts.download_artifacts(
    artifact_uri=model_uri,
    dst_path=download_path
)
print(f"Model downloaded to: {local_path}")
print("\nDownloaded files:")
for root, dirs, files in os.walk(local_path):
    for file in files:
        file_path = os.path.join(root, file)
        size = os.path.getsize(file_path)
        print(f" {file}: {size / 1024:.2f} KB")
