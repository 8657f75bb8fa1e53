# Section 6 of the seed.
from mlflow.tracking import MlflowClient

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
model_name = "fgedu_classifier"
version = "1"

model_version = client.get_model_version(model_name, version)
run = client.get_run(model_version.run_id)

print("Data Lineage Information:")
print("=" * 60)
data_tags = {k: v for k, v in run.data.tags.items() if k.startswith("data.")}
for key, value in data_tags.items():
    print(f"{key}: {value}")

print("\nData Processing Pipeline:")
print(f" Source: {run.data.tags.get('data.source', 'N/A')}")
print(f" Preprocessing: {run.data.tags.get('data.preprocessing', 'N/A')}")
print(f" Feature Engineering: {run.data.tags.get('data.feature_engineering', 'N/A')}")
print(f" Train/Test Split: {run.data.tags.get('data.train_test_split', 'N/A')}")

print("\nDataset Statistics:")
print(f" Training Samples: {run.data.metrics.get('training_samples', 'N/A')}")
print(f" Test Samples: {run.data.metrics.get('test_samples', 'N/A')}")
print(f" Features: {run.data.metrics.get('num_features', 'N/A')}")
print(f" Classes: {run.data.metrics.get('num_classes', 'N/A')}")
