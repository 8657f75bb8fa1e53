import boto3, sagemaker
sm = boto3.client("sagemaker")
# 建立 Model Package Group(一個模型專案)
sm.create_model_package_group(
    ModelPackageGroupName="mlops-sentiment-model-group",
    ModelPackageGroupDescription="IMDb 情感分類模型版本管理",
)
# 取得 HuggingFace inference container URI
from sagemaker.image_uris import retrieve
container_uri = retrieve(
    framework="huggingface",
    region=region,
    version="4.37",
    py_version="py310",
    base_framework_version="pytorch2.1.0",
    image_scope="inference",
    instance_type="ml.m5.large",
)
# 登記這次訓練的模型版本
model_package = sm.create_model_package(
    ModelPackageGroupName="mlops-sentiment-model-group",
    ModelPackageDescription="DistilBERT fine-tuned, accuracy=0.84",
    InferenceSpecification={
        "Containers": [{"Image": container_uri, "ModelDataUrl": model_s3_uri}],
        "SupportedContentTypes": ["application/json"],
        "SupportedResponseMIMETypes": ["application/json"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
    },
    CustomerMetadataProperties={
        "accuracy": "0.84",
        "f1_score": "0.83",
        "train_samples": "500",
        "base_model": "distilbert-base-uncased",
    },
)
# 審核(實際流程:ML 工程師確認指標達標後 Approve)
sm.update_model_package(
    ModelPackageArn=model_package["ModelPackageArn"],
    ModelApprovalStatus="Approved",
)
# 列出所有版本(如圖 2 所示):
versions = sm.list_model_packages(
    ModelPackageGroupName="mlops-sentiment-model-group",
    SortBy="CreationTime",
    SortOrder="Descending",
)
for v in versions["ModelPackageSummaryList"]:
    print(f"版本 {v['ModelPackageVersion']}: [{v['ModelApprovalStatus']}]")
