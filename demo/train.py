"""Ann's work: trains three classifiers on real data, logs and registers them with stock MLflow.

Prints one line of JSON a version. It knows nothing of modelkeep but its address.
"""

import json
import sys

import mlflow
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NAME = sys.argv[1]

data = load_breast_cancer(as_frame=True)
train, test, y_train, y_test = train_test_split(
    data.data, data.target, test_size=0.3, random_state=7, stratify=data.target
)


def keeping(count):
    """A step that keeps the first columns: the ten means, or fewer."""
    return make_column_transformer(("passthrough", list(data.data.columns[:count])))


CANDIDATES = [
    (
        "ten mean features",
        make_pipeline(keeping(10), StandardScaler(), LogisticRegression(max_iter=500)),
        len(train),
    ),
    ("twelve patients only", make_pipeline(keeping(2), LogisticRegression()), 12),
    (
        "all thirty features",
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        len(train),
    ),
]

mlflow.set_experiment("tumours")
for title, model, count in CANDIDATES:
    with mlflow.start_run(run_name=title) as run:
        model.fit(train[:count], y_train[:count])
        predicted = model.predict(test)
        scores = {
            "accuracy": float(accuracy_score(y_test, predicted)),
            "f1_score": float(f1_score(y_test, predicted)),
        }
        mlflow.log_params({"features": title, "training_rows": count})
        mlflow.log_metrics(scores)
        mlflow.log_input(
            mlflow.data.from_pandas(train[:count], name="breast_cancer"), context="training"
        )
        mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=NAME,
            signature=infer_signature(test, predicted),
            pip_requirements=["scikit-learn"],
        )
    print(json.dumps({"title": title, **scores}), flush=True)
