"""What of a thing modelkeep does not take, found by the rules that its server checks by.

A tag, param or data set that may not be is left out, so that the rest of its run can come; a thing
whose own name may not be is left out as a whole.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from modelkeep.cli.importing.facts import Facts
from modelkeep.domain import names
from modelkeep.domain import tracking as rules
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.tracking import Dataset

Left = tuple[str, str]  # what was left out, and why
Check = Callable[[str, str], Any]


def experiment(given: Facts) -> list[Left]:
    return list(_drop(given, "tags", rules.check_experiment_tag))


def run(given: Facts) -> list[Left]:
    left = [
        *_drop(given, "tags", rules.check_run_tag),
        *_drop(given, "params", rules.check_param),
    ]
    fitting = []
    for dataset in given["datasets"]:
        why = objection(rules.check_dataset, msgspec.convert(dataset, Dataset))
        if why:
            left.append((f"data set {dataset['name']!r}", why))
        else:
            fitting.append(dataset)
    given["datasets"] = fitting
    return left


def logged_model(given: Facts) -> list[Left]:
    return [
        *_drop(given, "tags", rules.check_logged_model_tag),
        *_drop(given, "params", rules.check_logged_model_param),
    ]


def registered(given: Facts) -> list[Left]:
    """Of a registered model or a version."""
    return list(_drop(given, "tags", lambda key, _: names.check_tag_key(key)))


def name(name: str) -> list[Left]:
    """Of a registered model: its name. A policy here may object to more."""
    why = objection(names.check_model_name, name)
    return [("its name", why)] if why else []


def metric_key(key: str) -> str | None:
    """Why a metric cannot be called this; None if it can."""
    return objection(names.check_key, key, "metric")


def path(path: str) -> str | None:
    """Why an artifact cannot lie there; None if it can."""
    return objection(names.check_path, path)


def objection(check: Callable[..., Any], *args: Any) -> str | None:
    try:
        check(*args)
    except InvalidInput as error:
        return error.message
    return None


def _drop(given: Facts, field: str, check: Check) -> Iterator[Left]:
    for key, value in list(given[field].items()):
        why = objection(check, key, value)
        if why:
            del given[field][key]
            yield f"{field[:-1]} {key!r}", why
