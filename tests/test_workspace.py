from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core import workspace as module
from core.workspace import Workspace, read_json, read_json_remembered, write_json


def _write(path: Path, value: object, age: float = 10) -> None:
    """A file that was last changed `age` seconds ago."""
    path.write_text(json.dumps(value), encoding="utf-8")
    changed = path.stat().st_mtime - age
    os.utime(path, (changed, changed))


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.json"
    _write(path, {"status": "running"})
    assert read_json_remembered(path, dict) is read_json_remembered(path, dict)
    _write(path, {"status": "done"}, age=5)
    assert read_json_remembered(path, dict) == {"status": "done"}
    monkeypatch.setattr(module, "read_json", None)
    assert read_json_remembered(path, dict) == {"status": "done"}


def test_what_changed_a_moment_ago_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    _write(path, {"epoch": 3}, age=0)
    stat = path.stat()
    assert read_json_remembered(path, dict) == {"epoch": 3}
    # The same size, time and inode: only the content tells that it is another.
    path.write_text(json.dumps({"epoch": 4}), encoding="utf-8")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert read_json_remembered(path, dict) == {"epoch": 4}


def test_a_file_that_is_gone_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    _write(path, {})
    read_json_remembered(path, dict)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read_json_remembered(path, dict)


NO_JSON = [
    ("", "is empty"),
    ("{", "is no JSON"),
    ('{"a": NaN}', "holds NaN"),
    ("[" * 50_000, "is nested too deeply"),
    ("9" * 30, "a number beyond"),
    ("9" * 6000, "a number beyond"),
    ("-1e999", "too large"),
    ('["\\ud800"]', "cannot be written"),
]


@pytest.mark.parametrize(("text", "why"), NO_JSON)
def test_what_is_no_json_is_said_in_a_few_words(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "status.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=why):
        read_json(tmp_path / "status.json")


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "status.json")
    with pytest.raises(ValueError, match="no regular file"):
        read_json(tmp_path / "status.json")


def test_a_new_workspace_is_its_owners_alone(tmp_path: Path) -> None:
    os.umask(0o022)
    workspace = Workspace.open(tmp_path / "home" / "workspace")
    write_json(workspace.cohorts / "names.json", {})
    (workspace.runs / "log.txt").write_text("", encoding="utf-8")
    modes = {path.stat().st_mode & 0o077 for path in [workspace.root, *workspace.root.rglob("*")]}
    assert modes == {0} and workspace.open_paths() == []


def test_an_open_workspace_is_closed_at_the_next_start(tmp_path: Path) -> None:
    os.umask(0o022)
    root = tmp_path / "workspace"
    (root / "cohorts" / "a").mkdir(parents=True)
    (root / "cohorts" / "a" / "table.parquet").write_bytes(b"patients")
    (root / "store.duckdb").write_bytes(b"")
    (root / "cohorts" / "a" / "run.sh").touch(0o755)
    assert len(Workspace(root).open_paths()) > 3
    workspace = Workspace.open(root)
    assert workspace.open_paths() == [] and (root / "store.duckdb").stat().st_mode & 0o777 == 0o600
    assert (root / "cohorts" / "a" / "run.sh").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_use_too_stays_open_itself(tmp_path: Path) -> None:
    os.umask(0o022)
    (tmp_path / "shared" / "cohorts").mkdir(parents=True)
    (tmp_path / "shared" / "theirs").mkdir()
    before = (tmp_path / "shared" / "theirs").stat().st_mode
    Workspace.open(tmp_path / "shared")
    assert (tmp_path / "shared" / "cohorts").stat().st_mode & 0o077 == 0
    assert (tmp_path / "shared").stat().st_mode & 0o077 and (tmp_path / "shared" / "theirs").stat().st_mode == before


def test_a_link_out_of_the_workspace_is_not_followed(tmp_path: Path) -> None:
    os.umask(0o022)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (tmp_path / "workspace" / "runs").mkdir(parents=True)
    (tmp_path / "workspace" / "runs" / "link").symlink_to(tmp_path / "elsewhere")
    Workspace.open(tmp_path / "workspace")
    assert (tmp_path / "elsewhere").stat().st_mode & 0o055 and (tmp_path / "elsewhere" / "file").stat().st_mode & 0o044
