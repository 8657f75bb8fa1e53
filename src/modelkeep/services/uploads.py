"""Files that a client brings first, and registers as a version then.

An upload is a folder of the artifact store, under an id of the client's choice. Registering freezes
what lies in it and clears it away, in one transaction: the same upload cannot become two versions.
"""

import re
from dataclasses import replace

from modelkeep.domain import names
from modelkeep.domain.access import Caller
from modelkeep.domain.errors import InvalidInput, NotFound
from modelkeep.domain.locations import PROXIED, UPLOADS
from modelkeep.domain.models import Version
from modelkeep.ports.work import Work
from modelkeep.services import artifacts, creation
from modelkeep.services.creation import Draft

_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


def path_in(upload: str, path: str) -> str:
    """Where a file of an upload lies in the artifact store. Raises InvalidInput."""
    return f"{_folder(upload)}/{names.check_path(path)}"


def register(work: Work, caller: Caller, draft: Draft, upload: str) -> Version:
    """As `creation.create_version`, of an upload. Raises NotFound where nothing was uploaded,
    Forbidden for somebody else's."""
    folder = _folder(upload)
    if not artifacts.listing(work, folder):
        raise NotFound(f"There is no upload '{upload}', or it was registered already.")
    version = creation.create_version(work, caller, replace(draft, source=PROXIED + folder))
    artifacts.delete(work, caller, folder)
    return version


def _folder(upload: str) -> str:
    if not _ID.fullmatch(upload):
        raise InvalidInput("An upload's id has 8 to 64 letters, digits and dashes.")
    return f"{UPLOADS}/{upload}"
