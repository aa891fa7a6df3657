from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.runs import json_cache as module
from core.runs.json_cache import kept_json


def _write(path: Path, value: object, age: float = 10) -> None:
    """A file that was last changed `age` seconds ago."""
    path.write_text(json.dumps(value), encoding="utf-8")
    changed = path.stat().st_mtime - age
    os.utime(path, (changed, changed))


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.json"
    _write(path, {"status": "running"})
    assert kept_json(path) is kept_json(path)
    _write(path, {"status": "done"}, age=5)
    assert kept_json(path) == {"status": "done"}
    monkeypatch.setattr(module, "read_json", None)
    assert kept_json(path) == {"status": "done"}


def test_what_changed_a_moment_ago_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    _write(path, {"epoch": 3}, age=0)
    stat = path.stat()
    assert kept_json(path) == {"epoch": 3}
    # The same size, time and inode: only the content tells that it is another.
    path.write_text(json.dumps({"epoch": 4}), encoding="utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert kept_json(path) == {"epoch": 4}


def test_a_file_that_is_gone_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    _write(path, {})
    kept_json(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        kept_json(path)
