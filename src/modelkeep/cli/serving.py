"""The commands that run until they are stopped. `main` imports no other: a start is to be short."""

from pathlib import Path
from typing import Annotated

import typer

from modelkeep.cli.starting import begin_to_serve, started

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one. [5000]")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where everything is kept. [./modelkeep-data]")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(help="postgresql://…; without it, SQLite in the data directory.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; more than one need PostgreSQL. [1]")
    ] = None,
    artifacts: Annotated[
        str | None,
        typer.Option(help="s3://bucket/prefix for large files; without it, the data directory."),
    ] = None,
    s3_endpoint_url: Annotated[
        str | None, typer.Option(help="Where the S3 store is, if it is not AWS's.")
    ] = None,
    direct_transfers: Annotated[
        str | None,
        typer.Option(
            metavar="on|off", help="Let clients reach the S3 store by presigned addresses. [on]"
        ),
    ] = None,
    default_artifact_root: Annotated[
        str | None, typer.Option(help="Where clients put the files of new experiments themselves.")
    ] = None,
    ingest: Annotated[
        list[str] | None,
        typer.Option(help="s3://bucket/prefix to take versions' files in from; may be repeated."),
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="on|off", help="Ask everybody for a token; needed off loopback. [off]"
        ),
    ] = None,
    aws_account: Annotated[
        str | None,
        typer.Option(help="12 digits: the account of AWS's dialects. [000000000000]"),
    ] = None,
    allowed_hosts: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", help="A Host name to answer to; may be repeated."),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(help="How clients reach this server through a proxy: https://host/path."),
    ] = None,
    max_body_bytes: Annotated[
        int | None, typer.Option(help="Largest JSON body; artifacts are not limited. [20971520]")
    ] = None,
    search_timeout_s: Annotated[
        int | None, typer.Option(help="Seconds after which a search is given up. [30]")
    ] = None,
    upload_days: Annotated[
        int | None, typer.Option(help="Days after which an unregistered upload is deleted. [7]")
    ] = None,
    webhook_allow_private: Annotated[
        bool | None,
        typer.Option(
            "--webhook-allow-private", help="Deliver webhooks to http: and to private addresses."
        ),
    ] = None,
    mail: Annotated[
        str | None,
        typer.Option(help="smtps://user@host, smtp+starttls://… or smtp://…: who takes e-mail."),
    ] = None,
    mail_from: Annotated[
        str | None, typer.Option(help="The address that e-mail is sent from.")
    ] = None,
    journal_key: Annotated[
        Path | None, typer.Option(help="The Ed25519 key, in PEM, that signs the journal.")
    ] = None,
    journal_origin: Annotated[
        str | None, typer.Option(help="The name that a new journal signs under.")
    ] = None,
    witnesses: Annotated[
        list[str] | None,
        typer.Option("--witness", help="Who cosigns checkpoints: URL=vkey; may be repeated."),
    ] = None,
    min_free_bytes: Annotated[
        int | None,
        typer.Option(help="Free space on the data's disk without which it is not ready."),
    ] = None,
    drain_s: Annotated[
        int | None,
        typer.Option(help="Seconds after SIGTERM in which requests are still taken. [0]"),
    ] = None,
    grace_s: Annotated[
        int | None,
        typer.Option(help="Seconds after that for the requests that are under way. [10]"),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning, error. [info]")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="text|json", help="How the log is written. [text]")
    ] = None,
    access_log: Annotated[
        str | None, typer.Option(metavar="on|off", help="Log a line for each request. [off]")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file of settings, named as the options are.")
    ] = None,
) -> None:
    """Run the server.

    \b
    modelkeep serve
    modelkeep serve --port 8080 --data-dir /srv/modelkeep
    modelkeep serve --host 0.0.0.0 --auth on

    Every option is also a setting by environment (MODELKEEP_PORT, MODELKEEP_DATA_DIR, …) and in a
    TOML file given with --config. The command line wins, then the environment, then the file.
    """
    started("serve", begin_to_serve, dict(locals()))


DataDir = Annotated[
    Path | None, typer.Option(help="Where keys and blobs are kept. [./modelkeep-data]")
]
DatabaseUrl = Annotated[
    str | None, typer.Option(help="postgresql://…; without it, SQLite in the data directory.")
]
MetricsPort = Annotated[
    int | None, typer.Option(help="Answers /metrics, /health and /ready there. [nowhere]")
]
Host = Annotated[str | None, typer.Option(help="Address of that port. [127.0.0.1]")]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning, error. [info]")]
LogFormat = Annotated[
    str | None, typer.Option(metavar="text|json", help="How the log is written. [text]")
]
Config = Annotated[
    Path | None, typer.Option(help="A TOML file of settings, named as the options are.")
]


@app.command()
def work(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    metrics_port: MetricsPort = None,
    host: Host = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    config: Config = None,
) -> None:
    """Do the background work of a PostgreSQL's servers, and serve nobody.

    \b
    modelkeep work --database-url postgresql:///registry --data-dir /srv/modelkeep
    modelkeep work --metrics-port 5001

    It delivers webhooks, signs checkpoints, and archives what time lets go. Servers do this as
    well; whoever holds the lease of a task does it. Settings are those of
    `modelkeep serve`, also where they are no option here: set them by environment or file.
    """
    arguments = dict(locals())
    from modelkeep.server import work as run

    started("work", run, arguments)
