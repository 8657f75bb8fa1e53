# Section 4 of the seed.
from mlflow.tracking import MlflowClient

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
model_name = "fgedu_classifier"

print(f"Version History for {model_name}:")
print("=" * 60)
for version in client.search_model_versions(f"name='{model_name}'"):
    print(f"\nVersion: {version.version}")
    print(f" Stage: {version.current_stage}")
    print(f" Status: {version.status}")
    print(f" Created: {version.creation_timestamp}")
    print(f" Updated: {version.last_updated_timestamp}")
    print(f" Run ID: {version.run_id}")
    print(f" Source: {version.source}")
