# Section 5 of the seed. `mlflow.models.serve` is no MLflow API, in any release: the script ends
# there whatever the server is.
import mlflow
from mlflow.tracking import MlflowClient
import subprocess

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
model_name = "fgedu_classifier"
model_version = "1"
model_uri = f"models:/{model_name}/{model_version}"
print(f"Model URI: {model_uri}")

model = mlflow.sklearn.load_model(model_uri)
print(f"Model loaded successfully: {type(model)}")

mlflow.models.serve(
    model_uri=model_uri,
    host="0.0.0.0",
    port=5001,
    enable_mlserver=True,
    env_manager="conda"
)
print("Model serving started on port 5001")
