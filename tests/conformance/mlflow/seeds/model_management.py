# Section 3 of the seed.
import mlflow
from mlflow.tracking import MlflowClient

client = MlflowClient(tracking_uri="http://192.168.1.100:5000")
model_name = "fgedu_classifier"

# 获取模型所有版本
versions = client.search_model_versions(f"name='{model_name}'")
for version in versions:
    print(f"Version: {version.version}, Status: {version.status}, Stage: {version.current_stage}")

# 设置模型版本别名
client.set_registered_model_alias(
    name=model_name,
    alias="champion",
    version="1"
)

# 添加模型描述
client.update_model_version(
    name=model_name,
    version="1",
    description="Initial production model with 95% accuracy"
)

# 设置模型标签
client.set_model_version_tag(
    name=model_name,
    version="1",
    key="production_ready",
    value="true"
)

# 过渡模型阶段
client.transition_model_version_stage(
    name=model_name,
    version="1",
    stage="Production"
)
print("Model version 1 transitioned to Production stage")
