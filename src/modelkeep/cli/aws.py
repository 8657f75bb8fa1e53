"""The commands that set AWS's clients up."""

import getpass
import json
import os
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from modelkeep.cli.client import Client, fail, misused
from modelkeep.cli.keys import make
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User
from modelkeep.domain.access import ANONYMOUS

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="AWS's clients: what boto3 and the SageMaker SDK need to know of this server.",
)

# The SageMaker SDK asks nobody for the default bucket, or sends reports home, where this says so.
_DEFAULTS = """\
SchemaVersion: '1.0'
SageMaker:
  PythonSDK:
    Modules:
      Session:
        DefaultS3Bucket: {bucket}
      TelemetryOptOut: true
"""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z0-9-]{1,64}")
UNCHECKED = "modelkeep"  # the secret of a key that is a claim
_ID, _SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"


@app.command()
def env(
    new_key: Annotated[
        str, typer.Option("--new-key", metavar="LABEL", help="Make an access key of yours for it.")
    ] = "",
    region: Annotated[str, typer.Option(help="As ARNs will have it.")] = "us-east-1",
    bucket: Annotated[str, typer.Option(help="Where the SageMaker SDK puts files.")] = "sagemaker",
    defaults: Annotated[
        Path | None,
        typer.Option(
            help="Where to write the SDK's defaults. [~/.config/modelkeep/sagemaker.yaml]"
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Print the environment in which boto3 and the SageMaker SDK speak to this server.

    \b
    modelkeep aws env --new-key "my notebook"
    modelkeep aws env --user ann
    modelkeep aws env --region eu-central-1 --json

    Writes the SDK's defaults file, too. Without --new-key the key is who you say you are, for a
    server with --auth off, which takes a key's id for its user's name: --user, MODELKEEP_USER, or
    else the environment's own key, or your login name.
    JSON: {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION",
    "SAGEMAKER_USER_CONFIG_OVERRIDE", "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT"}.
    """
    if not _BUCKET.fullmatch(bucket) or not _REGION.fullmatch(region):
        misused("A bucket has 3 to 63 of a-z, 0-9, - and . in its name, a region of a-z, 0-9, -.")
    path = defaults or _config_home() / "modelkeep" / "sagemaker.yaml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_DEFAULTS.format(bucket=bucket), encoding="utf-8")
    except OSError as error:
        fail(f"{path}: {error.strerror}.")
    key_id, secret = _key(url, user, new_key)
    values = {
        "AWS_ENDPOINT_URL": url.rstrip("/"),
        _ID: key_id,
        _SECRET: secret,
        "AWS_DEFAULT_REGION": region,
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(path.absolute()),
        "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT": url.rstrip("/"),
    }
    if as_json:
        print(json.dumps(values, indent=2))
        return
    for name, value in values.items():
        print(f"export {name}={shlex.quote(value)}")


def _key(url: str, user: str, new_key: str) -> tuple[str, str]:
    """The id and the secret of a key: a new one, or one by which somebody claims to be a user."""
    if new_key:
        made = make(Client(url, user), new_key)
        return made["id"], made["secret"]
    if (own := os.environ.get(_ID)) and not user:
        return own, os.environ.get(_SECRET, UNCHECKED)
    return user or _login_name(), UNCHECKED


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have none
        return ANONYMOUS


def _config_home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
