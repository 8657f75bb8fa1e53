"""Ann's work: trains three classifiers on real data, logs and registers them with stock MLflow.

Prints one JSON line a version. Knows nothing of modelkeep but its address.
"""

import json
import sys

import mlflow
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

NAME = sys.argv[1]


def columns(wanted):
    """A step that keeps the columns whose name contains a word."""
    return FunctionTransformer(lambda frame: frame[[c for c in frame if wanted in c]])


def first_columns(count):
    from sklearn.compose import make_column_transformer

    names = load_breast_cancer(as_frame=True).data.columns[:count].tolist()
    return make_column_transformer(("passthrough", names), remainder="drop")


data = load_breast_cancer(as_frame=True)
train, test, y_train, y_test = train_test_split(
    data.data, data.target, test_size=0.3, random_state=7, stratify=data.target
)

candidates = {
    "ten mean features": make_pipeline(
        first_columns(10), StandardScaler(), LogisticRegression(max_iter=500)
    ),
    "twelve patients only": make_pipeline(first_columns(3), KNeighborsClassifier(1)),
    "all thirty features": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
}

mlflow.set_experiment("tumours")
for title, model in candidates.items():
    few = title.startswith("twelve")
    with mlflow.start_run(run_name=title) as run:
        rows, labels = (train[:12], y_train[:12]) if few else (train, y_train)
        model.fit(rows, labels)
        predicted = model.predict(test)
        scores = {
            "accuracy": float(accuracy_score(y_test, predicted)),
            "f1_score": float(f1_score(y_test, predicted)),
        }
        mlflow.log_params({"features": title, "training_rows": len(rows)})
        mlflow.log_metrics(scores)
        mlflow.log_input(mlflow.data.from_pandas(rows, name="breast_cancer"), context="training")
        mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=NAME,
            signature=infer_signature(test, predicted),
            input_example=test[:2],
            pip_requirements=["scikit-learn"],
            serialization_format="cloudpickle",
        )
    print(json.dumps({"title": title, "run": run.info.run_id, **scores}), flush=True)
