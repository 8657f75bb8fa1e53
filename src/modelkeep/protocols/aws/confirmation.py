"""The SubscribeURL: where a receiver confirms that it wants a topic's messages, by visiting it.

As AWS's, it asks nobody for a signature: the token in it was sent to the receiver alone.
"""

from modelkeep.domain.errors import ModelkeepError
from modelkeep.protocols.aws import errors, models, rendering
from modelkeep.protocols.http import Scope, Send, answer, caller_of, query_of
from modelkeep.services import permits, topics
from modelkeep.services.app import App

KIND = b"text/xml"


async def confirm(app: App, scope: Scope, send: Send) -> None:
    """Answers as `ConfirmSubscription` does."""
    request_id: str = scope["modelkeep.request_id"]
    permits.admit_bearer()
    try:
        query = dict(query_of(scope))
        topic, token = query.get("TopicArn", ""), query.get("Token", "")
        made = await app.write(topics.confirm, caller_of(scope), topic, token)
    except ModelkeepError as error:
        refused = errors.refusal(error)
        return await answer(send, refused.status, KIND, errors.to_query(refused, request_id))
    operation = models.service("sns").operation("ConfirmSubscription")
    assert operation is not None
    told = rendering.to_query(operation, {"SubscriptionArn": made.subscription}, request_id)
    return await answer(send, 200, KIND, told)
