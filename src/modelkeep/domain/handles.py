"""A model's handle: its name where names may have only letters, digits and dashes.

SageMaker's grammar has 1 to 63 of them, beginning and ending with a letter or digit. A name that
fits is its own handle. Any other gets one that a reader recognises, ended by ten digits of the
name's hash, so that no two names share one; models keep their handles, so that a handle leads back
to the name (docs/decisions/0033).
"""

import hashlib
import re

HANDLE_LIMIT = 63

_FITS = re.compile("[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_ELSE = re.compile("[^a-zA-Z0-9]+")
_HASH_CHARS = 10


def fits(name: str) -> bool:
    """Whether a name is its own handle."""
    return len(name) <= HANDLE_LIMIT and _FITS.fullmatch(name) is not None


def handle_of(name: str) -> str:
    """ "Fraud Model_v2" becomes "Fraud-Model-v2-" and ten hexadecimal digits."""
    if fits(name):
        return name
    seen = _ELSE.sub("-", name)[: HANDLE_LIMIT - _HASH_CHARS - 1].strip("-")
    told = hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARS]
    return f"{seen or 'model'}-{told}"
