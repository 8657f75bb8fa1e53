# Section 3 of the seed. `model` is the reader's own: whoever runs this defines it before.
import mlflow
from mlflow.tracking import MlflowClient

mlflow.set_tracking_uri("http://192.168.1.100:5000")
mlflow.set_experiment("fgedu_classifier_experiment")

with mlflow.start_run(run_name="fgedu_classifier_v1.0"):
    mlflow.log_param("model_type", "RandomForest")
    mlflow.log_param("n_estimators", 100)
    mlflow.log_param("max_depth", 10)
    mlflow.log_metric("accuracy", 0.95)
    mlflow.log_metric("precision", 0.94)
    mlflow.log_metric("recall", 0.96)
    mlflow.log_metric("f1_score", 0.95)
    mlflow.sklearn.log_model(
        sk_model=model,
        artifact_path="model",
        registered_model_name="fgedu_classifier"
    )
    run_id = mlflow.active_run().info.run_id
    print(f"Run ID: {run_id}")
