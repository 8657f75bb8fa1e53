"""Tags of objects: got, put and taken away."""

from modelkeep.protocols.aws.s3 import xml
from modelkeep.protocols.aws.s3.asked import READS, WRITES, Asked
from modelkeep.protocols.aws.s3.bodies import whole
from modelkeep.protocols.aws.s3.files import find
from modelkeep.protocols.aws.s3.told import check_tags
from modelkeep.services import objects
from modelkeep.services.app import App

XML_LIMIT_BYTES = 64 << 10


async def get(app: App, asked: Asked) -> None:
    READS.admit(asked)
    tags = (await find(app, asked)).said.tags
    told = [{"Key": key, "Value": value} for key, value in tags.items()]
    await asked.say("Tagging", {"TagSet": {"Tag": told}})


async def put(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    root = xml.read(await whole(asked.body, XML_LIMIT_BYTES), "Tagging")
    pairs = [(tag.findtext("Key") or "", tag.findtext("Value") or "") for tag in root.iter("Tag")]
    await app.write(objects.label, asked.caller, asked.path, check_tags(pairs))
    await asked.answer(200)


async def delete(app: App, asked: Asked) -> None:
    WRITES.admit(asked)
    await app.write(objects.label, asked.caller, asked.path, {})
    await asked.answer(204)
