"""The client: what can be asked of a server."""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from modelkeep_client import files
from modelkeep_client.errors import ClientError, Waiting
from modelkeep_client.transport import RETRIES, TIMEOUT_S, Transport
from modelkeep_client.values import (
    Applied,
    File,
    Load,
    Model,
    Moment,
    Request,
    Result,
    Slot,
    Version,
    built,
)
from modelkeep_client.webhooks import Webhooks

DEFAULT_URL = "http://127.0.0.1:5000"

Which = int | str  # a version's number, "@champion", "Production", "latest"


class Client:
    """A server at `url` (else MODELKEEP_URL), spoken to with a token or as a user.

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
        self.webhooks = Webhooks(self._transport)

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

    # -- models ----------------------------------------------------------------------------

    def models(self, filter: str = "", page_size: int = 100) -> Iterator[Model]:
        """Models by name; `filter` is in MLflow's search language."""
        for found in self._pages("/models", "models", page_size, filter=filter or None):
            yield built(Model, found)

    def model(self, name: str) -> Model:
        """One model. Raises NotFound."""
        return built(Model, self._transport.get(_model(name)))

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
        body = _given(name=new_name, description=description, tags=dict(tags))
        return built(Model, self._transport.change("PATCH", _model(name), body))

    def delete_model(self, name: str) -> None:
        """Raises Refused where the policy guards a version of it."""
        self._transport.change("DELETE", _model(name))

    # -- versions --------------------------------------------------------------------------

    def versions(self, model: str, page_size: int = 100) -> Iterator[Version]:
        """Versions of a model, newest first."""
        for found in self._pages(f"{_model(model)}/versions", "versions", page_size):
            yield built(Version, found)

    def version(self, model: str, which: Which) -> Version:
        """One version. Raises NotFound."""
        return built(Version, self._transport.get(_version(model, which)))

    def register(
        self,
        model: str,
        *,
        folder: str | Path | None = None,
        source: str = "",
        run: str | None = None,
        description: str = "",
        tags: Mapping[str, str] = {},
    ) -> Version:
        """Registers a version of the files in a folder here, or of a source the server knows.

        A source is a URI: `runs:/<id>/model`, `models:/churn/3`, …. The model must be there.
        """
        if (folder is None) == (not source):
            raise ClientError("A version is made of a folder or of a source.")
        what = {"source": source} if folder is None else {"upload": self._uploaded(Path(folder))}
        body = {**what, "run": run, "description": description, "tags": dict(tags)}
        return built(Version, self._transport.change("POST", f"{_model(model)}/versions", body))

    def change_version(
        self,
        model: str,
        number: int,
        *,
        description: str | None = None,
        tags: Mapping[str, str | None] = {},
    ) -> Version:
        """What is left out stays; a tag that is None is taken away."""
        body = _given(description=description, tags=dict(tags))
        return built(Version, self._transport.change("PATCH", _version(model, number), body))

    def delete_version(self, model: str, number: int) -> None:
        """Raises Refused where the policy guards the stage that it is in."""
        self._transport.change("DELETE", _version(model, number))

    # -- moving ----------------------------------------------------------------------------

    def promote(
        self, model: str, version: int, stage: str, *, reason: str = "", epoch: int | None = None
    ) -> Result:
        """Moves a version into a stage.

        Raises Refused, with every gate's verdict; Waiting if others must approve first; StaleEpoch
        if the stage is no longer at `epoch`.
        """
        body = _given(model=model, version=version, stage=stage, reason=reason, epoch=epoch)
        return _moved(self._transport.change("POST", "/promotions", body))

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
        body = _given(model=model, stage=stage, reason=reason, to=to, epoch=epoch)
        return _moved(self._transport.change("POST", "/rollbacks", body))

    def set_alias(
        self, model: str, alias: str, version: int, *, epoch: int | None = None
    ) -> Result:
        """Points an alias at a version. Raises as `promote`."""
        body = _given(version=version, epoch=epoch)
        return _moved(self._transport.change("PUT", _alias(model, alias), body))

    def delete_alias(self, model: str, alias: str, *, epoch: int | None = None) -> Result:
        """Takes an alias away. Raises NotFound, and as `promote`."""
        found = self._transport.change("DELETE", _alias(model, alias), params=_given(epoch=epoch))
        return _moved(found)

    def slots(self, model: str) -> list[Slot]:
        """The stages and aliases of a model with what they hold, and their epochs."""
        return [built(Slot, found) for found in self._transport.get(f"{_model(model)}/slots")]

    def requests(self, status: str | None = "pending") -> list[Request]:
        """Requests for approval, newest first; None for those of every status."""
        found = self._transport.get("/requests", status=status)
        return [built(Request, request) for request in found]

    def request(self, request_id: int) -> dict[str, Any]:
        """One request with its evidence and votes, as the server tells it."""
        return self._transport.get(f"/requests/{request_id}")

    def approve(self, request_id: int, comment: str = "") -> Result:
        """Approves. `result.is_waiting` if more must. Raises Refused, Void."""
        path = f"/requests/{request_id}/approve"
        return built(Result, self._transport.change("POST", path, {"comment": comment}))

    def reject(self, request_id: int, reason: str) -> Result:
        """Rejects. Raises Refused, Void."""
        path = f"/requests/{request_id}/reject"
        return built(Result, self._transport.change("POST", path, {"comment": reason}))

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
        given = _given(reason=reason, replacement=replacement, blocks=blocks)
        return self._change_state(model, number, "deprecated", given)

    def block(
        self, model: str, number: int, *, reason: str, replacement: int | None = None
    ) -> Version:
        """Refuses new loads of a version. Raises Refused where a stage or alias that counts holds
        it, Conflict where it is retired."""
        given = _given(reason=reason, replacement=replacement)
        return self._change_state(model, number, "blocked", given)

    def reinstate(self, model: str, number: int, *, reason: str) -> Version:
        """Takes back that it is deprecated or blocked. Raises Conflict where it is neither."""
        return self._change_state(model, number, "active", {"reason": reason})

    def retire(
        self, model: str, number: int, *, reason: str, replacement: int | None = None
    ) -> Version:
        """Takes a version out of use for good. Raises as `block`."""
        given = _given(reason=reason, replacement=replacement)
        return self._change_state(model, number, "retired", given)

    def _change_state(
        self, model: str, number: int, state: str, given: Mapping[str, Any]
    ) -> Version:
        path, body = f"{_version(model, number)}/state", {"state": state, **given}
        return built(Version, self._transport.change("PUT", path, body))

    def loads(self, model: str, number: int | None = None, days: int = 30) -> list[Load]:
        """Who loaded a model's versions, or one of them, who did last first; for deployers."""
        found = self._transport.get(f"{_model(model)}/loads", version=number, days=days)
        return [built(Load, one) for one in found]

    # -- reading ---------------------------------------------------------------------------

    def at(self, model: str, time: str) -> Moment:
        """What every slot held at a time (RFC 3339; without a zone it is UTC)."""
        return built(Moment, self._transport.get(f"{_model(model)}/at", time=time))

    def history(self, model: str, page_size: int = 100) -> Iterator[dict[str, Any]]:
        """The journal's entries about a model, newest first."""
        before = None
        while True:
            path = f"{_model(model)}/history"
            page = self._transport.get(path, before=before, limit=page_size)
            yield from page
            if len(page) < page_size:
                return
            before = page[-1]["index"]

    def journal(self, start: int = 0, page_size: int = 100) -> Iterator[dict[str, Any]]:
        """The journal's entries from an index on, in order."""
        while True:
            page = self._transport.get("/journal/entries", start=start, limit=page_size)
            yield from page
            if len(page) < page_size:
                return
            start = page[-1]["index"] + 1

    def compare(
        self,
        model: str,
        versions: Sequence[Which] = (),
        *,
        lower: Sequence[str] = (),
        higher: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Versions side by side; `lower` and `higher` name metrics of which less, or more, is
        better."""
        named = [str(which) for which in versions]
        path = f"{_model(model)}/comparison"
        return self._transport.get(path, version=named, lower=[*lower], higher=[*higher])

    def lineage(self, model: str, which: Which) -> dict[str, Any]:
        """Where a version came from, where it went, and who approved it."""
        return self._transport.get(f"{_version(model, which)}/lineage")

    def artifacts(self, model: str, which: Which, folder: str = "") -> list[File]:
        """The files that a version froze."""
        return files.listing(self._transport, _version(model, which), folder)[2]

    def download(self, model: str, which: Which, folder: str | Path) -> Path:
        """Brings a version's files into a folder, each checked by its digest.

        Raises Tampered; ClientError for a folder that is not empty.
        """
        return files.download(self._transport, _version(model, which), Path(folder))

    # -- policy ----------------------------------------------------------------------------

    def policy(self) -> dict[str, Any]:
        """The policy in force; its `revision` is 0 when there is none."""
        return self._transport.get("/policy")

    def apply_policy(self, source: str) -> Applied:
        """Puts a policy, the text of its YAML, in force."""
        return built(Applied, self._transport.change("POST", "/policy", {"source": source}))

    # -- within ----------------------------------------------------------------------------

    def _pages(self, path: str, key: str, size: int, **params: Any) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            page = self._transport.get(path, limit=size, cursor=cursor, **params)
            yield from page[key]
            cursor = page["next"]
            if not cursor:
                return

    def _uploaded(self, folder: Path) -> str:
        """The id of an upload of every file below a folder."""
        upload = str(uuid.uuid4())
        found = list(files.below(folder))
        if not found:
            raise ClientError(f"There are no files in {folder}.")
        for path, file in found:
            self._transport.put_file(f"/uploads/{upload}/files/{quote(path)}", file)
        return upload


def _model(name: str) -> str:
    return f"/models/{quote(name, safe='')}"


def _version(model: str, which: Which) -> str:
    return f"{_model(model)}/versions/{quote(str(which), safe='')}"


def _alias(model: str, alias: str) -> str:
    return f"{_model(model)}/aliases/{quote(alias, safe='')}"


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _moved(body: Mapping[str, Any]) -> Result:
    result = built(Result, body)
    if result.is_waiting:
        raise Waiting(result)
    return result
