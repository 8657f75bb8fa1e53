# Section 9 of the seed.
from mlflow.tracking import MlflowClient
from datetime import datetime, timedelta

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
model_name = "fgedu_classifier"
retention_days = 90
cutoff_date = datetime.now() - timedelta(days=retention_days)

print(f"Cleaning up artifacts older than {retention_days} days...")
print(f"Cutoff date: {cutoff_date}")

deleted_count = 0
for version in client.search_model_versions(f"name='{model_name}'"):
    if version.current_stage in ["Archived", "None"]:
        created_date = datetime.fromtimestamp(version.creation_timestamp / 1000)
        if created_date < cutoff_date:
            print(f"Deleting version {version.version} (created: {created_date})")
            client.delete_model_version(model_name, version.version)
            deleted_count += 1
print(f"\nDeleted {deleted_count} old versions")
