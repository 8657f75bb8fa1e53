"""Hands on what others made: whether somebody may lay one, and that it is kept that they did.

* With accounts, what somebody made (a run, a logged model, an experiment, a file, an upload) is
  changed by them, or by who may write everything. Without accounts everybody may.
* Whoever changes another's run or logged model had a hand in it, and counts as an author of the
  versions that come of it (`makers`). So does who made the token or the password by which it was
  made, if that was somebody else.
* What people do to what is theirs costs a comparison and no statement.
"""

from collections.abc import Iterable

from modelkeep.domain.access import Caller, Verb, person
from modelkeep.domain.errors import Forbidden
from modelkeep.domain.hands import Deed, Hand, Thing
from modelkeep.domain.locations import UPLOADS
from modelkeep.domain.tracking import LoggedModel, Run
from modelkeep.ports.work import Work
from modelkeep.services import sources


def is_own(caller: Caller, author: str) -> bool:
    """Whether the caller is who made something."""
    name = caller.actor.name
    return name == author or person(name) == person(author)


def check(caller: Caller, what: str, authors: Iterable[str]) -> None:
    """Raises Forbidden for what somebody else made, unless the caller may write everything."""
    others = [author for author in authors if not is_own(caller, author)]
    if others and not caller.access.may(Verb.WRITE):
        whose = f"{others[0]}'s" if others[0] else "nobody's in particular"
        raise Forbidden(
            f"Permission denied. {what} is {whose}: to change it needs a role that may write on "
            "everything."
        )


def on_run(work: Work, caller: Caller, run: Run, deed: Deed = Deed.LOGGED) -> None:
    """Before a run is changed. Raises Forbidden."""
    check(caller, f"Run {run.run_id}", [run.author])
    lay(work, caller, Thing.RUN, run.run_id, run.author, deed)


def on_logged_model(
    work: Work, caller: Caller, model: LoggedModel, deed: Deed = Deed.LOGGED
) -> None:
    """Before a logged model is changed. Raises Forbidden."""
    check(caller, f"Logged model {model.model_id}", [model.author])
    lay(work, caller, Thing.LOGGED_MODEL, model.model_id, model.author, deed)


def on_path(work: Work, caller: Caller, path: str) -> None:
    """Before a file is written, or files are deleted. Raises Forbidden."""
    on_paths(work, [(caller, path)])


def on_paths(work: Work, those: Iterable[tuple[Caller, str]]) -> None:
    """As `on_path`, of each of the paths."""
    owner_of = sources.owners(work)
    for caller, path in those:
        owner = owner_of(path)
        if isinstance(owner, Run):
            on_run(work, caller, owner, Deed.FILES)
        elif owner is not None:
            on_logged_model(work, caller, owner, Deed.FILES)
        else:
            _check_path(work, caller, path)


def check_path(work: Work, caller: Caller, path: str) -> None:
    """As `on_path`, of what is only going to be done."""
    owner = sources.owner_of(work, path)
    if owner is None:
        _check_path(work, caller, path)
    else:
        what = "Run" if isinstance(owner, Run) else "Logged model"
        check(caller, f"{what} that '{path}' lies in", [owner.author])


def lay(work: Work, caller: Caller, thing: Thing, subject: str, author: str, deed: Deed) -> None:
    """Keeps that a caller had a hand in what an author made."""
    if not is_own(caller, author):
        work.hands.add(subject, Hand(thing, caller.actor.name, deed), work.now_ms)
    if caller.actor.lent_by:
        work.hands.add(subject, Hand(thing, caller.actor.lent_by, Deed.LENT), work.now_ms)


def _check_path(work: Work, caller: Caller, path: str) -> None:
    """Of what lies in no run and no logged model: whoever put it there may change it."""
    if caller.access.may(Verb.WRITE):
        return
    top, _, rest = path.partition("/")
    if top == UPLOADS and rest:
        upload = rest.partition("/")[0]
        first = work.artifacts.first_author(f"{UPLOADS}/{upload}")
        check(caller, f"Upload '{upload}'", [] if first is None else [first])
    check(caller, f"'{path}'", work.artifacts.authors(path))
