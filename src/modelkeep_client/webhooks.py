"""Webhooks: who is told of what happens."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from modelkeep_client.transport import Transport
from modelkeep_client.values import Delivery, Tried, Webhook, built


class Webhooks:
    """The webhooks of a server; `client.webhooks` is one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> list[Webhook]:
        """All of them, newest first."""
        return [built(Webhook, found) for found in self._transport.get("/webhooks")]

    def get(self, webhook_id: str) -> Webhook:
        return built(Webhook, self._transport.get(_path(webhook_id)))

    def create(
        self, name: str, url: str, events: Sequence[str], *, secret: str = "", description: str = ""
    ) -> Webhook:
        """Subscribes a URL to events (`MODEL_VERSION_STAGE/CHANGED`, …), from now on."""
        body = {
            "name": name,
            "url": url,
            "events": [*events],
            "secret": secret,
            "description": description,
        }
        return built(Webhook, self._transport.change("POST", "/webhooks", body))

    def change(self, webhook_id: str, **changes: Any) -> Webhook:
        """Changes `name`, `url`, `events`, `description`, `secret` or `status`."""
        return built(Webhook, self._transport.change("PATCH", _path(webhook_id), changes))

    def delete(self, webhook_id: str) -> None:
        self._transport.change("DELETE", _path(webhook_id))

    def test(self, webhook_id: str, event: str | None = None) -> Tried:
        """Sends an example of an event, the webhook's first without one, and waits for what the
        receiver answers."""
        body = {"event": event}
        path = f"{_path(webhook_id)}/test"
        return built(Tried, self._transport.change("POST", path, body))

    def deliveries(self, webhook_id: str, page_size: int = 100) -> Iterator[Delivery]:
        """What was delivered, or is on its way, newest first."""
        before = None
        while True:
            path = f"{_path(webhook_id)}/deliveries"
            page = self._transport.get(path, limit=page_size, before=before)
            for found in page:
                yield built(Delivery, found)
            if len(page) < page_size:
                return
            before = page[-1]["id"]

    def replay(self, delivery_id: str) -> Delivery:
        """Sends a delivery that has ended once more."""
        path = f"/deliveries/{quote(delivery_id, safe='')}/replay"
        return built(Delivery, self._transport.change("POST", path))


def _path(webhook_id: str) -> str:
    return f"/webhooks/{quote(webhook_id, safe='')}"
