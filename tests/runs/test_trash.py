from __future__ import annotations

import json
from pathlib import Path

import pytest

from core import cohort as cohorts
from core.cli import main
from core.errors import UserError
from core.locks import holding
from core.runs import find, folders
from core.runs import trash as module
from core.runs.disk_usage import bytes_in_words, disk_usage, folder_bytes
from core.runs.trash import delete, empty_trash, list_trash, restore
from core.store import Store
from core.workspace import write_json
from tests.factories import FakeWorkspace, fake_workspace


@pytest.fixture
def fake(tmp_path: Path) -> FakeWorkspace:
    return fake_workspace(tmp_path / "workspace", runs=2, patients=60, epochs=2)


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and path.name != ".lock"}


def test_a_deleted_run_is_gone_for_every_reader_and_comes_back_as_it_was(fake: FakeWorkspace) -> None:
    workspace, run_id = fake.workspace, fake.run_ids[0]
    before = content(workspace.runs)
    with Store.open(workspace) as store:
        entry = delete(workspace, "run", run_id)
        store.refresh()
        assert run_id not in set(store.runs()["run_id"]) and run_id not in {f.run_id for f in folders(workspace)}
        assert [e.entry_id for e in list_trash(workspace)] == [entry.entry_id] and entry.bytes > 0
        assert restore(workspace, run_id) == entry
        store.refresh()
        assert run_id in set(store.runs()["run_id"])
    assert content(workspace.runs) == before and not list_trash(workspace)


@pytest.mark.parametrize("status", ["running", "queued"])
def test_a_run_under_way_is_not_deleted(fake: FakeWorkspace, status: str) -> None:
    run_id = next(f.run_id for f in folders(fake.workspace) if f.read_status()["status"] == status)
    with pytest.raises(UserError, match=f"is {status}; cancel it first: multifair cancel {run_id}"):
        delete(fake.workspace, "run", run_id)
    assert find(fake.workspace, run_id) and not list_trash(fake.workspace)


def test_a_run_whose_lock_somebody_holds_is_not_deleted(fake: FakeWorkspace) -> None:
    folder = find(fake.workspace, fake.run_ids[0])
    with holding(folder.lock_file), pytest.raises(UserError, match="in use"):
        delete(fake.workspace, "run", folder.run_id)
    assert folder.predictions.exists()


def test_a_cohort_goes_with_its_runs_or_not_at_all(fake: FakeWorkspace) -> None:
    workspace, cohort_id = fake.workspace, fake.cohort.cohort_id
    with pytest.raises(UserError, match="has 6 runs"):
        delete(workspace, "cohort", cohort_id)
    with pytest.raises(UserError, match="cancel it first"):
        delete(workspace, "cohort", cohort_id, with_runs=True)
    assert len(list(folders(workspace))) == 6 and cohorts.list_cohorts(workspace)
    for folder in list(folders(workspace)):
        if folder.read_status()["status"] in ("running", "queued"):
            folder.update_status(status="cancelled")
    before = content(workspace.cohorts), content(workspace.runs)
    entry = delete(workspace, "cohort", cohorts.list_cohorts(workspace)[0].name, with_runs=True)
    assert not list(folders(workspace)) and not cohorts.list_cohorts(workspace) and len(entry.paths) == 7
    assert restore(workspace, entry.entry_id).identifier == cohort_id
    assert (content(workspace.cohorts), content(workspace.runs)) == before


def test_what_stands_in_its_place_is_not_overwritten(fake: FakeWorkspace) -> None:
    run_id = fake.run_ids[0]
    delete(fake.workspace, "run", run_id)
    (fake.workspace.runs / run_id).mkdir()
    with pytest.raises(UserError, match="exists again"):
        restore(fake.workspace, run_id)
    assert [e.identifier for e in list_trash(fake.workspace)] == [run_id]


def test_after_seven_days_it_is_removed_and_the_cohorts_further_names_are_free(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = fake.workspace
    for folder in list(folders(workspace)):
        delete(workspace, "run", folder.run_id) if folder.read_status()["status"] not in ("running", "queued") else folder.update_status(status="failed")
    cohorts.cohort.add_alias(workspace, "another name", fake.cohort.cohort_id)
    delete(workspace, "cohort", fake.cohort.cohort_id, with_runs=True)
    assert empty_trash(workspace) == [] and cohorts.cohort.free_name(workspace, "another name") != "another name"
    later = module.time.time() + 7 * 86_400 + 1
    monkeypatch.setattr(module.time, "time", lambda: later)
    assert "cohort" in {entry.kind for entry in empty_trash(workspace)}
    assert not list(workspace.trash.iterdir()) and cohorts.cohort.free_name(workspace, "another name") == "another name"


def test_now_leaves_nothing(fake: FakeWorkspace) -> None:
    delete(fake.workspace, "run", fake.run_ids[0], now=True)
    assert not list(fake.workspace.trash.iterdir())


@pytest.mark.parametrize("identifier", ["../cohorts", "", ".", "nothing", "a/b"])
def test_only_what_is_there_can_be_deleted(fake: FakeWorkspace, identifier: str) -> None:
    for kind in module.KINDS:
        with pytest.raises(UserError):
            delete(fake.workspace, kind, identifier)  # type: ignore[arg-type]


def test_foreign_things_in_the_trash_are_left_alone(fake: FakeWorkspace) -> None:
    for name, text in (("a", "{}"), ("b", "null"), ("c", "[" * 5000)):
        (fake.workspace.trash / name / "content").mkdir(parents=True)
        (fake.workspace.trash / name / "entry.json").write_text(text, encoding="utf-8")
    assert list_trash(fake.workspace) == []


def test_audits_and_uploads_from_the_command_line(fake: FakeWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = fake.workspace
    for folder, file in ((workspace.audits / "0123456789ab", "mapping.json"), (workspace.uploads / "ba9876543210", "draft.json")):
        folder.mkdir()
        write_json(folder / file, {"name": "Clinic A"})
    words = ["--workspace", str(workspace.root)]
    assert main(["delete", "audit", "0123456789ab", *words, "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["title"] == "Clinic A" and not (workspace.audits / "0123456789ab").exists()
    assert main(["delete", "upload", "ba9876543210", *words, "--now"]) == 0
    assert "removed for good" in capsys.readouterr().out
    assert main(["trash", *words, "--restore", "0123456789ab"]) == 0
    assert (workspace.audits / "0123456789ab" / "mapping.json").exists()
    assert main(["trash", *words, "--restore", "0123456789ab"]) == 2
    assert main(["trash", *words]) == 0
    assert "The trash is empty." in capsys.readouterr().out


def test_disk_usage_counts_each_folder_once(fake: FakeWorkspace) -> None:
    usage = disk_usage(fake.workspace)
    assert set(usage.runs) == set(fake.run_ids) and set(usage.cohorts) == {fake.cohort.cohort_id}
    assert usage.runs[fake.run_ids[0]] >= (fake.workspace.runs / fake.run_ids[0] / "journal.jsonl").stat().st_size
    assert usage.total == sum(folder_bytes(path) for path in fake.workspace.root.iterdir() if path.is_dir())
    delete(fake.workspace, "run", fake.run_ids[0])
    after = disk_usage(fake.workspace)
    assert set(after.runs) == set(fake.run_ids[1:]) and after.other["trash"] >= usage.runs[fake.run_ids[0]]


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    assert 10_000 <= folder_bytes(tmp_path) < 30_000


@pytest.mark.parametrize(("count", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (123_456, "123 kB"), (3_400_000, "3.4 MB"), (5 * 10**12, "5.0 TB")])
def test_sizes_in_words(count: int, words: str) -> None:
    assert bytes_in_words(count) == words
