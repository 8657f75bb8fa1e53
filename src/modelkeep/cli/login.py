"""Signing in and out of a server with accounts. No secret is an argument of a command."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from modelkeep.cli.client import Client, fail, plain
from modelkeep.cli.options import DEFAULT_URL, Json, Url, User

PasswordFile = Annotated[
    Path | None,
    typer.Option(help="A file with the password; - is standard input. Otherwise it is asked for."),
]


def login(
    name: Annotated[str, typer.Argument(help="Your account.")],
    password_file: PasswordFile = None,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Sign in to a server for twelve hours. The commands that follow speak to it as you.

    \b
    modelkeep login ann
    modelkeep login ann --password-file - < secret

    JSON: {"name", "expires"}.
    """
    from modelkeep_client import credentials  # and httpx with it

    password = read_password(password_file)
    session = Client(url).post("/sign-in", {"name": name, "password": password})
    try:
        credentials.keep(url.rstrip("/"), session["token"])
    except OSError as error:
        fail(f"The session could not be kept: {error}.")
    told = {"name": session["name"], "expires": session["expires"]}
    said = f"Signed in as {plain(session['name'])} until {session['expires']}."
    print(json.dumps(told) if as_json else said)


def logout(url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """End the session with a server, there and here.

    \b
    modelkeep logout

    JSON: {"signed_out"}.
    """
    from modelkeep_client import credentials

    address = url.rstrip("/")
    if credentials.token_for(address) and not os.environ.get("MODELKEEP_TOKEN"):
        Client(url).run("/sign-out")
    credentials.keep(address, "")
    print(json.dumps({"signed_out": address}) if as_json else f"Signed out of {address}.")


def whoami(url: Url = DEFAULT_URL, user: User = "", as_json: Json = False) -> None:
    """Say who you are to a server, and what you may do there.

    \b
    modelkeep whoami

    JSON: {"name", "kind", "verified", "on_behalf_of", "grants": [{"role", "scope"}], "token"}.
    """
    found = Client(url, user).get("/whoami")
    if as_json:
        print(json.dumps(found, indent=2))
        return
    owner = f", for whom {plain(found['on_behalf_of'])} answers" if found["on_behalf_of"] else ""
    kind = found["kind"] if found["verified"] else "which is a claim: there are no accounts"
    print(f"{plain(found['name'])}, {kind}{owner}")
    for grant in found["grants"]:
        print(plain(f"  {grant['role']} on {grant['scope']}"))


def read_password(file: Path | None, *, new: bool = False, called: str = "Password") -> str:
    """From a file, or from the terminal without showing it; a new one twice."""
    if file is None:
        return typer.prompt(called, hide_input=True, confirmation_prompt=new)
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: {error}.")
    return text.rstrip("\r\n")
