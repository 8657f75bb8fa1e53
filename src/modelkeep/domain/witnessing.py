"""What a witness decides: whether a checkpoint continues what it has seen (C2SP tlog-witness)."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from modelkeep.domain.errors import IntegrityFailure, InvalidInput
from modelkeep.domain.merkle import EMPTY_ROOT, extends
from modelkeep.domain.notes import LOG_KIND, Check, Checkpoint, Note, PublicKey, opened
from modelkeep.domain.receipts import Submission

SIZE_TYPE = "text/x.tlog.size"


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of an answer, its body, and its content type."""

    status: int
    body: str
    type: str = "text/plain; charset=utf-8"


def judge(
    source: str,
    logs: Collection[PublicKey],
    newest: Callable[[str], Checkpoint | None],
    check: Check,
) -> Note | Answer:
    """The note to cosign, whose checkpoint must be kept first; or the answer that refuses it.

    `newest` gives the newest checkpoint that was cosigned for an origin.
    """
    try:
        submission = Submission.parse(source)
        note = Note.parse(submission.note)
        checkpoint = Checkpoint.parse(note.text)
    except InvalidInput as error:
        return Answer(400, f"{error.message}\n")
    if not any(key.name == checkpoint.origin and key.kind == LOG_KIND for key in logs):
        return Answer(404, "This log is not known here.\n")
    try:
        opened(submission.note, logs, check)
    except IntegrityFailure as error:
        return Answer(403, f"{error.message}\n")
    return _judge_size(submission, checkpoint, newest(checkpoint.origin)) or note


def _judge_size(
    submission: Submission, checkpoint: Checkpoint, newest: Checkpoint | None
) -> Answer | None:
    if submission.old > checkpoint.size:
        return Answer(400, "The old size is larger than the checkpoint's.\n")
    known, root = (newest.size, newest.root) if newest else (0, EMPTY_ROOT)
    if submission.old != known or (known == checkpoint.size and root != checkpoint.root):
        return Answer(409, f"{known}\n", SIZE_TYPE)
    if not extends(known, root, checkpoint.size, checkpoint.root, submission.proof):
        return Answer(422, "The proof of consistency fails.\n")
    return None
