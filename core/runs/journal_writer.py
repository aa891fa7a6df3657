"""Where a training's events go: whole lines of the run's journal."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from core.runs.folder import RunFolder

STATUS_SECONDS = 1.0


class JournalSink:
    """Appends events to the journal and keeps the status file's progress fresh.

    Only the job that holds the run's lock makes one. A torn last line, left by a killed
    predecessor, is cut off first, so that it cannot spoil the line that follows.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        _cut_torn_line(folder.journal)
        self._journal = folder.journal.open("ab", buffering=0)
        self._progress: dict[str, Any] = dict(folder.read_status()["progress"])
        self._told = 0.0

    def event(self, event: dict[str, Any]) -> None:
        """One line in a single write, so a reader meets it whole or not at all."""
        line = (json.dumps(event, allow_nan=False, ensure_ascii=False) + "\n").encode()
        if self._journal.write(line) != len(line):
            # The disk took a part of it, which the next start cuts off again.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder.journal))
        kind = event["event"]
        if kind == "start":
            self._tell(epochs=event["epochs"], device=event["device"])
        elif kind == "progress":
            self._tell(epoch=event["epoch"], seconds_left=event["seconds_left"])
        elif kind == "epoch":
            self._tell(epoch=event["epoch"])
        elif kind == "alert":
            # A resumed run tells again of what it knows.
            known = self._folder.read_status().get("alerts") or []
            if event["message"] not in known:
                self._folder.update_status(alerts=[*known, event["message"]])

    def predictions(self, frame: pd.DataFrame) -> None:
        """Write the Parquet file beside its place and move it there as a whole."""
        handle, temporary = tempfile.mkstemp(dir=self._folder.path, prefix=".predictions.")
        os.close(handle)
        try:
            frame.to_parquet(temporary, index=False)
            os.replace(temporary, self._folder.predictions)
        finally:
            Path(temporary).unlink(missing_ok=True)

    def close(self) -> None:
        self._journal.close()

    def _tell(self, device: str | None = None, **progress: Any) -> None:
        self._progress.update(progress)
        now = time.monotonic()
        if device is None and now - self._told < STATUS_SECONDS:
            return
        self._told = now
        self._folder.update_status(progress=dict(self._progress), **({} if device is None else {"device": device}))


def _cut_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
