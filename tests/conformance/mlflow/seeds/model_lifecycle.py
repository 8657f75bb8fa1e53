# Section 10 of the seed.
from mlflow.tracking import MlflowClient
import yaml

with open("/opt/mlflow/production_config.yaml") as f:
    config = yaml.safe_load(f)

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")

def validate_model_for_production(model_name, version):
    model_version = client.get_model_version(model_name, version)
    run = client.get_run(model_version.run_id)
    required_tags = config["model_registry"]["stage_transitions"]["Staging -> Production"]["required_tags"]
    for tag in required_tags:
        if tag not in model_version.tags:
            print(f"Missing required tag: {tag}")
            return False
    required_metrics = config["model_registry"]["stage_transitions"]["Staging -> Production"]["required_metrics"]
    for metric_req in required_metrics:
        metric_name, operator, threshold = metric_req.split()
        metric_value = run.data.metrics.get(metric_name, 0)
        threshold_value = float(threshold)
        if operator == ">=" and metric_value < threshold_value:
            print(f"Metric {metric_name} ({metric_value}) below threshold {threshold_value}")
            return False
    print("Model validation passed")
    return True

model_name = "fgedu_classifier"
version = "3"
if validate_model_for_production(model_name, version):
    print(f"Model {model_name} v{version} is ready for production deployment")
