"""What a thing is, made from MLflow's JSON: in the words of modelkeep's import API.

The same functions read both sides, so that what is compared is what was sent.
"""

from collections.abc import Iterator
from typing import Any

from modelkeep.cli.importing.mlflow import Wire, number, pairs, said
from modelkeep.domain.evidence import INSTRUCTION_PREFIX
from modelkeep.domain.tracking import RUN_NAME_TAG

Facts = dict[str, Any]
_STATUS_PREFIX = "LOGGED_MODEL_"
SHOWN_CHARS = 60  # of each side of a difference


def experiment(wire: Wire) -> Facts:
    return {
        "name": wire["name"],
        "source_id": wire["experiment_id"],
        "lifecycle_stage": wire.get("lifecycle_stage", "active"),
        "artifact_location": wire.get("artifact_location", ""),
        "created_ms": wire.get("creation_time", 0),
        "updated_ms": wire.get("last_update_time", 0),
        "tags": pairs(wire.get("tags")),
    }


def run(wire: Wire, experiment_id: int) -> Facts:
    """`experiment_id` is the experiment's here."""
    info, data = wire["info"], wire.get("data", {})
    inputs, outputs = wire.get("inputs", {}), wire.get("outputs", {})
    tags = pairs(data.get("tags"))
    named = tags.pop(RUN_NAME_TAG, "")
    return {
        "run_id": info["run_id"],
        "experiment_id": experiment_id,
        "name": info.get("run_name") or named,
        "user_id": info.get("user_id", ""),
        "status": info.get("status", "RUNNING"),
        "start_ms": info.get("start_time", 0),
        "end_ms": info.get("end_time") or None,
        "lifecycle_stage": info.get("lifecycle_stage", "active"),
        "artifact_uri": info.get("artifact_uri", ""),
        "params": pairs(data.get("params")),
        "tags": tags,
        "datasets": sorted(
            (_dataset(given) for given in inputs.get("dataset_inputs", ())),
            key=lambda dataset: (dataset["name"], dataset["digest"]),
        ),
        "model_inputs": sorted(given["model_id"] for given in inputs.get("model_inputs", ())),
        "model_outputs": sorted(
            (
                {"model_id": given["model_id"], "step": given.get("step", 0)}
                for given in outputs.get("model_outputs", ())
            ),
            key=lambda output: output["model_id"],
        ),
    }


def _dataset(wire: Wire) -> Facts:
    dataset = wire["dataset"]
    return {
        "name": dataset["name"],
        "digest": dataset["digest"],
        "source_type": dataset.get("source_type", ""),
        "source": dataset.get("source", ""),
        "schema": dataset.get("schema"),
        "profile": dataset.get("profile"),
        "tags": pairs(wire.get("tags")),
    }


def logged_model(wire: Wire, experiment_id: int) -> Facts:
    """`experiment_id` is the experiment's here."""
    info, data = wire["info"], wire.get("data", {})
    return {
        "model_id": info["model_id"],
        "experiment_id": experiment_id,
        "name": info["name"],
        "status": info.get("status", "").removeprefix(_STATUS_PREFIX),
        "created_ms": info.get("creation_timestamp_ms", 0),
        "updated_ms": info.get("last_updated_timestamp_ms", 0),
        "model_type": info.get("model_type") or None,
        "source_run_id": info.get("source_run_id") or None,
        "artifact_uri": info.get("artifact_uri", ""),
        "params": pairs(data.get("params")),
        "tags": pairs(info.get("tags")),
    }


Point = tuple[str, str, int, int, str | None, str | None, float | str]


def model_points(wire: Wire) -> set[Point]:
    """What was measured of a logged model: (run, metric, step, time in ms, data set's name and
    digest, value) each. A value that JSON has not is its name, and so equals itself.
    """
    return {
        (
            point.get("run_id", ""),
            point["key"],
            point.get("step", 0),
            point["timestamp"],
            point.get("dataset_name") or None,
            point.get("dataset_digest") or None,
            said(number(point.get("value"))),
        )
        for point in wire.get("data", {}).get("metrics", ())
    }


def model(wire: Wire) -> Facts:
    return {
        "name": wire["name"],
        "description": wire.get("description", ""),
        "created_ms": wire.get("creation_timestamp", 0),
        "tags": plain(pairs(wire.get("tags"))),
    }


def version(wire: Wire) -> Facts:
    return {
        "model": wire["name"],
        "number": int(wire["version"]),
        "source": wire.get("source", ""),
        "run_id": wire.get("run_id") or None,
        "logged_model_id": wire.get("model_id") or None,
        "run_link": wire.get("run_link") or None,
        "description": wire.get("description", ""),
        "author": wire.get("user_id", ""),
        "created_ms": wire.get("creation_timestamp", 0),
        "tags": plain(pairs(wire.get("tags"))),
    }


def aliases(wire: Wire) -> dict[str, int]:
    return {given["alias"]: int(given["version"]) for given in wire.get("aliases", ())}


def plain(tags: dict[str, str]) -> dict[str, str]:
    """Without the tags that instruct a modelkeep server, which are no part of what a thing is."""
    return {k: v for k, v in tags.items() if not k.startswith(INSTRUCTION_PREFIX)}


# -- two sides ---------------------------------------------------------------------------------


def differences(source: Facts, here: Facts, ignoring: tuple[str, ...] = ()) -> list[str]:
    """What is not the same on both sides, each as a sentence's part."""
    return [
        said
        for name, value in source.items()
        if name not in ignoring
        for said in _differing(name, value, here.get(name))
    ]


def version_differences(source: Facts, here: Facts, ignoring: tuple[str, ...] = ()) -> list[str]:
    """As `differences`; what a source does not say of a version is known better here."""
    said = {key: value for key, value in source.items() if value is not None}
    unsaid = () if source["author"] else ("author",)
    return differences(said, here, ("original", *unsaid, *ignoring))


def _differing(name: str, there: Any, here: Any) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted(there.keys() | here.keys()):
            yield from _differing(f"{name}.{key}", there.get(key), here.get(key))
    elif there != here:
        yield f"{name} is {_shown(there)} there and {_shown(here)} here"


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"
