"""What the commands that run on the server's own machine have in common: settings, and errors."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelkeep.cli.client import TAMPERED, fail, misused, plain

if TYPE_CHECKING:
    from modelkeep.settings import Settings


@contextmanager
def here(
    command: str,
    data_dir: Path | None = None,
    database_url: str | None = None,
    config: Path | None = None,
    artifacts: str | None = None,
    s3_endpoint_url: str | None = None,
    **others: Any,
) -> Iterator["Settings"]:
    """What a command's arguments, the environment and the file amount to; what goes wrong ends it.

    An option that was not given is None, or an empty list.
    """
    from modelkeep import settings
    from modelkeep.domain.errors import IntegrityFailure, InvalidInput, ModelkeepError

    try:
        where = {"data_dir": data_dir, "database_url": database_url, "config": config}
        store = {"artifacts": artifacts, "s3_endpoint_url": s3_endpoint_url}
        arguments = where | store | others
        yield settings.read({k: v for k, v in arguments.items() if v not in (None, [])})
    except InvalidInput as error:
        misused(f"modelkeep {command}: {error}")
    except IntegrityFailure as error:
        fail(f"modelkeep {command}: {error}", TAMPERED, "integrity_failure")
    except ModelkeepError as error:
        fail(f"modelkeep {command}: {error}")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"modelkeep {command}: {where}{error.strerror}.")


def begin_to_serve(settings: "Settings") -> None:
    """Reads most of what a server is made of while the database is at work for it."""
    from modelkeep.opening import Opening, SystemClock

    # One of several is forked, from a process that has no other thread.
    opening = Opening(settings, SystemClock()) if settings.workers == 1 else None
    from modelkeep.supervisor import serve

    serve(settings, opening)


def started(command: str, run: "Callable[[Settings], None]", arguments: Mapping[str, Any]) -> None:
    """Runs, until it is told to end, what writes a log."""
    from modelkeep import settings
    from modelkeep.telemetry import logs

    with here(command, **arguments) as read:
        for warning in (*settings.unknown_names(), *settings.doubts(read)):
            print(plain(warning), file=sys.stderr)
        logs.configure(read.log_level, read.log_format)
        run(read)
