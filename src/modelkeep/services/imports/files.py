"""Which files came over, with their digests, to be held against what was sent."""

from modelkeep.domain import names
from modelkeep.domain.imports import FILES_PAGE
from modelkeep.domain.manifests import File
from modelkeep.ports.work import Work


def files_in(work: Work, folder: str, after: str = "", limit: int = FILES_PAGE) -> list[File]:
    """The files under a folder of the artifact store by path, relative to it.

    At most `limit`: those that follow `after`, or the first. Raises InvalidInput.
    """
    names.check_path(folder)
    if after:
        names.check_path(after)
    return work.artifacts.page(folder, after, limit)
