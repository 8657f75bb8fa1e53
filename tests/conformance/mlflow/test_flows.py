"""What people do with stock MLflow clients all day, on real data with real models.

Each test is one client process: most of the time of such a test goes into importing the client.
"""

import pytest

from tests.support.clients import Client
from tests.support.ports import free_port
from tests.support.server import Server

pytestmark = pytest.mark.client


def test_a_run_keeps_whatever_a_script_logs(mlflow: Client, server: Server) -> None:
    mlflow.run(
        """
        import time

        import matplotlib.figure
        import mlflow
        import numpy
        import pandas
        from mlflow import MlflowClient
        from mlflow.data.pandas_dataset import from_pandas
        from mlflow.entities import Metric, Param, RunTag, ViewType
        from PIL import Image

        figure = matplotlib.figure.Figure()
        figure.subplots().plot([1, 2, 3])
        pixels = numpy.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=numpy.uint8)
        frame = pandas.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
        client = MlflowClient()

        mlflow.set_experiment("flows")
        with mlflow.start_run(run_name="outer", description="all of it") as outer:
            run_id = outer.info.run_id
            mlflow.log_dict({"depth": {"max": 3}}, "conf/params.json")
            mlflow.log_text("grüße, 世界", "notes/hello.txt")
            mlflow.log_figure(figure, "plots/line.png")
            mlflow.log_image(pixels, "pictures/noise.png")
            mlflow.log_table(frame, "tables/scores.json")
            mlflow.log_table(frame, "tables/scores.json")  # is added to the first
            mlflow.log_input(from_pandas(frame, name="scores"), context="training")
            for number in (1, 2):
                with mlflow.start_run(nested=True, run_name=f"inner {number}"):
                    mlflow.log_metric("loss", 1.0 / number)
                    mlflow.log_param("number", number)
        assert mlflow.last_active_run().info.run_id == run_id

        assert mlflow.artifacts.load_dict(f"runs:/{run_id}/conf/params.json")["depth"] == {"max": 3}
        assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/hello.txt") == "grüße, 世界"
        image = mlflow.artifacts.load_image(f"runs:/{run_id}/pictures/noise.png")
        assert (numpy.asarray(image) == pixels).all()
        plot = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/plots/line.png")
        assert Image.open(plot).size == (640, 480)
        assert len(mlflow.load_table("tables/scores.json", run_ids=[run_id])) == 4
        # All of the run at once; "." is how people write it.
        for whole in ("", "."):
            folder = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=whole)
            assert open(f"{folder}/notes/hello.txt", encoding="utf-8").read() == "grüße, 世界"
        inputs = client.get_run(run_id).inputs.dataset_inputs
        assert [i.dataset.name for i in inputs] == ["scores"]
        assert {t.key: t.value for t in inputs[0].tags} == {"mlflow.data.context": "training"}

        found = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{run_id}'")
        assert found["tags.mlflow.runName"].tolist() == ["inner 2", "inner 1"]
        assert found["metrics.loss"].tolist() == [0.5, 1.0]
        assert found["params.number"].tolist() == ["2", "1"]
        assert (found["status"] == "FINISHED").all()
        best = mlflow.search_runs(order_by=["metrics.loss ASC"], max_results=1)
        assert best["metrics.loss"].tolist() == [0.5]

        try:
            with mlflow.start_run() as broken:
                raise ValueError("the data is gone")
        except ValueError:
            pass
        assert client.get_run(broken.info.run_id).info.status == "FAILED"

        client.delete_run(run_id)
        alive = {r.info.run_id for r in client.search_runs([outer.info.experiment_id])}
        assert run_id not in alive and len(alive) == 3
        client.restore_run(run_id)
        client.delete_experiment(outer.info.experiment_id)
        assert client.get_run(run_id).info.lifecycle_stage == "deleted"
        client.restore_experiment(outer.info.experiment_id)
        assert client.get_run(run_id).info.lifecycle_stage == "active"

        at = int(time.time() * 1000)
        client.log_batch(
            run_id,
            metrics=[Metric(f"m{n % 50}", n / 7, at + n, n) for n in range(1000)],
            params=[Param(f"p{n}", str(n)) for n in range(100)],
            tags=[RunTag(f"t{n}", "v" * n) for n in range(50)],
        )
        data = client.get_run(run_id).data
        assert len(data.metrics) == 50 and data.metrics["m49"] == 999 / 7
        assert len(client.get_metric_history(run_id, "m0")) == 20
        assert data.params["p99"] == "99" and data.tags["t49"] == "v" * 49
        assert client.get_run(run_id).data.tags["mlflow.note.content"] == "all of it"
        """,
        url=server.url,
    )


def test_what_is_logged_in_the_background_arrives(mlflow3: Client, server: Server) -> None:
    mlflow3.run(
        """
        import time

        import mlflow
        import numpy

        with mlflow.start_run() as run:
            pending = [mlflow.log_metric("loss", n, step=n, synchronous=False) for n in range(200)]
            pending.append(mlflow.log_params({"a": 1, "b": 2}, synchronous=False))
            pending.append(mlflow.set_tags({"kind": "late"}, synchronous=False))
            for step in range(3):
                shade = numpy.full((8, 8), step * 100, dtype=numpy.uint8)
                mlflow.log_image(shade, key="shade", step=step, synchronous=False)
            for operation in pending:
                operation.wait()
            mlflow.flush_async_logging()
            mlflow.flush_artifact_async_logging()
        read = mlflow.get_run(run.info.run_id).data
        assert read.params == {"a": "1", "b": "2"} and read.tags["kind"] == "late"
        history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
        assert sorted(point.step for point in history) == list(range(200))
        # Each step is a picture, and a smaller one for the pages.
        listed = mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path="images")
        assert len(listed) == 6, listed

        mlflow.set_system_metrics_sampling_interval(0.1)
        mlflow.set_system_metrics_samples_before_logging(1)
        given_up = time.monotonic() + 60
        with mlflow.start_run(log_system_metrics=True) as watched:
            told = {}
            while not told and time.monotonic() < given_up:
                told = mlflow.get_run(watched.info.run_id).data.metrics
        assert {"system/cpu_utilization_percentage", "system/disk_usage_percentage"} <= set(told)
        """,
        url=server.url,
    )


def test_autologging_tells_of_a_fit_and_of_a_search_over_a_grid(
    mlflow3: Client, server: Server
) -> None:
    mlflow3.run(
        """
        import mlflow
        from sklearn.datasets import load_iris
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV, train_test_split

        flowers = load_iris(as_frame=True)
        train, test, kinds, _ = train_test_split(flowers.data, flowers.target, random_state=7)
        mlflow.sklearn.autolog(serialization_format="pickle", max_tuning_runs=2)

        with mlflow.start_run() as fit:
            model = LogisticRegression(C=0.5, max_iter=300).fit(train, kinds)
        run = mlflow.get_run(fit.info.run_id)
        assert run.data.params["C"] == "0.5" and run.data.params["max_iter"] == "300"
        assert run.data.metrics["training_accuracy_score"] == model.score(train, kinds)
        assert run.data.tags["estimator_name"] == "LogisticRegression"
        files = mlflow.artifacts.list_artifacts(run_id=fit.info.run_id)
        assert "training_confusion_matrix.png" in {file.path for file in files}, files
        assert [i.dataset.name for i in run.inputs.dataset_inputs] == ["dataset"]
        (logged,) = run.outputs.model_outputs
        again = mlflow.pyfunc.load_model(f"models:/{logged.model_id}")
        assert (again.predict(test) == model.predict(test)).all()

        with mlflow.start_run() as search:
            grid = GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.01, 0.1, 1.0]}, cv=2)
            grid.fit(train, kinds)
        run = mlflow.get_run(search.info.run_id)
        assert run.data.params["best_C"] == str(grid.best_params_["C"])
        assert run.data.metrics["best_cv_score"] == grid.best_score_
        where = f"tags.mlflow.parentRunId = '{search.info.run_id}'"
        best_first = ["metrics.mean_test_score DESC"]
        children = mlflow.search_runs(filter_string=where, order_by=best_first)
        assert len(children) == 2
        assert children["metrics.mean_test_score"].tolist()[0] == grid.best_score_
        results = mlflow.artifacts.load_text(f"runs:/{search.info.run_id}/cv_results.csv")
        assert len(results.splitlines()) == 4
        assert len(mlflow.search_logged_models(output_format="list")) >= 2
        """,
        url=server.url,
        env={"MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1"},  # nobody installs these models
    )


def test_a_champion_is_evaluated_loaded_and_served(mlflow3: Client, server: Server) -> None:
    mlflow3.run(
        """
        import json, os, signal, subprocess, sys, time, urllib.request

        import mlflow
        import pandas
        from click.testing import CliRunner
        from mlflow.models.cli import commands
        from sklearn.datasets import load_wine
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        wines = load_wine(as_frame=True)
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(wines.data, wines.target)
        expected = model.predict(wines.data).tolist()
        with mlflow.start_run() as run:
            info = mlflow.sklearn.log_model(
                model, name="wine", registered_model_name="wine", input_example=wines.data[:2],
                serialization_format="pickle", pip_requirements=["scikit-learn"],
            )
            told = mlflow.models.evaluate(
                info.model_uri, wines.frame, targets="target", model_type="classifier",
                evaluator_config={"log_explainer": False},
            )
        assert mlflow.get_run(run.info.run_id).data.metrics["accuracy_score"] == model.score(
            wines.data, wines.target
        ) == told.metrics["accuracy_score"]
        measured = mlflow.get_logged_model(info.model_id).metrics
        assert "accuracy_score" in {point.key for point in measured}
        mlflow.MlflowClient().set_registered_model_alias("wine", "champion", 1)

        champion = "models:/wine@champion"
        loaded = mlflow.pyfunc.load_model(champion)
        assert loaded.predict(wines.data).tolist() == expected
        assert loaded.metadata.signature.inputs.input_names() == list(wines.data.columns)

        wines.data.to_csv("wines.csv", index=False)
        done = CliRunner().invoke(commands, [
            "predict", "-m", champion, "--env-manager", "local",
            "-i", "wines.csv", "-t", "csv", "-o", "kinds.json",
        ])
        assert done.exit_code == 0, (done.output, done.exception)
        assert json.load(open("kinds.json"))["predictions"] == expected

        url = f"http://127.0.0.1:{sys.argv[1]}"
        serving = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "models", "serve", "-m", champion, "-w", "1",
             "--env-manager", "local", "-h", "127.0.0.1", "-p", sys.argv[1]],
            env=os.environ | {"PATH": os.path.dirname(sys.executable) + ":" + os.environ["PATH"]},
            start_new_session=True,
        )
        try:
            given_up = time.monotonic() + 80
            while True:
                try:
                    urllib.request.urlopen(url + "/ping", timeout=5).close()
                    break
                except OSError:
                    assert serving.poll() is None and time.monotonic() < given_up
                    time.sleep(0.1)
            body = json.dumps({"dataframe_split": wines.data.to_dict(orient="split")}).encode()
            kind = {"Content-Type": "application/json"}
            request = urllib.request.Request(url + "/invocations", body, kind)
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert json.load(answer)["predictions"] == expected
        finally:
            os.killpg(serving.pid, signal.SIGKILL)
            serving.wait()
        """,
        str(free_port()),
        url=server.url,
    )


def test_the_clients_command_line_reads_and_writes(mlflow3: Client, server: Server) -> None:
    mlflow3.run(
        """
        import csv, io, json, pathlib

        import mlflow
        from click.testing import CliRunner
        from mlflow.cli import cli

        def told(*args):
            done = CliRunner().invoke(cli, args, catch_exceptions=False)
            assert done.exit_code == 0, (args, done.output)
            return done.output

        told("experiments", "create", "-n", "wine")
        wine = mlflow.get_experiment_by_name("wine").experiment_id
        told("experiments", "rename", "-x", wine, "--new-name", "wines")
        assert "wines" in told("experiments", "search")
        mlflow.set_experiment("wines")
        with mlflow.start_run(run_name="first") as run:
            mlflow.log_metrics({"acc": 0.5, "loss": float("nan")})
            mlflow.log_param("depth", 3)
        run_id = run.info.run_id

        told("experiments", "csv", "-x", wine, "-o", "runs.csv")
        (row,) = csv.DictReader(pathlib.Path("runs.csv").open())
        assert (row["run_id"], row["metrics.acc"], row["params.depth"]) == (run_id, "0.5", "3")
        assert run_id in told("runs", "list", "--experiment-id", wine)
        described = json.loads(told("runs", "describe", "--run-id", run_id))
        assert described["info"]["run_name"] == "first"

        pathlib.Path("folder/deep").mkdir(parents=True)
        pathlib.Path("folder/deep/a.txt").write_text("alpha")
        pathlib.Path("b.txt").write_text("beta")
        told("artifacts", "log-artifacts", "--local-dir", "folder", "--run-id", run_id, "-a", "in")
        told("artifacts", "log-artifact", "--local-file", "b.txt", "--run-id", run_id)
        listed = json.loads(told("artifacts", "list", "--run-id", run_id))
        assert {file["path"]: file["is_dir"] for file in listed} == {"b.txt": False, "in": True}
        told("artifacts", "download", "--run-id", run_id, "-d", "back")
        assert pathlib.Path("back/in/deep/a.txt").read_text() == "alpha"
        told("artifacts", "download", "-u", f"runs:/{run_id}/b.txt", "-d", "one")
        assert pathlib.Path("one/b.txt").read_text() == "beta"

        told("runs", "delete", "--run-id", run_id)
        assert run_id not in told("runs", "list", "--experiment-id", wine)
        told("runs", "restore", "--run-id", run_id)
        told("experiments", "delete", "-x", wine)
        told("experiments", "restore", "-x", wine)
        assert run_id in told("runs", "list", "--experiment-id", wine)
        """,
        url=server.url,
    )
