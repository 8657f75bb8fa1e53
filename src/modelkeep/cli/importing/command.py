"""`modelkeep import mlflow URI`: the command. What it does is in the modules beside it."""

import json
import os
import sys
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import typer

from modelkeep.cli.client import REFUSED, UNREACHABLE, credentials, fail

import_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Bring another server's content over."
)


@import_app.callback()
def imports() -> None:
    """Bring another server's content over."""


@import_app.command("mlflow")
def import_mlflow(
    uri: Annotated[str, typer.Argument(metavar="URI", help="The MLflow server, 2.10 or later.")],
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="models=NAME,… (with the runs that they are from) or experiments=NAME,…; "
            "may be repeated."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; say what would come.")
    ] = False,
    no_artifacts: Annotated[
        bool, typer.Option("--no-artifacts", help="Bring no files; versions stay unverified.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read files again that are here in the same size.")
    ] = False,
    origin: Annotated[
        str, typer.Option("--as", help="The address that it was imported from before.")
    ] = "",
    reason: Annotated[
        str, typer.Option("--reason", help="Why, where the policy wants a reason for a move.")
    ] = "",
    source_user: Annotated[
        str, typer.Option(envvar="MLFLOW_TRACKING_USERNAME", help="Its user name.")
    ] = "",
    source_token: Annotated[
        str, typer.Option(envvar="MLFLOW_TRACKING_TOKEN", help="A bearer token for it.")
    ] = "",
    url: Annotated[
        str, typer.Option("--url", envvar="MODELKEEP_URL", help="This modelkeep.")
    ] = "http://127.0.0.1:5000",
    user: Annotated[
        str, typer.Option("--user", envvar="MODELKEEP_USER", help="Who you are (a claim, for now).")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show no progress; --json shows none either.")
    ] = False,
) -> None:
    """Bring an MLflow server over: experiments, runs, models, versions, aliases and artifacts.

    \b
    modelkeep import mlflow http://mlflow.example:5000 --dry-run
    modelkeep import mlflow http://mlflow.example:5000 --only models=churn,fraud

    It may be stopped at any point and run again: what is here already is compared, not brought. The
    source is only read. A password for it comes from MLFLOW_TRACKING_PASSWORD. Exits 0 only if both
    sides agree in the end, 1 if they do not (what came before and is gone there is only here, and a
    difference), 3 if one of them does not answer. JSON: {"source", "target", "dry_run", "agrees",
    "anything_new", "counts", "bytes_read", "files_compared_by_digest", "files_compared_by_size",
    "left_in_object_stores", "differences", "differences_not_listed"}.
    """
    from concurrent.futures import ThreadPoolExecutor

    from modelkeep.cli.importing import whole
    from modelkeep.cli.importing.http import Http, NoAnswer, Refused
    from modelkeep.cli.importing.job import WORKERS, Job
    from modelkeep.cli.importing.keep import Keep, process_of
    from modelkeep.cli.importing.mlflow import Mlflow
    from modelkeep.cli.importing.progress import Progress
    from modelkeep.cli.importing.report import Report

    address, settings = _source(uri, source_user, source_token)
    wanted = whole.Wanted(*_named(only or []))
    report = Report(address, url.rstrip("/"))
    source = Http(address, connections=WORKERS, **settings)
    target = Http(url, connections=WORKERS, trust_env=False, **credentials(url, user))
    try:
        process = process_of(target)
        if process and process_of(source) == process:
            raise typer.BadParameter(f"{address} is this modelkeep itself; name another server.")
        is_quiet = quiet or as_json
        with (
            Progress(report, quiet=is_quiet) as progress,
            ThreadPoolExecutor(WORKERS) as pool,
        ):
            job = Job(
                Mlflow(source),
                Mlflow(target),
                Keep(target, (origin or address).rstrip("/")),
                report,
                progress.begin,
                progress.tick,
                pool,
                with_artifacts=not no_artifacts,
                verify=verify,
                reason=reason,
            )
            (whole.foresee if dry_run else whole.bring)(job, wanted)
    except NoAnswer as error:
        fail(f"{error} What was brought is here; run it again to go on.", UNREACHABLE)
    except Refused as error:
        fail(f"It was refused: {error.message} What was brought is here.")
    except KeyboardInterrupt:
        fail("Stopped. What was brought is here; run it again to go on.")
    if as_json:
        print(json.dumps(report.to_json(dry_run=dry_run), indent=2))
    else:
        report.show(dry_run=dry_run)
    if not dry_run and not report.agrees:
        raise SystemExit(REFUSED)


def _source(uri: str, user: str, token: str) -> tuple[str, dict[str, Any]]:
    """The source's address without credentials, and how to speak to it."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise typer.BadParameter(f"'{uri}' is not the http address of a server.")
    address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    settings: dict[str, Any] = {}
    user, password = user or parts.username or "", parts.password or ""
    if user:
        settings["auth"] = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", password))
    elif token:
        settings["headers"] = {"authorization": f"Bearer {token}"}
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        print("Note: the source's certificate is not checked.", file=sys.stderr)
        settings["verify"] = False
    elif certificates := os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"):
        settings["verify"] = certificates
    return address.rstrip("/"), settings


def _named(only: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The experiments and the models of `kind=NAME,…` options."""
    named: dict[str, list[str]] = {"experiments": [], "models": []}
    for option in only:
        kind, _, listed = option.partition("=")
        names = [name.strip() for name in listed.split(",") if name.strip()]
        if kind not in named or not names:
            raise typer.BadParameter(f"--only {option}: write models=NAME,… or experiments=NAME,…")
        named[kind] += names
    return tuple(named["experiments"]), tuple(named["models"])
