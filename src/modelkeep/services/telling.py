"""How a message of a topic reaches whom it is for: over HTTP or by e-mail; and how they leave."""

from modelkeep.domain import mail, notifications
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import ModelkeepError
from modelkeep.domain.webhooks import Outcome
from modelkeep.ports.webhooks import Claim
from modelkeep.services import stamping, subscriptions
from modelkeep.services.app import App

_LEAVING = "sns-unsubscribe"  # what such a token is for
_NEVER_MS = 1 << 53  # when it expires: an old letter's link is good, too


async def tell(app: App, claim: Claim) -> Outcome:
    """One attempt at a delivery that was claimed, of a topic's subscriber."""
    token = app.signer.sign(_LEAVING, _NEVER_MS, claim.subscription)
    envelope = notifications.addressed(claim.body, claim.base, claim.subscription, token)
    protocol = claim.url.partition(":")[0]
    try:
        if protocol != "email":  # which nobody could verify
            envelope = await stamping.signed(app, envelope, claim.base, claim.signature_version)
        if protocol not in mail.PROTOCOLS:
            is_raw = claim.terms.is_raw
            posted = notifications.posted(envelope, claim.subscription, is_raw=is_raw)
            return await app.sender.post(claim.url, *posted)
    except ModelkeepError as error:  # a URL that may not be contacted, a key that won't open
        return Outcome(error=error.message)
    if app.mailer is None:
        return Outcome(error="This process sends no e-mail: the setting mail is empty.")
    letter = mail.letter(claim.delivery_id, claim.url, envelope, claim.display_name)
    return await app.mailer.send(letter)


async def leave(app: App, caller: Caller, token: str) -> str:
    """Ends the subscription whose messages have this token; returns its ARN. Harmless once it has
    ended. Raises Forbidden for a token that is none."""
    (subscription,) = app.signer.read(_LEAVING, token, app.clock.now_ms())
    await app.write(subscriptions.unsubscribe, caller, str(subscription))
    return str(subscription)
