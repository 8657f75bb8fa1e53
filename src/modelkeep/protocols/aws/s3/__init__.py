"""S3's REST protocol, by path: enough of it for boto3 and SageMaker's SDK."""
