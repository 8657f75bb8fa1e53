"""Webhooks over the native API: with all their events, their deliveries, and replay."""

from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import Parameter

from modelkeep.domain.access import Verb
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.events import instant
from modelkeep.domain.webhooks import Changes, Outcome, Status, Topic, Webhook, topic_of
from modelkeep.ports.webhooks import Delivery
from modelkeep.protocols.native.calls import Http, caller
from modelkeep.protocols.native.idempotency import acting, change
from modelkeep.protocols.rules import everywhere
from modelkeep.services import courier, webhooks
from modelkeep.services.app import App

_Status = Annotated[str, msgspec.Meta(pattern="^(ACTIVE|DISABLED)$")]


class NewWebhook(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`events` are written MODEL_VERSION/CREATED. `secret` is never given back."""

    name: str
    url: str
    events: list[str]
    description: str = ""
    secret: str = ""
    status: _Status = "ACTIVE"


class WebhookChanges(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays; a secret of "" takes the secret away."""

    name: str | None = None
    url: str | None = None
    events: list[str] | None = None
    description: str | None = None
    secret: str | None = None
    status: _Status | None = None


class TestCall(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The event to send an example of; the webhook's first, if it is left out."""

    event: str | None = None


class WebhookView(msgspec.Struct, kw_only=True):
    """`reason` says why it is disabled, if nobody disabled it by hand."""

    id: str
    name: str
    url: str
    events: list[str]
    description: str
    status: str
    reason: str
    signed: bool
    failures: int
    created: str
    updated: str


class DeliveryView(msgspec.Struct, kw_only=True):
    """`state`: QUEUED, RETRYING, DELIVERED, FAILED or CANCELLED. `entry` is the journal's, None
    for a test; `response` the beginning of what the receiver answered to the last attempt."""

    id: str
    event: str
    entry: int | None
    state: str
    attempts: int
    replays: int
    created: str
    attempted: str | None
    next: str | None
    status: int | None
    response: str
    error: str
    body: str


class TestView(msgspec.Struct, kw_only=True):
    success: bool
    status: int | None
    response: str
    error: str


def handlers(app: App) -> list[Any]:
    """The route handlers over an application."""

    @get("/webhooks")
    @everywhere(Verb.ADMIN)
    async def list_webhooks() -> list[WebhookView]:
        """Every webhook, newest first."""
        return [_view(webhook) for webhook in await app.read(webhooks.listing)]

    @post("/webhooks", status_code=200)
    @everywhere(Verb.ADMIN)
    async def create_webhook(request: Http, data: NewWebhook) -> WebhookView:
        """Subscribes a URL to events, from now on."""
        wanted = Changes(
            name=data.name,
            url=data.url,
            topics=_topics(data.events),
            description=data.description,
            secret=data.secret,
            status=Status(data.status),
        )
        once = await acting(app, request, _view)
        return _view(await courier.create(once, caller(request), wanted))

    @get("/webhooks/{webhook_id:str}")
    @everywhere(Verb.ADMIN)
    async def show_webhook(webhook_id: str) -> WebhookView:
        """One webhook."""
        return _view(await app.read(webhooks.get, webhook_id, point=True))

    @patch("/webhooks/{webhook_id:str}")
    @everywhere(Verb.ADMIN)
    async def change_webhook(request: Http, webhook_id: str, data: WebhookChanges) -> WebhookView:
        """Changes what is given; `status` ACTIVE enables one that was disabled."""
        wanted = Changes(
            name=data.name,
            url=data.url,
            topics=None if data.events is None else _topics(data.events),
            description=data.description,
            secret=data.secret,
            status=Status(data.status) if data.status else None,
        )
        once = await acting(app, request, _view)
        return _view(await courier.change(once, caller(request), webhook_id, wanted))

    @delete("/webhooks/{webhook_id:str}", status_code=204)
    @everywhere(Verb.ADMIN)
    async def delete_webhook(request: Http, webhook_id: str) -> Response[None]:
        """Deletes a webhook, its secret, and what was not delivered yet."""
        args = caller(request), webhook_id
        return await change(app, request, lambda _: None, webhooks.delete, *args)

    @post("/webhooks/{webhook_id:str}/test", status_code=200)
    @everywhere(Verb.ADMIN)
    async def test_webhook(request: Http, webhook_id: str, data: TestCall) -> TestView:
        """Sends an example once, and says what the receiver answered."""
        topic = _topic(data.event) if data.event else None
        once = await acting(app, request, _view_test)
        return _view_test(await courier.try_out(once, webhook_id, topic))

    @get("/webhooks/{webhook_id:str}/deliveries")
    @everywhere(Verb.ADMIN)
    async def list_deliveries(
        webhook_id: str,
        before: str | None = None,
        limit: Annotated[int, Parameter(ge=1, le=1000)] = 100,
    ) -> list[DeliveryView]:
        """A webhook's deliveries, newest first; those older than the one `before`, if given."""
        found = await app.read(webhooks.history, webhook_id, before, limit)
        return [_view_delivery(delivery) for delivery in found]

    @post("/deliveries/{delivery_id:str}/replay", status_code=200)
    @everywhere(Verb.ADMIN)
    async def replay_delivery(request: Http, delivery_id: str) -> Response[DeliveryView]:
        """Sends a delivery that has ended once more, with the same id and body."""
        args = caller(request), delivery_id
        return await change(app, request, _view_delivery, webhooks.replay, *args)

    return [
        list_webhooks, create_webhook, show_webhook, change_webhook, delete_webhook, test_webhook,
        list_deliveries, replay_delivery,
    ]  # fmt: skip


def _topic(text: str) -> Topic:
    entity, slash, action = text.partition("/")
    if not slash:
        raise InvalidInput(f"'{text[:100]}' is no event; write it as MODEL_VERSION/CREATED.")
    return topic_of(entity, action)


def _topics(texts: list[str]) -> tuple[Topic, ...]:
    return tuple(map(_topic, texts))


def _view(webhook: Webhook) -> WebhookView:
    return WebhookView(
        id=webhook.webhook_id,
        name=webhook.name,
        url=webhook.url,
        events=list(map(str, webhook.topics)),
        description=webhook.description,
        status=webhook.status.value,
        reason=webhook.disabled_reason,
        signed=webhook.sealed is not None,
        failures=webhook.failures,
        created=instant(webhook.created_ms),
        updated=instant(webhook.updated_ms),
    )


def _view_delivery(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        id=delivery.delivery_id,
        event=delivery.topic,
        entry=delivery.leaf,
        state=delivery.progress.value,
        attempts=delivery.attempts,
        replays=delivery.replays,
        created=instant(delivery.created_ms),
        attempted=None if delivery.attempted_ms is None else instant(delivery.attempted_ms),
        next=instant(delivery.next_ms) if delivery.progress.is_open else None,
        status=delivery.response_status,
        response=delivery.response_body,
        error=delivery.error,
        body=delivery.body,
    )


def _view_test(outcome: Outcome) -> TestView:
    return TestView(
        success=outcome.is_success,
        status=outcome.status,
        response=outcome.body,
        error=outcome.error,
    )
