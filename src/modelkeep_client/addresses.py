"""The API's paths, and what is said in them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from modelkeep_client.errors import ClientError, Waiting
from modelkeep_client.values import Result, built

Which = int | str  # a version: 3, "1.4.0", "~1.4", "@champion", "Production", "latest"


def segment(text: object) -> str:
    """A text as one part of a path."""
    return quote(str(text), safe="")


def of_model(name: str) -> str:
    return f"/models/{segment(name)}"


def of_version(model: str, which: Which) -> str:
    return f"{of_model(model)}/versions/{segment(which)}"


def split(name: str) -> tuple[str, str]:
    """The model and which version: of `churn/3`, `churn@champion`, `models:/churn/latest`.

    Raises ClientError.
    """
    text = name.removeprefix("models:/")
    model, slash, which = text.rpartition("/")
    if not slash:
        model, at, alias = text.rpartition("@")
        which = at + alias
    if not model or which in ("", "@"):
        raise ClientError(f"'{name}' names no version; write it as churn/3 or churn@champion.")
    return model, which


def given(**params: Any) -> dict[str, Any]:
    """What is not None."""
    return {name: value for name, value in params.items() if value is not None}


def moved(body: Mapping[str, Any]) -> Result:
    """The result of asking for a move. Raises Waiting."""
    result = built(Result, body)
    if result.is_waiting:
        raise Waiting(result)
    return result
