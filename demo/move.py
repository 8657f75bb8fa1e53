"""Ann asks, with nothing but stock MLflow calls, for versions to move between stages.

Reads orders as lines of JSON, {"version", "stage", "tags"}, and prints what MLflow said to each.
"""

import json
import sys

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

NAME = sys.argv[1]
client = MlflowClient()
for line in sys.stdin:
    order = json.loads(line)
    for tag in order.get("tags", ()):
        client.set_model_version_tag(NAME, order["version"], tag, "true")
    try:
        moved = client.transition_model_version_stage(NAME, order["version"], order["stage"])
        said = {"stage": moved.current_stage}
    except MlflowException as error:
        said = {"error": str(error)}
    print(json.dumps(said), flush=True)
