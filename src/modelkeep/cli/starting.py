"""What the commands that run on the server's own machine have in common: settings, and errors."""

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from modelkeep.cli.client import fail, misused, plain

if TYPE_CHECKING:
    from modelkeep.settings import Settings


def started(name: str, run: "Callable[[Settings], None]", arguments: Mapping[str, Any]) -> None:
    """Runs what a command is for with the settings that its arguments, and all else, amount to."""
    from modelkeep import settings, telemetry
    from modelkeep.domain.errors import InvalidInput, ModelkeepError

    try:
        for warning in settings.unknown_names():
            print(plain(warning), file=sys.stderr)
        read = settings.read({k: v for k, v in arguments.items() if v not in (None, [])})
        telemetry.configure_logging(read.log_level)
        run(read)
    except InvalidInput as error:
        misused(f"modelkeep {name}: {error}")
    except ModelkeepError as error:
        fail(f"modelkeep {name}: {error}")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"modelkeep {name}: {where}{error.strerror}.")
