"""Topics by e-mail, asked for by a stock client and read at a real mail server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import StartServer
from tests.support.aws_bus import client, visit
from tests.support.mailbox import PASSWORD, USER, Mailbox, links_in, text_of, trusted
from tests.support.server import Server

SENDER = "registry@example.com"


@pytest.fixture(scope="module")
def post() -> Iterator[Mailbox]:
    with Mailbox().running() as running:
        yield running


@pytest.fixture
def mailbox(post: Mailbox) -> Mailbox:
    for kept in (post.letters, post.attempts):
        kept.clear()
    return post


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, post: Mailbox) -> Iterator[Server]:
    args = ("--mail", post.url, "--mail-from", SENDER)
    running = Server(tmp_path_factory.mktemp("mail") / "data", args=args)
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def sns(server: Server) -> Any:
    return client(server, "sns")


def subscribed(server: Server, mailbox: Mailbox, topic: str, protocol: str = "email") -> str:
    """A topic of which ann gets messages; its ARN."""
    sns = client(server, "sns")
    arn: str = sns.create_topic(Name=topic)["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint="ann@example.org")
    (asked,) = mailbox.wait(1)
    said = text_of(asked)
    url = json.loads(said)["SubscribeURL"] if protocol == "email-json" else links_in(asked)[0]
    assert visit(server, url).status_code == 200
    mailbox.letters.clear()
    return arn


def test_a_person_confirms_hears_and_leaves_by_following_links(
    server: Server, sns: Any, mailbox: Mailbox
) -> None:
    arn = sns.create_topic(Name="approvals")["TopicArn"]
    made = sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="ann@example.org")
    assert made["SubscriptionArn"] == "pending confirmation"
    (asked,) = mailbox.wait(1)
    assert (asked["To"], asked["From"]) == ("ann@example.org", SENDER)
    assert asked["Subject"] == "Confirm your subscription to the topic approvals"
    (confirm,) = links_in(asked)
    sns.publish(TopicArn=arn, Message="too early")
    browser = {"Accept": "text/html,application/xhtml+xml"}
    assert visit(server, confirm, browser).text == f"You get the messages of {arn} from now on.\n"
    (shown,) = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert (shown["Protocol"], shown["Endpoint"]) == ("email", "ann@example.org")
    sns.publish(TopicArn=arn, Message="churn/3 geht live", Subject="Grüße")
    name = {"AttributeName": "DisplayName", "AttributeValue": 'Prüfer, "Team Risk"'}
    letter = mailbox.wait(2)[1]
    sns.set_topic_attributes(TopicArn=arn, **name)
    sns.publish(TopicArn=arn, Message="signed")
    (sender,) = mailbox.wait(3)[2]["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ('Prüfer, "Team Risk"', SENDER)
    assert letter["Subject"] == "Grüße"
    assert text_of(letter).startswith("churn/3 geht live\n")
    (leave,) = links_in(letter)
    assert letter["List-Unsubscribe"] == f"<{leave}>"
    assert visit(server, leave, browser).text == f"You get no more messages of {arn}.\n"
    assert sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"] == []
    assert visit(server, leave).status_code == 200  # again, it is done
    assert len(mailbox.letters) == 3


def test_a_mail_program_leaves_by_one_post_and_no_other_token_does(
    server: Server, sns: Any, mailbox: Mailbox
) -> None:
    arn = subscribed(server, mailbox, "one-click")
    sns.publish(TopicArn=arn, Message="m")
    url = mailbox.wait(1)[0]["List-Unsubscribe"].strip("<>")
    spoiled = url[:-1] + ("A" if url[-1] != "A" else "B")
    assert visit(server, spoiled).status_code == 403
    assert httpx.head(url, trust_env=False).status_code == 404
    assert len(sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]) == 1
    told = httpx.post(url, data={"List-Unsubscribe": "One-Click"}, trust_env=False)
    assert told.status_code == 200
    assert sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"] == []


def test_email_json_brings_the_envelope(server: Server, sns: Any, mailbox: Mailbox) -> None:
    arn = subscribed(server, mailbox, "json", "email-json")
    told = sns.publish(TopicArn=arn, Message="é" * 2000, Subject="of it")["MessageId"]
    (letter,) = mailbox.wait(1)
    envelope = json.loads(text_of(letter))
    assert (envelope["MessageId"], envelope["TopicArn"]) == (told, arn)
    assert (envelope["Message"], envelope["Subject"]) == ("é" * 2000, "of it")
    assert letter["List-Unsubscribe"] == f"<{envelope['UnsubscribeURL']}>"


def test_a_message_may_have_a_text_for_each_protocol(
    server: Server, sns: Any, mailbox: Mailbox
) -> None:
    arn = subscribed(server, mailbox, "texts")
    for texts in ({"default": "for all", "email": "for people"}, {"default": "for all", "http": 1}):
        sns.publish(TopicArn=arn, Message=json.dumps(texts), MessageStructure="json")
    said = [text_of(letter).splitlines()[0] for letter in mailbox.wait(2)]
    assert said == ["for people", "for all"]
    for wrong in ("no JSON", "[]", '{"email": "e"}', '{"default": 1}', '{"default": "\\ud800"}'):
        with pytest.raises(sns.exceptions.InvalidParameterException, match="Message Structure"):
            sns.publish(TopicArn=arn, Message=wrong, MessageStructure="json")
    with pytest.raises(sns.exceptions.InvalidParameterException, match="MessageStructure"):
        sns.publish(TopicArn=arn, Message="m", MessageStructure="xml")


def test_what_is_refused_for_now_is_tried_again_and_for_good_it_is_not(
    server: Server, sns: Any, mailbox: Mailbox
) -> None:
    arn = subscribed(server, mailbox, "refused")
    mailbox.recipients = ["450 4.2.1 try later"]
    mailbox.attempts.clear()
    sns.publish(TopicArn=arn, Message="first")
    mailbox.wait(1)
    assert len(mailbox.attempts) == 2
    mailbox.recipients = ["550 5.1.1 no such user"]
    sns.publish(TopicArn=arn, Message="second")
    mailbox.wait_attempts(3)
    sns.publish(TopicArn=arn, Message="third")
    mailbox.wait(2)
    said = [text_of(letter).splitlines()[0] for letter in mailbox.letters]
    assert (said, len(mailbox.attempts)) == (["first", "third"], 4)


def test_a_letter_outlives_the_server_and_keeps_its_id(start_server: StartServer) -> None:
    mailbox = Mailbox()
    server = start_server("--mail", mailbox.url, "--mail-from", SENDER)
    with mailbox.running():
        arn = subscribed(server, mailbox, "restarted")
        mailbox.data = ["451 4.3.0 the disk is full"] * 20
        sns = client(server, "sns")
        mailbox.raw.clear()
        sns.publish(TopicArn=arn, Message="m")
        mailbox.wait_attempts(3)
        server.kill()
        mailbox.data.clear()
        server.start()
        letter = mailbox.wait(1)[0]  # the one on its way at the kill may have been taken as well
    assert text_of(letter).startswith("m\n")
    assert letter["Message-ID"].endswith("@example.com>")
    assert len(set(mailbox.raw)) == 1 < len(mailbox.raw)


def test_a_password_by_the_environment_is_used_and_shown_nowhere(
    start_server: StartServer, tmp_path: Path
) -> None:
    context, trust = trusted(tmp_path)
    mailbox = Mailbox()
    user = USER.replace("@", "%40")
    url = f"smtp+starttls://{user}@127.0.0.1:{mailbox.port}"
    env = {"MODELKEEP_MAIL_PASSWORD": PASSWORD, "SSL_CERT_FILE": str(trust)}
    how: dict[str, Any] = {"tls_context": context, "require_starttls": True}
    how |= {"auth_required": True, "authenticator": mailbox.login}
    with mailbox.running(**how):
        server = start_server("--mail", url, "--mail-from", SENDER, env=env)
        subscribed(server, mailbox, "sealed")
    assert mailbox.logins[0] == (USER.encode(), PASSWORD.encode())
    told = server.log_text()
    assert PASSWORD not in told
    kept = b"".join(file.read_bytes() for file in server.data_dir.rglob("*") if file.is_file())
    assert PASSWORD.encode() not in kept


def test_no_address_and_no_setting_are_refused_with_a_sentence(
    sns: Any, start_server: StartServer
) -> None:
    arn = sns.create_topic(Name="no-address")["TopicArn"]
    for wrong in ("ann", "ann@example.org\nBcc: eve@example.org", "Ann <ann@example.org>", ""):
        with pytest.raises(sns.exceptions.InvalidParameterException, match="Email address"):
            sns.subscribe(TopicArn=arn, Protocol="email", Endpoint=wrong)
    silent = client(start_server(), "sns")
    arn = silent.create_topic(Name="silent")["TopicArn"]
    for protocol in ("email", "email-json"):
        with pytest.raises(silent.exceptions.InvalidParameterException, match="--mail"):
            silent.subscribe(TopicArn=arn, Protocol=protocol, Endpoint="ann@example.org")
