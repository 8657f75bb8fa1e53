"""Webhooks are a way to make this server connect: to where it must not, it never does.

The addresses themselves are judged in `tests/unit/test_addresses.py`; here real sockets show that
whoever is refused is not connected to, or not sent a byte.
"""

import asyncio
import contextlib
import datetime
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from modelkeep.channels.webhook import HttpSender
from modelkeep.domain.errors import InvalidInput
from modelkeep.domain.webhooks import Outcome
from tests.conftest import StartServer
from tests.support.receiver import Receiver, answer, drip, reset
from tests.support.server import Server

API = "/api/2.0/mlflow/webhooks"
NATIVE = "/api/v1/webhooks"
EVENT = {"entity": "REGISTERED_MODEL", "action": "CREATED"}
REFUSED = (
    *("https://127.0.0.1/", "https://localhost/", "https://LOCALHOST:8443/x", "https://[::1]/"),
    *("https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/"),
    *("https://[2002:7f00:1::]/", "https://0.0.0.0/", "https://[::]/", "https://10.0.0.1/"),
    *("https://169.254.169.254/latest/meta-data", "https://100.100.100.200/", "https://[fe80::1]/"),
    *("https://0x7f.1/", "https://2130706433/", "https://0177.0.0.1/", "https://127.1/"),
    *("https://0x7f000001/", "https://127.0.0.1./", "https://①②⑦.0.0.1/", "https://localhost./"),
    *("https://user:pass@example.com/", "https://8.8.8.8@127.0.0.1/"),
    *("http://8.8.8.8/", "http://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1:25/x"),
    *("ftp://8.8.8.8/", "unix:///run/docker.sock", "//8.8.8.8/", "https:8.8.8.8", "https:///x"),
    *("https://8.8.8.8\\@127.0.0.1/", "https://8.8.8.8\t.evil/", "https://8.8.8.8 /"),
    *("https://8.8.8.8/\r\nHost: evil", "https://no-such-host.invalid/"),
)


def test_a_url_that_leads_inside_is_refused_when_a_webhook_is_made_or_changed(
    server: Server,
) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        good = {"name": "good", "url": "https://8.8.8.8/", "events": [EVENT]}
        made = http.post(API, json=good | {"status": "DISABLED"}).json()["webhook"]
        for url in REFUSED:
            for answered in (
                http.post(API, json=good | {"url": url}),
                http.post("/ajax-api/2.0/mlflow/webhooks", json=good | {"url": url}),
                http.patch(f"{API}/{made['webhook_id']}", json={"url": url}),
                http.post(NATIVE, json=good | {"url": url, "events": ["PROMPT/CREATED"]}),
                http.patch(f"{NATIVE}/{made['webhook_id']}", json={"url": url}),
            ):
                assert answered.status_code == 400, (url, answered.text)
        assert http.get(API).json()["webhooks"] == [made]


@pytest.fixture
def emulated() -> Iterator["Emulated"]:
    """A listener that counts whoever connects and keeps what they send."""
    with Emulated() as listener:
        yield listener


class Emulated:
    def __init__(self) -> None:
        self.connections = 0
        self.sent = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> "Emulated":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        # A connection of our own is the last: everything before it has been counted.
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._socket.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(2)
                part = b""
                with contextlib.suppress(OSError):
                    part = connection.recv(10_000)
                if not part:
                    return
                self.connections += 1
                self.sent += part


def post(sender: HttpSender, url: str) -> Outcome:
    async def once() -> Outcome:
        return await sender.post(url, {"webhook-id": "x"}, '{"a": 1}')

    return asyncio.run(once())


def sender(resolve: Any = None, *, allow_private: bool = False) -> HttpSender:
    more = {"resolve": resolve} if resolve else {}
    return HttpSender(allow_private=allow_private, user_agent="modelkeep/test", **more)


def test_a_name_that_turns_inside_after_it_was_vetted_is_not_connected_to(
    emulated: Emulated,
) -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"]]
    rebinding = sender(lambda host, port: answers.pop(0))
    url = f"https://rebind.example:{emulated.port}/"
    asyncio.run(rebinding.vet(rebinding.target(url)))
    assert "'rebind.example' resolves to 127.0.0.1" in post(rebinding, url).error
    assert emulated.connections == 0


@pytest.mark.parametrize("inside", ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "::1"])
def test_a_name_with_one_address_inside_is_refused_whole(inside: str) -> None:
    mixed = sender(lambda host, port: ["8.8.8.8", inside])
    assert "must not resolve to a non-public" in post(mixed, "https://mixed.example/").error
    with pytest.raises(InvalidInput, match="must not resolve to a non-public"):
        asyncio.run(mixed.vet(mixed.target("https://mixed.example/")))


def test_a_peer_that_is_not_who_was_asked_for_is_sent_nothing(
    emulated: Emulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a translating gateway, or a rule of the network, could make it."""
    import httpcore

    network: Any = httpcore.AnyIOBackend
    real = network.connect_tcp

    async def elsewhere(self: Any, host: str, port: int, *rest: Any, **more: Any) -> Any:
        return await real(self, "127.0.0.1", emulated.port, *rest, **more)

    monkeypatch.setattr(network, "connect_tcp", elsewhere)
    outcome = post(sender(), "https://8.8.8.8/")
    assert "non-public IP address" in outcome.error
    assert (outcome.status, outcome.body) == (None, "")
    assert emulated.sent == b""  # not even the beginning of TLS


def test_a_redirect_is_not_followed(
    start_server: StartServer, receiver: Receiver, emulated: Emulated
) -> None:
    inside = f"http://127.0.0.1:{emulated.port}/latest/meta-data"
    server = start_server("--webhook-allow-private")
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        body = {"name": "w", "url": receiver.url, "events": [EVENT]}
        made = http.post(API, json=body).json()["webhook"]
        for status in (301, 302, 303, 307, 308):
            receiver.script = [answer(status, b"", {"location": inside})]
            result = http.post(f"{API}/{made['webhook_id']}/test", json={}).json()["result"]
            assert (result["success"], result["response_status"]) == (False, status)
            assert "Redirects are not followed" in result["error_message"]
    assert emulated.connections == 0
    assert {request.path for request in receiver.received} == {"/hook"}


def test_a_url_that_was_allowed_once_is_judged_again_and_its_answer_told_to_nobody(
    start_server: StartServer, receiver: Receiver
) -> None:
    receiver.otherwise = answer(200, b"the crown jewels")
    server = start_server("--webhook-allow-private")
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        body = {"name": "w", "url": receiver.url, "events": [EVENT]}
        hook = http.post(API, json=body).json()["webhook"]["webhook_id"]
    server.stop()
    strict = start_server(data_dir=server.data_dir)
    with httpx.Client(base_url=strict.url, trust_env=False, timeout=60) as http:
        result = http.post(f"{API}/{hook}/test", json={}).json()["result"]
        assert "Invalid webhook URL scheme" in result["error_message"]
        assert "response_body" not in result
        kept = http.get(f"{NATIVE}/{hook}/deliveries").json()
    assert receiver.received == []
    assert "crown" not in json.dumps([result, kept])


def test_no_proxy_of_the_environment_is_asked(
    start_server: StartServer, receiver: Receiver, emulated: Emulated
) -> None:
    proxy = f"http://127.0.0.1:{emulated.port}"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    server = start_server("--webhook-allow-private", env=dict.fromkeys(names, proxy))
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        body = {"name": "w", "url": receiver.url, "events": [EVENT]}
        made = http.post(API, json=body).json()["webhook"]
        result = http.post(f"{API}/{made['webhook_id']}/test", json={}).json()["result"]
    assert result["success"] is True
    assert emulated.connections == 0


# -- receivers that mean no good ---------------------------------------------------------------


def test_an_answer_that_never_ends_is_read_to_its_bound(receiver: Receiver) -> None:
    receiver.script = [drip]
    outcome = post(sender(allow_private=True), receiver.url)
    assert (outcome.status, len(outcome.body)) == (200, 16_384)


def test_what_is_no_http_or_breaks_off_is_a_failure_with_a_reason(receiver: Receiver) -> None:
    def garbage(handler: Any) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        handler.close_connection = True

    receiver.script = [garbage, reset]
    for _ in range(2):
        outcome = post(sender(allow_private=True), receiver.url)
        assert outcome.status is None
        assert outcome.error
    plain = post(sender(allow_private=True), receiver.url.replace("http:", "https:"))
    assert "SSL" in plain.error or "ConnectError" in plain.error


def test_a_certificate_of_nobody_known_is_refused(tmp_path: Any) -> None:
    """The receiver is who its name says, or it gets nothing."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    later = now + datetime.timedelta(days=1)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, later)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
    pem = serialization.Encoding.PEM
    kind = serialization.PrivateFormat.PKCS8
    (tmp_path / "pem").write_bytes(
        made.sign(key, hashes.SHA256()).public_bytes(pem)
        + key.private_bytes(pem, kind, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pem")
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def accept() -> None:
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                heard.append(secure.recv(1000))
        except OSError:
            pass

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    outcome = post(sender(allow_private=True), f"https://localhost:{port}/")
    thread.join()
    listener.close()
    assert "certificate" in outcome.error.lower()
    assert heard == []
