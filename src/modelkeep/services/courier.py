"""What webhooks need of the world, around their use cases: looking up, sealing, sending."""

import asyncio
import logging

from modelkeep.domain.access import Caller
from modelkeep.domain.addresses import Target
from modelkeep.domain.announcements import body_of
from modelkeep.domain.errors import ModelkeepError
from modelkeep.domain.examples import example
from modelkeep.domain.webhooks import Changes, Outcome, Topic, Webhook, check_secret, headers
from modelkeep.ports.webhooks import Claim, NewDelivery
from modelkeep.services import outbox, telling, webhooks
from modelkeep.services.app import App

_log = logging.getLogger(__name__)


async def create(app: App, caller: Caller, wanted: Changes) -> Webhook:
    """A new webhook. Raises InvalidInput, also for a URL that this server would not contact."""
    webhook_id = webhooks.new_id()
    target = await vetted(app, wanted.url or "")
    sealed = await _sealed(app, wanted.secret, webhook_id)
    return await app.write(webhooks.create, caller, wanted, target, sealed, webhook_id)


async def change(app: App, caller: Caller, webhook_id: str, wanted: Changes) -> Webhook:
    """Raises NotFound before it looks at what is wanted; else as `create`."""
    await app.read(webhooks.get, webhook_id, point=True)
    target = await vetted(app, wanted.url) if wanted.url is not None else None
    sealed = await _sealed(app, wanted.secret, webhook_id)
    return await app.write(webhooks.change, caller, webhook_id, wanted, target, sealed)


async def try_out(app: App, webhook_id: str, topic: Topic | None = None) -> Outcome:
    """Sends an example of a topic (the webhook's first, if none is given), once, and keeps it in
    the history. What goes wrong out there is in the outcome. Raises NotFound."""
    webhook = await app.read(webhooks.get, webhook_id, point=True)
    topic = topic or webhook.topics[0]
    body = body_of(topic, app.clock.now_ms(), example(topic))
    test = NewDelivery(webhooks.new_id(), webhook.id, None, 0, 0, topic, body)
    outcome = await _attempt(app, webhook_id, test.delivery_id, webhook.url, webhook.sealed, body)
    return await app.write(webhooks.record_test, test, outcome)


async def deliver(app: App, claim: Claim) -> bool:
    """Attempts a delivery that was claimed, and settles it; whether it arrived."""
    if claim.subscription:
        outcome = await telling.tell(app, claim)
    else:
        outcome = await _attempt(
            app, claim.webhook_id, claim.delivery_id, claim.url, claim.sealed, claim.body
        )
    if not outcome.is_success:
        # The URL is not told: to some receivers it is the password.
        _log.info(
            "attempt %d of delivery %s to webhook %s failed: %s",
            claim.attempts + 1,
            claim.delivery_id,
            claim.webhook_id,
            outcome.error or outcome.status,
        )
    await app.write(outbox.settle, claim, outcome)
    return outcome.is_success


async def vetted(app: App, url: str) -> Target:
    """A URL that this server would contact. Raises InvalidInput for any other."""
    target = app.sender.target(url)
    await app.sender.vet(target)
    return target


async def _sealed(app: App, secret: str | None, webhook_id: str) -> str | None:
    if not secret:
        return None
    check_secret(secret)
    return await asyncio.to_thread(app.vault.seal, secret, webhook_id)


async def _attempt(
    app: App, webhook_id: str, delivery_id: str, url: str, sealed: str | None, body: str
) -> Outcome:
    try:
        secret = await asyncio.to_thread(app.vault.open, sealed, webhook_id) if sealed else None
        signed = headers(delivery_id, app.clock.now_ms() // 1000, body, secret)
        return await app.sender.post(url, signed, body)
    except ModelkeepError as error:  # a URL that may not be contacted, a secret that won't open
        return Outcome(error=error.message)
