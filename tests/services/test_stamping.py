"""Keys that topics sign with: who makes them, when, and what becomes of one that is lost."""

import asyncio
import base64
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from modelkeep.domain import notifications
from modelkeep.domain.errors import IntegrityFailure, NotFound
from modelkeep.services import stamping
from modelkeep.services.app import App
from modelkeep.storage.stamps import RsaStamper
from modelkeep.storage.vault import AesVault
from tests.support.core import ANN, BOB, Core

BASE = "https://modelkeep.example.com"
ENVELOPE = notifications.notification("arn:aws:sns:r:a:topic", "id", "a message", None, 0)


def keyed(core: Core, key: bytes) -> App:
    """The application with another key for its secrets."""
    vault = AesVault(base64.b64encode(key).decode(), Path("nowhere"))
    return replace(core.app, vault=vault, stamper=RsaStamper(vault))


def signed(core: Core, app: App) -> dict[str, str]:
    return json.loads(core.ask(stamping.signed(app, ENVELOPE, BASE, 2)))


def certificate_of(core: Core, told: dict[str, str]) -> x509.Certificate:
    id = told["SigningCertURL"].removeprefix(f"{BASE}/sns/certificates/").removesuffix(".pem")
    return x509.load_pem_x509_certificate(core.read(stamping.certificate, id).encode())


def verify(core: Core, told: dict[str, str]) -> None:
    key = certificate_of(core, told).public_key()
    assert isinstance(key, RSAPublicKey)
    text = f"Message\na message\nMessageId\nid\nTimestamp\n{told['Timestamp']}\n"
    text += "TopicArn\narn:aws:sns:r:a:topic\nType\nNotification\n"
    key.verify(
        base64.b64decode(told["Signature"]), text.encode(), padding.PKCS1v15(), hashes.SHA256()
    )


def test_one_key_is_made_and_sealed_and_the_journal_vouches_for_its_certificate(
    core: Core,
) -> None:
    app = keyed(core, os.urandom(32))
    with pytest.raises(NotFound):
        signed(core, app)
    for caller in (ANN, BOB):
        core.ask(stamping.prepare(app, caller))
    (stamp,) = core.read(lambda work: work.topics.stamps())
    assert "PRIVATE KEY" not in stamp.sealed + repr(stamp)
    told = signed(core, app)
    verify(core, told)
    assert signed(core, app) == told  # however often it is sent
    assert certificate_of(core, told).not_valid_before_utc.timestamp() < core.clock.now_ms() / 1000
    assert core.verify().is_intact


def test_a_key_that_cannot_be_opened_signs_nothing_until_whoever_subscribes_makes_another(
    core: Core,
) -> None:
    before = keyed(core, os.urandom(32))
    core.ask(stamping.prepare(before, ANN))
    old = signed(core, before)
    after = keyed(core, os.urandom(32))
    with pytest.raises(IntegrityFailure):
        signed(core, after)
    core.ask(stamping.prepare(after, ANN))
    new = signed(core, after)
    assert new["SigningCertURL"] != old["SigningCertURL"]
    verify(core, new)
    verify(core, old)  # its certificate is still there
    assert core.verify().is_intact


def test_of_two_who_make_a_key_at_once_one_does(core: Core) -> None:
    app = keyed(core, os.urandom(32))

    async def both() -> None:
        await asyncio.gather(stamping.prepare(app, ANN), stamping.prepare(app, BOB))

    core.ask(both())
    assert len(core.read(lambda work: work.topics.stamps())) == 1
