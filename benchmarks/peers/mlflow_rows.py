"""What a seeded MLflow has in its tables: those of 3.17, in its default workspace."""

import time

from benchmarks.seeds import BEGAN_MS, Catalogue, Crowd, Seed, Tables


def of_catalogue(catalogue: Catalogue) -> Seed:
    """The same rows as modelkeep is given through its API."""
    now_ms = time.time_ns() // 1_000_000
    models = [catalogue.model(index) for index in range(catalogue.models)]
    numbered = [(model, n) for model in models for n in range(1, catalogue.versions + 1)]
    aliases = range(catalogue.aliases)

    def seed(tables: Tables) -> None:
        tables.insert(
            "registered_models",
            "workspace, name, creation_time, last_updated_time",
            (("default", model, now_ms, now_ms) for model in models),
        )
        tables.insert(
            "model_versions",
            "workspace, name, version, creation_time, last_updated_time, current_stage, source,"
            " storage_location, status",
            (
                (
                    "default",
                    model,
                    n,
                    now_ms,
                    now_ms,
                    "None",
                    *(f"s3://b/{model}/{n}",) * 2,
                    "READY",
                )
                for model, n in numbered
            ),
        )
        tables.insert(
            "model_version_tags",
            "workspace, name, version, key, value",
            (("default", model, n, "git", f"{model}-{n}") for model, n in numbered),
        )
        tables.insert(
            "registered_model_aliases",
            "workspace, name, alias, version",
            (
                ("default", model, catalogue.alias(i), catalogue.holder(i))
                for model in models
                for i in aliases
            ),
        )
        tables.run("ANALYZE")

    return seed


def of_crowd(crowd: Crowd) -> Seed:
    """Fills the tables of MLflow 3.17, which must be empty, in its default workspace."""
    models, champions = crowd.models, {version.model: version for version in crowd}

    def seed(tables: Tables) -> None:
        tables.insert(
            "registered_models",
            "workspace, name, creation_time, last_updated_time",
            (("default", name, BEGAN_MS, BEGAN_MS + index) for index, name in enumerate(models)),
        )
        tables.insert(
            "model_versions",
            "workspace, name, version, creation_time, last_updated_time, description,"
            " current_stage, source, storage_location, status",
            (
                (
                    *(
                        "default",
                        models[v.model],
                        v.number,
                        v.created_ms,
                        v.updated_ms,
                        "d",
                        "None",
                    ),
                    *(*(v.source(models[v.model]),) * 2, "READY"),
                )
                for v in crowd
            ),
        )
        tables.insert(
            "model_version_tags",
            "workspace, name, version, key, value",
            (
                ("default", models[v.model], v.number, key, value)
                for v in crowd
                for key, value in v.tags.items()
            ),
        )
        tables.insert(
            "registered_model_aliases",
            "workspace, name, alias, version",
            (("default", models[model], "champion", v.number) for model, v in champions.items()),
        )
        tables.run("ANALYZE")

    return seed
