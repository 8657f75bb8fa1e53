"""The addresses in messages: where a receiver confirms that it wants a topic's messages, and where
it says that it wants no more, by visiting them; and where the certificate of their signatures is.

As AWS's, they ask nobody for a signature: the token in each was sent to the receiver alone. A
program is answered as `ConfirmSubscription` and `Unsubscribe` do, and a browser in a sentence.
"""

from collections.abc import Mapping
from typing import Any

from modelkeep.domain.errors import ModelkeepError, NotFound
from modelkeep.domain.notifications import CERTIFICATES_PATH, CONFIRM_PATH
from modelkeep.protocols.aws import errors, models, rendering
from modelkeep.protocols.http import TEXT, Scope, Send, answer, caller_of, header, query_of
from modelkeep.services import permits, stamping, subscriptions, telling
from modelkeep.services.app import App

KIND, PEM = b"text/xml", b"application/x-pem-file"


async def visit(app: App, scope: Scope, send: Send) -> None:
    request_id: str = scope["modelkeep.request_id"]
    permits.admit_bearer()
    if scope["path"].startswith(CERTIFICATES_PATH):
        return await _certificate(app, scope, send)
    is_read = "text/html" in header(scope, b"accept")  # by a person
    try:
        name, told, sentence = await _done(app, scope)
    except ModelkeepError as error:
        refused = errors.refusal(error)
        body = errors.to_query(refused, request_id)
        status, sentence = refused.status, f"This link does not work. {refused.message}"
    else:
        operation = models.service("sns").operation(name)
        assert operation is not None
        status, body = 200, rendering.to_query(operation, told, request_id)
    if is_read:
        return await answer(send, status, TEXT, f"{sentence}\n".encode())
    return await answer(send, status, KIND, body)


async def _certificate(app: App, scope: Scope, send: Send) -> None:
    id = scope["path"].removeprefix(CERTIFICATES_PATH).removesuffix(".pem")
    try:
        found = await app.read(stamping.certificate, id, point=True)
    except NotFound as error:
        return await answer(send, 404, TEXT, f"{error.message}\n".encode())
    return await answer(send, 200, PEM, found.encode())


async def _done(app: App, scope: Scope) -> tuple[str, Mapping[str, Any], str]:
    """The operation that a link stands for, done: its name, its answer, and that in words."""
    query, caller = dict(query_of(scope)), caller_of(scope)
    token = query.get("Token", "")
    if scope["path"] == CONFIRM_PATH:
        made = await app.write(subscriptions.confirm, caller, query.get("TopicArn", ""), token)
        sentence = f"You get the messages of {made.sns_topic} from now on."
        return "ConfirmSubscription", {"SubscriptionArn": made.subscription}, sentence
    left = await telling.leave(app, caller, token)
    return "Unsubscribe", {}, f"You get no more messages of {left.rpartition(':')[0]}."
