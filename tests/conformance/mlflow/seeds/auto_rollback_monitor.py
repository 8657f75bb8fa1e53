# Section 7 of the seed. It runs for ever: whoever runs it ends it at the first `time.sleep`.
import mlflow
from mlflow.tracking import MlflowClient
import time
import requests

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
MODEL_NAME = "fgedu_classifier"
ACCURACY_THRESHOLD = 0.90
CHECK_INTERVAL = 300

def get_production_version(model_name):
    for version in client.search_model_versions(f"name='{model_name}'"):
        if version.current_stage == "Production":
            return version.version
    return None

def check_model_performance(model_name, version):
    model_version = client.get_model_version(model_name, version)
    run = client.get_run(model_version.run_id)
    return run.data.metrics.get("accuracy", 0)

def trigger_rollback(model_name, current_version, previous_version):
    client.transition_model_version_stage(
        name=model_name,
        version=current_version,
        stage="Archived"
    )
    client.transition_model_version_stage(
        name=model_name,
        version=previous_version,
        stage="Production"
    )
    print(f"Rollback triggered: v{current_version} -> v{previous_version}")

def monitor():
    while True:
        current_version = get_production_version(MODEL_NAME)
        if current_version:
            accuracy = check_model_performance(MODEL_NAME, current_version)
            print(f"Current version: {current_version}, Accuracy: {accuracy}")
            if accuracy < ACCURACY_THRESHOLD:
                print(f"Accuracy {accuracy} below threshold {ACCURACY_THRESHOLD}")
                previous_version = str(int(current_version) - 1)
                if previous_version:
                    trigger_rollback(MODEL_NAME, current_version, previous_version)
        time.sleep(CHECK_INTERVAL)

if __name__ == "__main__":
    monitor()
