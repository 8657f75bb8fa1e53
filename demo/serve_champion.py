"""The clinic's application: loads whatever the alias names, with stock MLflow, and predicts.

For each line on its input it loads `models:/NAME@champion` anew and prints, as JSON, which
version that was and how it does on two sets of patients: the held-out ones, and those of a new
clinic whose machine does not measure the "worst" values and sends zeros for them.
"""

import json
import sys

import mlflow
from mlflow import MlflowClient
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

NAME = sys.argv[1]
data = load_breast_cancer(as_frame=True)
_, patients, _, truth = train_test_split(
    data.data, data.target, test_size=0.3, random_state=7, stratify=data.target
)
new_clinic = patients.copy()
new_clinic[[c for c in new_clinic if c.startswith("worst")]] = 0.0

for _ in sys.stdin:
    version = MlflowClient().get_model_version_by_alias(NAME, "champion").version
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    print(
        json.dumps(
            {
                "version": version,
                "accuracy": round(float(accuracy_score(truth, model.predict(patients))), 3),
                "new_clinic": round(float(accuracy_score(truth, model.predict(new_clinic))), 3),
            }
        ),
        flush=True,
    )
