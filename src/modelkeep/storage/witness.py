"""A witness's book: for each log the newest checkpoint that it cosigned, in a file of its own."""

import hashlib
import threading
from collections.abc import Collection
from pathlib import Path

from modelkeep.domain.notes import Checkpoint, PublicKey, cosigned
from modelkeep.domain.witnessing import Answer, judge
from modelkeep.ed25519 import is_signed
from modelkeep.storage.files import write_durably
from modelkeep.storage.notary import KeyFile


class WitnessBook:
    """Judges, keeps and cosigns, one checkpoint at a time: a later one never gives way to an
    earlier one, also when two come at once or the process dies between."""

    def __init__(self, name: str, key: KeyFile, folder: Path, logs: Collection[PublicKey]) -> None:
        self.key = key.public(name)
        self._signs, self._folder, self._logs = key.sign, folder, logs
        self._lock = threading.Lock()

    def add_checkpoint(self, source: str, now_s: int) -> Answer:
        """The answer to a submission; see `domain.witnessing.judge`."""
        with self._lock:
            judged = judge(source, self._logs, self._newest, is_signed)
            if isinstance(judged, Answer):
                return judged
            write_durably(self._file(Checkpoint.parse(judged.text).origin), judged.text.encode())
        payload = now_s.to_bytes(8, "big") + self._signs(cosigned(judged.text, now_s))
        return Answer(200, self.key.signature(payload).line)

    def _newest(self, origin: str) -> Checkpoint | None:
        try:
            return Checkpoint.parse(self._file(origin).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def _file(self, origin: str) -> Path:
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.checkpoint"
