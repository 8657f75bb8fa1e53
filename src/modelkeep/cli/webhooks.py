"""The commands of webhooks."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from modelkeep.cli.client import REFUSED, Client, plain, unreadable
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User
from modelkeep.cli.telling import show_table

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Tell other servers what happens: make webhooks, see what was delivered, send it again.",
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The webhook's id.")]


@app.command("list")
def list_webhooks(url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """List the webhooks, newest first.

    \b
    modelkeep webhooks list

    JSON: [{"id", "name", "url", "events", "description", "status", "reason", "signed", "failures",
    "created", "updated"}].
    """
    found = Client(url, user).get("/webhooks")
    rows = [
        [w["id"], w["name"], w["status"], w["url"], " ".join(w["events"]), w["reason"]]
        for w in found
    ]
    head = ("id", "name", "status", "url", "events", "reason")
    show_table(head, rows, found, as_json, "No webhooks.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Letters, digits, dots, dashes, underscores.")],
    to: Annotated[str, typer.Argument(metavar="URL", help="Where events are posted.")],
    events: Annotated[
        list[str],
        typer.Option("--event", help="As in MODEL_VERSION_STAGE/CHANGED; may be repeated."),
    ],
    secret_file: Annotated[
        Path | None,
        typer.Option(help="A file with the secret that signs deliveries; - is standard input."),
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Subscribe a URL to events, from now on. docs/webhooks.md lists them.

    \b
    modelkeep webhooks create releases https://hooks.example/modelkeep \\
        --event MODEL_VERSION_STAGE/CHANGED --secret-file secret

    JSON: {"id", "name", "url", "events", "description", "status", "reason", "signed", "failures",
    "created", "updated"}.
    """
    body = {"name": name, "url": to, "events": events, "description": description}
    secret = _secret(secret_file) if secret_file else None
    _show(Client(url, user).post("/webhooks", {**body, "secret": secret}), as_json)


@app.command()
def show(id: Id, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """Show one webhook and, if the server disabled it, why.

    \b
    modelkeep webhooks show 0b5c2a7e4f914c0c8f3a

    JSON: {"id", "name", "url", "events", "description", "status", "reason", "signed", "failures",
    "created", "updated"}.
    """
    _show(Client(url, user).get(f"/webhooks/{quote(id, safe='')}"), as_json)


@app.command()
def enable(id: Id, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """Make a disabled webhook active again; what it waits to deliver is sent at once.

    \b
    modelkeep webhooks enable 0b5c2a7e4f914c0c8f3a

    JSON: {"id", "name", "url", "events", "description", "status", "reason", "signed", "failures",
    "created", "updated"}.
    """
    changed = Client(url, user).patch(f"/webhooks/{quote(id, safe='')}", {"status": "ACTIVE"})
    _show(changed, as_json)


@app.command()
def delete(id: Id, url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """Delete a webhook, its secret, and what was not delivered yet.

    \b
    modelkeep webhooks delete 0b5c2a7e4f914c0c8f3a

    JSON: {"deleted"}.
    """
    Client(url, user).delete(f"/webhooks/{quote(id, safe='')}")
    print(json.dumps({"deleted": id}) if as_json else f"Webhook {plain(id)} is deleted.")


@app.command()
def deliveries(
    id: Id,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    before: Annotated[
        str | None, typer.Option(metavar="DELIVERY", help="Only those older than this one.")
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """List a webhook's deliveries, newest first: what was answered, and what is tried again.

    \b
    modelkeep webhooks deliveries 0b5c2a7e4f914c0c8f3a --limit 10

    JSON: [{"id", "event", "entry", "state", "attempts", "replays", "created", "attempted", "next",
    "status", "response", "error", "body"}].
    """
    path = f"/webhooks/{quote(id, safe='')}/deliveries"
    found = Client(url, user).get(path, limit=limit, before=before)
    rows = [
        [d["id"], d["created"], d["event"], d["state"], d["attempts"], d["status"] or "",
         d["error"], d["next"] or ""]
        for d in found
    ]  # fmt: skip
    head = ("delivery", "at", "event", "state", "attempts", "answer", "error", "next attempt")
    show_table(head, rows, found, as_json, "No deliveries.")


@app.command()
def replay(
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id.")],
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Send a delivery that has ended once more, with the same id and body.

    \b
    modelkeep webhooks replay 7d1f0c52e6

    JSON: {"id", "event", "entry", "state", "attempts", "replays", "created", "attempted", "next",
    "status", "response", "error", "body"}.
    """
    sent = Client(url, user).post(f"/deliveries/{quote(delivery, safe='')}/replay", {})
    print(json.dumps(sent, indent=2) if as_json else f"Delivery {sent['id']} goes out again.")


@app.command("test")
def try_out(
    id: Id,
    event: Annotated[
        str | None, typer.Option("--event", help="Which to send an example of; the first.")
    ] = None,
    url: Url = DEFAULT_URL,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Send an example once, and say what the receiver answered (exit 1 if it was not 2xx).

    \b
    modelkeep webhooks test 0b5c2a7e4f914c0c8f3a --event MODEL_VERSION/CREATED

    JSON: {"success", "status", "response", "error"}.
    """
    found = Client(url, user).post(f"/webhooks/{quote(id, safe='')}/test", {"event": event})
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        print(plain(found["error"] or f"The receiver answered {found['status']}."))
        if found["response"]:
            print(plain(found["response"]))
    if not found["success"]:
        raise SystemExit(REFUSED)


def _secret(file: Path) -> str:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        unreadable(file, error)
    return text.rstrip("\r\n")


def _show(webhook: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(webhook, indent=2))
        return
    print(plain(f"Webhook {webhook['id']}  {webhook['name']}, {webhook['status']}"))
    print(plain(f"  posts to {webhook['url']}, {'signed' if webhook['signed'] else 'not signed'}"))
    print(f"  {' '.join(webhook['events'])}")
    for line in (webhook["description"], webhook["reason"]):
        if line:
            print(plain(f"  {line}"))
