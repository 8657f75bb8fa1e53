# Section 7 of the seed.
from mlflow.tracking import MlflowClient
import logging

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")

def rollback_model(model_name, target_version, reason="Performance degradation"):
    current_version = None
    for version in client.search_model_versions(f"name='{model_name}'"):
        if version.current_stage == "Production":
            current_version = version.version
            break
    if current_version is None:
        logger.error("No production version found")
        return False
    logger.info(f"Current production version: {current_version}")
    logger.info(f"Target version: {target_version}")
    logger.info(f"Reason: {reason}")
    client.transition_model_version_stage(
        name=model_name,
        version=current_version,
        stage="Archived"
    )
    client.set_model_version_tag(
        name=model_name,
        version=current_version,
        key="rollback_reason",
        value=reason
    )
    client.transition_model_version_stage(
        name=model_name,
        version=target_version,
        stage="Production"
    )
    client.set_model_version_tag(
        name=model_name,
        version=target_version,
        key="rollback_from",
        value=current_version
    )
    logger.info(f"Rollback completed: v{current_version} -> v{target_version}")
    return True

model_name = "fgedu_classifier"
target_version = "1"
rollback_model(model_name, target_version, "Accuracy dropped below threshold")
