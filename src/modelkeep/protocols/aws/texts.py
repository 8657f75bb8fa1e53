"""Texts that somebody else has written, as our answers may carry them."""

import re
from xml.sax import saxutils

_HALVES = re.compile("[\ud800-\udfff]")  # of characters: UTF-8 has no words for them
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def whole(text: str) -> str:
    """With a question mark for each half of a character, which JSON may well have said."""
    return text if text.isascii() else _HALVES.sub("?", text)


def escape(text: str) -> str:
    """As the content of an element of XML, without what none can have."""
    return saxutils.escape(_NOT_XML.sub("", text))
