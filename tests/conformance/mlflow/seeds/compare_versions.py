# Section 8 of the seed.
from mlflow.tracking import MlflowClient
import pandas as pd

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
model_name = "fgedu_classifier"

versions_data = []
for version in client.search_model_versions(f"name='{model_name}'"):
    run = client.get_run(version.run_id)
    version_info = {
        "Version": version.version,
        "Stage": version.current_stage,
        "Status": version.status,
        "Created": version.creation_timestamp,
        "Accuracy": run.data.metrics.get("accuracy", 0),
        "Precision": run.data.metrics.get("precision", 0),
        "Recall": run.data.metrics.get("recall", 0),
        "F1_Score": run.data.metrics.get("f1_score", 0),
        "Model_Type": run.data.params.get("model_type", "N/A"),
        "Run_ID": version.run_id[:8]
    }
    versions_data.append(version_info)

df = pd.DataFrame(versions_data)
print("\nModel Version Comparison:")
print("=" * 100)
print(df.to_string(index=False))

print("\n\nBest Version by Accuracy:")
best_version = df.loc[df["Accuracy"].idxmax()]
print(f" Version: {best_version['Version']}")
print(f" Accuracy: {best_version['Accuracy']:.4f}")
print(f" F1 Score: {best_version['F1_Score']:.4f}")
print(f" Model Type: {best_version['Model_Type']}")
