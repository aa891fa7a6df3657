from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core import workspace as module
from core.api.saved_audits import adopt, saved
from core.cli import main
from core.errors import UserError
from core.json_reading import read_json
from core.runs.trash import delete, list_trash, restore
from core.workspace import Workspace, read_json_remembered, write_json
from tests.factories import fake_workspace


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


@pytest.mark.parametrize(("text", "why"), NO_JSON)
def test_a_users_json_file_is_refused_in_one_line(tmp_path: Path, text: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text(text, encoding="utf-8")
    (tmp_path / "p.csv").write_text("y,s,g\n1,.5,a\n0,.4,b\n", encoding="utf-8")
    asked = ["audit", str(tmp_path / "p.csv"), "--label", "y", "--score", "s", "--attributes", "g", "--plan", str(tmp_path / "plan.json")]
    for words in (asked, ["report", "--audit", str(tmp_path / "plan.json")], ["ingest", str(tmp_path / "p.csv"), "--manifest", str(tmp_path / "plan.json")]):
        assert main([*words, "--workspace", str(tmp_path / "workspace")]) == 2
        err = capsys.readouterr().err
        assert len(err.strip().splitlines()) == 1 and why in err and "plan.json" in err
    with pytest.raises(UserError, match=why):
        adopt(Workspace.open(tmp_path / "workspace"), text.encode(), "plan.json")


def test_a_manifest_of_brackets_and_one_that_is_a_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.csv").write_text("y,s,g\n1,.5,a\n0,.4,b\n", encoding="utf-8")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 5000, encoding="utf-8")
    os.mkfifo(tmp_path / "pipe.toml")
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("deep.toml", "pipe.toml", "pipe.json"):
        assert main(["ingest", str(tmp_path / "p.csv"), "--manifest", str(tmp_path / name), "--workspace", str(tmp_path / "workspace")]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"name": 3, "mapping": [], "created": null, "classes": 1}'])
def test_a_damaged_note_beside_an_audit_hides_no_audit(tmp_path: Path, text: str) -> None:
    workspace = Workspace.open(tmp_path)
    (workspace.audits / "0123456789ab").mkdir()
    (workspace.audits / "0123456789ab" / "audit.json").write_text("{}", encoding="utf-8")
    (workspace.audits / "0123456789ab" / "mapping.json").write_text(text, encoding="utf-8")
    (audit,) = saved(workspace)
    assert audit.about == {"name": "0123456789ab", "created": "", "mapping": {}, "options": {}, "classes": {}}


def test_a_read_only_workspace_without_audits_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workspace, "writable", property(lambda self: False))
    assert saved(Workspace(tmp_path)) == []


@pytest.mark.parametrize(
    "changes",
    [{"deleted": "now"}, {"paths": ["../../etc"]}, {"paths": ["runs/.."]}, {"paths": ["elsewhere/a"]}, {"paths": [3]}, {"kind": "x"}, {"bytes": None}],
)
def test_an_entry_of_the_trash_that_is_not_ours_is_no_entry(tmp_path: Path, changes: dict[str, object]) -> None:
    fake = fake_workspace(tmp_path / "workspace", runs=2, patients=40, epochs=2, unsettled=False)
    kept, bad = (delete(fake.workspace, "run", run_id) for run_id in fake.run_ids)
    file = fake.workspace.trash / bad.entry_id / "entry.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    assert [entry.entry_id for entry in list_trash(fake.workspace)] == [kept.entry_id]
    assert restore(fake.workspace, kept.entry_id).identifier == fake.run_ids[0]
