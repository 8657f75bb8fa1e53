"""How a version is named on the command line."""

import typer


def number_of(version: str) -> tuple[str, int]:
    """The model and number of `MODEL/VERSION`. Raises typer.BadParameter."""
    model, slash, number = version.rpartition("/")
    if not slash or not model or not number.isascii() or not number.isdigit():
        raise typer.BadParameter(f"'{version}' is not MODEL/VERSION, as in credit/3.")
    return model, int(number)
