"""The client: what can be asked of a server."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from modelkeep_client import addresses, files
from modelkeep_client.accounts import Accounts, Identity, Tokens
from modelkeep_client.addresses import Which, given, moved, of_model, of_version, segment
from modelkeep_client.comparisons import Comparison, Difference, Lineage
from modelkeep_client.documents import Documents
from modelkeep_client.emergencies import Emergencies
from modelkeep_client.errors import ClientError, Tampered
from modelkeep_client.journal import Entry, Journal
from modelkeep_client.lifecycles import Lifecycles
from modelkeep_client.policies import Policies
from modelkeep_client.requests import Requests
from modelkeep_client.transport import RETRIES, TIMEOUT_S, Transport
from modelkeep_client.values import File, Load, Model, Moment, Result, Slot, Version, built
from modelkeep_client.webhooks import Webhooks

DEFAULT_URL = "http://127.0.0.1:5000"


class Client:
    """A server at `url` (else MODELKEEP_URL), spoken to with a token or as a user.

    Models and versions are its own methods; what else there is has a noun: `requests`, `policies`,
    `documents`, `emergencies`, `lifecycles`, `journal`, `webhooks`, `accounts`, `tokens`.

    Without `token` it is MODELKEEP_TOKEN, or what `modelkeep login` has kept for this address; with
    none of them, `user` (else MODELKEEP_USER) is a name that is claimed. Threads may share one.
    Close it, or use it in a `with`.
    """

    def __init__(
        self,
        url: str = "",
        *,
        token: str = "",
        user: str = "",
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
    ) -> None:
        self._transport = Transport(
            url or os.environ.get("MODELKEEP_URL") or DEFAULT_URL,
            token=token,
            user=user or os.environ.get("MODELKEEP_USER", ""),
            timeout_s=timeout_s,
            retries=retries,
        )
        self.requests = Requests(self._transport)
        self.emergencies = Emergencies(self._transport)
        self.policies = Policies(self._transport)
        self.documents = Documents(self._transport)
        self.lifecycles = Lifecycles(self._transport)
        self.journal = Journal(self._transport)
        self.webhooks = Webhooks(self._transport)
        self.accounts = Accounts(self._transport)
        self.tokens = Tokens(self._transport)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def whoami(self) -> Identity:
        """Who the caller is to the server, and what they may do."""
        return built(Identity, self._transport.get("/whoami"))

    # -- models ----------------------------------------------------------------------------

    def models(self, filter: str = "", page_size: int = 100) -> Iterator[Model]:
        """Models by name; `filter` is in MLflow's search language."""
        for found in self._pages("/models", "models", page_size, filter=filter or None):
            yield built(Model, found)

    def model(self, name: str) -> Model:
        """One model. Raises NotFound."""
        return built(Model, self._transport.get(of_model(name)))

    def create_model(self, name: str, description: str = "", tags: Mapping[str, str] = {}) -> Model:
        """Raises AlreadyExists, InvalidCall."""
        body = {"name": name, "description": description, "tags": dict(tags)}
        return built(Model, self._transport.change("POST", "/models", body))

    def change_model(
        self,
        name: str,
        *,
        new_name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str | None] = {},
    ) -> Model:
        """What is left out stays; a tag that is None is taken away."""
        body = given(name=new_name, description=description, tags=dict(tags))
        return built(Model, self._transport.change("PATCH", of_model(name), body))

    def delete_model(self, name: str) -> None:
        """Raises Refused where the policy guards a version of it."""
        self._transport.change("DELETE", of_model(name))

    # -- versions --------------------------------------------------------------------------

    def versions(self, model: str, page_size: int = 100) -> Iterator[Version]:
        """Versions of a model, newest first."""
        for found in self._pages(f"{of_model(model)}/versions", "versions", page_size):
            yield built(Version, found)

    def version(self, model: str, which: Which) -> Version:
        """One version. Raises NotFound."""
        return built(Version, self._transport.get(of_version(model, which)))

    def resolve(self, name: str) -> Version:
        """The version that `churn/~1.4`, `churn@champion`, `models:/churn/latest` … names now.

        Raises NotFound; ClientError for what names none.
        """
        return self.version(*addresses.split(name))

    def bump(
        self, model: str, which: Which, *, to: str | None = None, bump: str | None = None
    ) -> Version:
        """Gives a version a higher semantic version than its changes call for, and for good.

        Either `to` a number, or by a `bump`: major, minor or patch. Raises InvalidCall, Conflict.
        """
        path = f"{of_version(model, which)}/semver"
        return built(Version, self._transport.change("POST", path, given(to=to, bump=bump)))

    def register(
        self,
        model: str,
        *,
        folder: str | Path | None = None,
        source: str = "",
        run: str | None = None,
        logged_model: str | None = None,
        description: str = "",
        tags: Mapping[str, str] = {},
    ) -> Version:
        """Registers a version of the files in a folder here, or of a source the server knows.

        A source is a URI: `runs:/<id>/model`, `models:/churn/3`, …; `run` and `logged_model` are
        ids. The model must be there.
        Raises Tampered where the server has frozen other bytes than were sent.
        """
        if (folder is None) == (not source):
            raise ClientError("A version is made of a folder or of a source.")
        body: dict[str, Any] = {"run": run, "logged_model": logged_model}
        body |= {"description": description, "tags": dict(tags)}
        path = f"{of_model(model)}/versions"
        if folder is None:
            return built(Version, self._transport.change("POST", path, {"source": source, **body}))
        upload, digest = files.upload(self._transport, Path(folder))
        made = built(Version, self._transport.change("POST", path, {"upload": upload, **body}))
        if made.manifest != digest:
            raise Tampered(f"{model}/{made.version} is {made.manifest}; {digest} was sent.")
        return made

    def change_version(
        self,
        model: str,
        number: int,
        *,
        description: str | None = None,
        tags: Mapping[str, str | None] = {},
    ) -> Version:
        """What is left out stays; a tag that is None is taken away."""
        body = given(description=description, tags=dict(tags))
        return built(Version, self._transport.change("PATCH", of_version(model, number), body))

    def delete_version(self, model: str, number: int) -> None:
        """Raises Refused where the policy guards the stage that it is in."""
        self._transport.change("DELETE", of_version(model, number))

    # -- moving ----------------------------------------------------------------------------

    def promote(
        self, model: str, version: Which, stage: str, *, reason: str = "", epoch: int | None = None
    ) -> Result:
        """Moves a version into a stage.

        Raises Refused, with every gate's verdict; Waiting if others must approve first; StaleEpoch
        if the stage is no longer at `epoch`.
        """
        body = given(model=model, version=version, stage=stage, reason=reason, epoch=epoch)
        return moved(self._transport.change("POST", "/promotions", body))

    def rollback(
        self,
        model: str,
        *,
        reason: str,
        stage: str | None = None,
        to: int | str | None = None,
        epoch: int | None = None,
    ) -> Result:
        """Returns a stage, production without one, to the version it held before, or to one that it
        held earlier. Raises as `promote`."""
        body = given(model=model, stage=stage, reason=reason, to=to, epoch=epoch)
        return moved(self._transport.change("POST", "/rollbacks", body))

    def set_alias(
        self, model: str, alias: str, version: int, *, epoch: int | None = None
    ) -> Result:
        """Points an alias at a version. Raises as `promote`."""
        body = given(version=version, epoch=epoch)
        return moved(self._transport.change("PUT", _alias(model, alias), body))

    def delete_alias(self, model: str, alias: str, *, epoch: int | None = None) -> Result:
        """Takes an alias away. Raises NotFound, and as `promote`."""
        found = self._transport.change("DELETE", _alias(model, alias), params=given(epoch=epoch))
        return moved(found)

    def slots(self, model: str) -> list[Slot]:
        """The stages and aliases of a model with what they hold, and their epochs."""
        return [built(Slot, found) for found in self._transport.get(f"{of_model(model)}/slots")]

    # -- ending ----------------------------------------------------------------------------

    def deprecate(
        self,
        model: str,
        number: int,
        *,
        reason: str,
        replacement: int | None = None,
        blocks: str | None = None,
    ) -> Version:
        """Says that a version should not be used any more, and what instead; `blocks` is a time
        (RFC 3339) from which it is blocked. Raises Conflict where it is blocked or retired."""
        more = given(reason=reason, replacement=replacement, blocks=blocks)
        return self._change_state(model, number, "deprecated", more)

    def block(
        self, model: str, number: int, *, reason: str, replacement: int | None = None
    ) -> Version:
        """Refuses new loads of a version. Raises Refused where a stage or alias that counts holds
        it, Conflict where it is retired."""
        more = given(reason=reason, replacement=replacement)
        return self._change_state(model, number, "blocked", more)

    def reinstate(self, model: str, number: int, *, reason: str) -> Version:
        """Takes back that it is deprecated or blocked. Raises Conflict where it is neither."""
        return self._change_state(model, number, "active", {"reason": reason})

    def retire(
        self, model: str, number: int, *, reason: str, replacement: int | None = None
    ) -> Version:
        """Takes a version out of use for good. Raises as `block`."""
        more = given(reason=reason, replacement=replacement)
        return self._change_state(model, number, "retired", more)

    def _change_state(
        self, model: str, number: int, state: str, more: Mapping[str, Any]
    ) -> Version:
        path, body = f"{of_version(model, number)}/state", {"state": state, **more}
        return built(Version, self._transport.change("PUT", path, body))

    def loads(self, model: str, number: int | None = None, days: int = 30) -> list[Load]:
        """Who loaded a model's versions, or one of them, who did last first; for deployers."""
        found = self._transport.get(f"{of_model(model)}/loads", version=number, days=days)
        return [built(Load, one) for one in found]

    # -- reading ---------------------------------------------------------------------------

    def at(self, model: str, time: str) -> Moment:
        """What every slot held at a time (RFC 3339; without a zone it is UTC).

        Raises InvalidCall for one that is yet to come.
        """
        return built(Moment, self._transport.get(f"{of_model(model)}/at", time=time))

    def history(self, model: str, page_size: int = 100) -> Iterator[Entry]:
        """The journal's entries about a model, newest first."""
        before = None
        while True:
            path = f"{of_model(model)}/history"
            page = self._transport.get(path, before=before, limit=page_size)
            yield from (built(Entry, entry) for entry in page)
            if len(page) < page_size:
                return
            before = page[-1]["index"]

    def compare(
        self,
        model: str,
        versions: Sequence[Which] = (),
        *,
        lower: Sequence[str] = (),
        higher: Sequence[str] = (),
    ) -> Comparison:
        """Versions side by side; `lower` and `higher` name metrics of which less, or more, is
        better."""
        named = [str(which) for which in versions]
        path = f"{of_model(model)}/comparison"
        found = self._transport.get(path, version=named, lower=[*lower], higher=[*higher])
        return built(Comparison, found)

    def diff(self, model: str, which: Which, since: str | None = None) -> Difference:
        """What changed in a version since another, `churn/2` or `churn@champion`; without one,
        since the one whose semantic version comes before its own."""
        before, other = addresses.split(since) if since is not None else (None, None)
        params = {"with": other, "model": before}
        return built(Difference, self._transport.get(f"{of_version(model, which)}/diff", **params))

    def lineage(self, model: str, which: Which) -> Lineage:
        """Where a version came from, where it went, and who approved it."""
        return built(Lineage, self._transport.get(f"{of_version(model, which)}/lineage"))

    def artifacts(self, model: str, which: Which, folder: str = "") -> list[File]:
        """The files that a version froze."""
        return files.listing(self._transport, of_version(model, which), folder)[2]

    def download(self, model: str, which: Which, folder: str | Path) -> Path:
        """Brings a version's files into a folder, each checked by its digest.

        Raises Tampered; ClientError for a folder that is not empty.
        """
        return files.download(self._transport, of_version(model, which), Path(folder))

    # -- within ----------------------------------------------------------------------------

    def _pages(self, path: str, key: str, size: int, **params: Any) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            page = self._transport.get(path, limit=size, cursor=cursor, **params)
            yield from page[key]
            cursor = page["next"]
            if not cursor:
                return


def _alias(model: str, alias: str) -> str:
    return f"{of_model(model)}/aliases/{segment(alias)}"
