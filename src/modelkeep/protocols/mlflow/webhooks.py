"""Webhooks, as MLflow's clients speak of them (3.3 and later).

Stock clients fail on an event that they do not know. So `events` in an answer are MLflow's alone;
ours are beside them in `modelkeep_events`, which they skip, and a list leaves out the webhooks
that have only ours. In a request both may stand in `events`.
"""

from collections.abc import Iterable

from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.webhooks import Changes, Status, Topic, Webhook, topic_of
from modelkeep.protocols.mlflow.wire import (
    Empty,
    Int64,
    Message,
    Rpc,
    page_offset,
    page_token,
    require,
)
from modelkeep.services import courier, webhooks
from modelkeep.services.app import App

PAGE, LIMIT = 100, 1_000


class WireEvent(Message):
    entity: str = ""
    action: str = ""


class WireWebhook(Message):
    webhook_id: str = ""
    name: str = ""
    description: str = ""
    url: str = ""
    events: list[WireEvent] = []
    status: str = ""
    creation_timestamp: int = 0
    last_updated_timestamp: int = 0
    modelkeep_events: list[WireEvent] = []


class WebhookAnswer(Message):
    webhook: WireWebhook


class WebhooksAnswer(Message):
    webhooks: list[WireWebhook] = []
    next_page_token: str = ""


class WireResult(Message):
    success: bool
    response_status: int | None = None
    response_body: str | None = None
    error_message: str | None = None


class TestAnswer(Message):
    result: WireResult


class CreateWebhook(Message):
    name: str = ""
    description: str = ""
    url: str = ""
    events: list[WireEvent] | None = None
    secret: str = ""
    status: str = ""


class UpdateWebhook(Message):
    webhook_id: str = ""
    name: str = ""
    description: str | None = None
    url: str = ""
    events: list[WireEvent] = []
    secret: str | None = None
    status: str | None = None


class WebhookKey(Message):
    webhook_id: str = ""


class ListWebhooks(Message):
    max_results: Int64 | None = None
    page_token: str = ""


class TestWebhook(Message):
    webhook_id: str = ""
    event: WireEvent | None = None


def render(webhook: Webhook) -> WireWebhook:
    return WireWebhook(
        webhook_id=webhook.webhook_id,
        name=webhook.name,
        description=webhook.description,
        url=webhook.url,
        events=_events(t for t in webhook.topics if t.is_mlflows),
        status=webhook.status.value,
        creation_timestamp=webhook.created_ms,
        last_updated_timestamp=webhook.updated_ms,
        modelkeep_events=_events(t for t in webhook.topics if not t.is_mlflows),
    )


def _events(topics: Iterable[Topic]) -> list[WireEvent]:
    return [WireEvent(entity=topic.entity, action=topic.action) for topic in topics]


def _topics(events: list[WireEvent]) -> tuple[Topic, ...]:
    return tuple(topic_of(event.entity, event.action) for event in events)


def _status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError:
        known = ", ".join(status.value for status in Status)
        raise InvalidInput(f"Unknown status: {text[:100]!r}. Known: {known}.") from None


async def create(app: App, caller: Caller, request: CreateWebhook) -> Message:
    if request.events is None:
        raise InvalidInput("Missing value for required parameter 'events'.")
    wanted = Changes(
        name=require(request.name, "name"),
        url=require(request.url, "url"),
        topics=_topics(request.events),
        description=request.description,
        secret=request.secret,
        status=_status(request.status) if request.status else None,
    )
    return WebhookAnswer(webhook=render(await courier.create(app, caller, wanted)))


async def listing(app: App, caller: Caller, request: ListWebhooks) -> Message:
    size, offset = request.max_results or PAGE, page_offset(request.page_token)
    if not 1 <= size <= LIMIT:
        raise InvalidInput(f"max_results must be between 1 and {LIMIT}.")
    found = await app.read(webhooks.listing)
    shown = [webhook for webhook in found if any(topic.is_mlflows for topic in webhook.topics)]
    return WebhooksAnswer(
        webhooks=[render(webhook) for webhook in shown[offset : offset + size]],
        next_page_token=page_token(offset + size) if len(shown) > offset + size else "",
    )


async def get(app: App, caller: Caller, request: WebhookKey) -> Message:
    webhook = await app.read(webhooks.get, request.webhook_id, point=True)
    return WebhookAnswer(webhook=render(webhook))


async def update(app: App, caller: Caller, request: UpdateWebhook) -> Message:
    wanted = Changes(
        name=request.name or None,
        url=request.url or None,
        topics=_topics(request.events) if request.events else None,
        description=request.description,
        secret=request.secret,
        status=_status(request.status) if request.status is not None else None,
    )
    changed = await courier.change(app, caller, request.webhook_id, wanted)
    return WebhookAnswer(webhook=render(changed))


async def delete(app: App, caller: Caller, request: WebhookKey) -> Message:
    await app.write(webhooks.delete, caller, request.webhook_id)
    return Empty()


async def try_out(app: App, caller: Caller, request: TestWebhook) -> Message:
    event = request.event
    topic = topic_of(event.entity, event.action) if event else None
    outcome = await courier.try_out(app, request.webhook_id, topic)
    result = WireResult(
        success=outcome.is_success,
        response_status=outcome.status,
        response_body=outcome.body if outcome.status is not None else None,
        error_message=f"Failed to test webhook: {outcome.error}" if outcome.error else None,
    )
    return TestAnswer(result=result)


RPCS: tuple[Rpc, ...] = (
    Rpc(("POST",), "webhooks", CreateWebhook, create),
    Rpc(("GET",), "webhooks", ListWebhooks, listing),
    Rpc(("GET",), "webhooks/{webhook_id}", WebhookKey, get),
    Rpc(("PATCH",), "webhooks/{webhook_id}", UpdateWebhook, update),
    Rpc(("DELETE",), "webhooks/{webhook_id}", WebhookKey, delete),
    Rpc(("POST",), "webhooks/{webhook_id}/test", TestWebhook, try_out),
)
