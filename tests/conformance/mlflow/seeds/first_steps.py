# The other seed with MLflow code, "MLflow Model Registry". `<run_id>` is the reader's own.
import mlflow
from mlflow.tracking import MlflowClient

client = MlflowClient()
model_uri = "runs:/<run_id>/model"
client.create_registered_model("my_model")
client.create_model_version("my_model", model_uri, "<run_id>")
client.transition_model_version_stage("my_model", 1, stage="Staging")
