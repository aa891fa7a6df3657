"""One damaged file costs the run or cohort that it belongs to, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import cohort as cohorts
from core.cli import main
from core.cohort_folders import damaged_cohorts
from core.errors import DamagedFile, command
from core.runs import find, folders, queue_state, retry, settle_dead_runs, submit
from core.runs.folder import damaged
from core.runs.trash import delete
from core.store import Store
from tests.factories import FakeWorkspace, fake_workspace
from tests.runs.conftest import Tiny

TEXTS = ["", "{", "{}", "[]", "null", "1", '"text"', "[" * 50_000, '{"status": 3}', '{"status": "done", "created": "then"}', "\x00\xff"]


@pytest.fixture
def fake(tmp_path: Path) -> FakeWorkspace:
    return fake_workspace(tmp_path / "workspace", runs=3, patients=60, epochs=2)


def damage(path: Path, text: str) -> None:
    path.unlink()
    path.write_bytes(text.encode("latin-1"))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("file", ["spec.json", "status.json", "journal.jsonl", "predictions.parquet"])
def test_the_other_runs_are_shown_and_this_one_says_what_is_wrong(fake: FakeWorkspace, file: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    bad, *others = fake.run_ids
    damage(fake.workspace.runs / bad / file, text)
    settle_dead_runs(fake.workspace)
    assert {item.run_id for item in queue_state(fake.workspace)} == set(fake.run_ids[-2:])
    with Store.open(fake.workspace) as store:
        runs = store.runs().set_index("run_id")
        assert set(others) <= set(runs.index) and (runs.loc[others, "status"] != "failed").sum() == len(others) - 1
        if file in ("status.json", "predictions.parquet"):
            assert runs.loc[bad, "status"] == "failed"
            assert str(runs.loc[bad, "reason"]).startswith(f"damaged: {file} ") and f"multifair retry --fresh {bad}" in str(runs.loc[bad, "reason"])
        elif file == "journal.jsonl":
            assert runs.loc[bad, "status"] == "done" and store.epochs([bad]).empty and len(store.predictions(bad)) == 60
    assert main(["runs", "--workspace", str(fake.workspace.root), "--json"]) == 0
    out, err = capsys.readouterr()
    assert set(others) <= {run["run_id"] for run in json.loads(out)}
    if file == "spec.json":
        assert f"run {bad} is damaged: spec.json" in err and f"multifair delete run {bad}" in err
        delete(fake.workspace, "run", bad)
        assert bad not in {f.run_id for f in folders(fake.workspace)}


@pytest.mark.parametrize("changes", [{"attempt": 10**30}, {"order": float("inf")}, {"progress": {"epoch": 1.5, "epochs": 1e308, "seconds_left": None}},
                                     {"device": "\ud800"}, {"attempt": True}, {"progress": {"epoch": 10**19, "epochs": 2, "seconds_left": 0}}])  # fmt: skip
def test_values_that_no_table_holds_cost_one_run(fake: FakeWorkspace, changes: dict[str, object]) -> None:
    bad, *others = fake.run_ids
    path = fake.workspace.runs / bad / "status.json"
    text = json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes).replace("Infinity", "1e999")
    damage(path, text)
    with Store.open(fake.workspace) as store:
        runs = store.runs().set_index("run_id")
    assert set(others) < set(runs.index) and runs.loc[bad, "status"] == "failed" and str(runs.loc[bad, "reason"]).startswith("damaged: status.json ")
    assert main(["runs", "--workspace", str(fake.workspace.root), "--json"]) == 0


@pytest.mark.parametrize("row", [{"n": 10**30}, {"n": 2.5}, {"value": float("nan")}, {"value": 10**300}, {"name": "\ud800"}, {"name": None, "n": True}])
def test_a_line_of_a_journal_that_no_table_holds_is_passed_over(fake: FakeWorkspace, row: dict[str, object]) -> None:
    path = fake.workspace.runs / fake.run_ids[0] / "journal.jsonl"
    whole = {"name": "x", "modality": None, "modality_b": None, "group": None, "group_b": None, "stat": "mean", "value": 0.5, "low": None, "high": None, "n": 3}
    events = [
        {"event": "telemetry", "epoch": 0, "rows": [whole | row]},
        {"event": "epoch", "epoch": 10**30},
        {"event": "telemetry", "epoch": 1, "rows": [whole]},
    ]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)
    with Store.open(fake.workspace) as store:
        assert store.telemetry(fake.run_ids, ["x"])["epoch"].tolist() == [1]


def test_a_run_whose_specification_is_damaged_later_hides_no_other(fake: FakeWorkspace, capsys: pytest.CaptureFixture[str]) -> None:
    bad = fake.run_ids[0]
    path = fake.workspace.runs / bad / "spec.json"
    whole = path.read_text(encoding="utf-8")
    with Store.open(fake.workspace) as store:
        known = set(store.runs()["run_id"])
        damage(path, "{}")
        store.refresh()
        assert set(store.runs()["run_id"]) == known - {bad}
        assert main(["results", "--json", "--workspace", str(fake.workspace.root)]) == 0
        damage(path, whole)
        store.refresh()
        assert set(store.runs()["run_id"]) == known and len(store.predictions(bad)) == 60


@pytest.mark.parametrize("file", ["manifest.json", "table.parquet"])
def test_a_cohort_that_is_damaged_later_is_dropped_until_it_is_whole(fake: FakeWorkspace, file: str) -> None:
    path = fake.workspace.cohorts / fake.cohort.cohort_id / file
    whole = path.read_bytes()
    with Store.open(fake.workspace) as store:
        damage(path, "{}")
        store.refresh()
        assert store.cohorts().empty
        path.write_bytes(whole)
        store.refresh()
        assert store.cohorts()["cohort_id"].tolist() == [fake.cohort.cohort_id]


@pytest.mark.parametrize("column", ["score", "y", "sample_id", "split"])
def test_predictions_of_another_type_cost_one_run(fake: FakeWorkspace, column: str) -> None:
    bad = fake.run_ids[0]
    path = fake.workspace.runs / bad / "predictions.parquet"
    table = pq.read_table(path)
    table = table.set_column(table.column_names.index(column), column, pa.array([[1.0]] * table.num_rows))
    pq.write_table(table, path)
    with Store.open(fake.workspace) as store:
        runs = store.runs().set_index("run_id")
        assert runs.loc[bad, "status"] == "failed" and "predictions.parquet cannot be read" in str(runs.loc[bad, "reason"])


WRONG = [
    {"sample_id": "a"},
    {"sample_id": None},
    {"score": float("inf")},
    {"score": float("nan")},
    {"score": 2.0},
    {"y": -1},
    {"prediction": -1},
    {"split": "x"},
]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_predictions_that_no_training_writes_cost_one_run(fake: FakeWorkspace, change: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    bad, *_ = fake.run_ids
    path = fake.workspace.runs / bad / "predictions.parquet"
    pd.read_parquet(path).assign(**change).to_parquet(path)
    with Store.open(fake.workspace) as store:
        runs = store.runs().set_index("run_id")
        assert runs.loc[bad, "status"] == "failed" and "predictions.parquet cannot be read" in str(runs.loc[bad, "reason"])
    assert main(["results", "--json", "--workspace", str(fake.workspace.root)]) == 0
    assert bad not in capsys.readouterr().out


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(fake: FakeWorkspace) -> None:
    for run_id, file in zip(fake.run_ids, ("spec.json", "journal.jsonl", "predictions.parquet"), strict=False):
        (fake.workspace.runs / run_id / file).unlink()
        os.mkfifo(fake.workspace.runs / run_id / file)
    with Store.open(fake.workspace) as store:
        assert len(store.runs()) == len(fake.run_ids) - 1


def test_a_folder_under_anothers_name_is_a_stranger(fake: FakeWorkspace) -> None:
    (fake.workspace.runs / fake.run_ids[0]).rename(fake.workspace.runs / "mine")
    with pytest.raises(DamagedFile, match="belongs to another run"):
        find(fake.workspace, "mine").read_spec()
    assert [error.owner for error in damaged(fake.workspace)] == ["run mine"]


def test_a_mended_file_is_seen_by_the_store_that_passed_it_over(fake: FakeWorkspace) -> None:
    path = fake.workspace.runs / fake.run_ids[0] / "predictions.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with Store.open(fake.workspace) as store:
        assert store.runs().set_index("run_id").loc[fake.run_ids[0], "status"] == "failed"
        path.write_bytes(whole)
        store.refresh()
        assert store.runs().set_index("run_id").loc[fake.run_ids[0], "status"] == "done"
        assert len(store.predictions(fake.run_ids[0])) == 60


@pytest.mark.parametrize("file", ["spec.json", "status.json", "predictions.parquet"])
def test_asking_for_a_damaged_run_makes_it_again(tiny: Tiny, file: str) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    folder = find(tiny.workspace, spec.run_id)
    folder.predictions.write_bytes(b"PAR1")
    folder.update_status(status="done", started=1.0, finished=2.0)
    if file != "predictions.parquet":
        damage(folder.path / file, "{}")
    (handle,) = submit(tiny.workspace, [spec], start=False)
    assert handle.status == "queued" and not handle.cached
    assert folder.read_spec()["key"] == spec.key and not folder.predictions.exists()


def test_a_damaged_status_is_retried(tiny: Tiny) -> None:
    (spec,) = tiny.plan("erm")
    submit(tiny.workspace, [spec], start=False)
    folder = find(tiny.workspace, spec.run_id)
    damage(folder.status_file, "null")
    assert retry(tiny.workspace, spec.run_id, fresh=True, start=False).status == "queued"


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", "[" * 50_000, '{"cohort_id": 1}'])
def test_a_damaged_cohort_does_not_hide_the_others(fake: FakeWorkspace, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = fake_workspace(fake.workspace.root, runs=0, patients=40, unsettled=False, seed=5).cohort.cohort_id
    bad = fake.cohort.cohort_id
    damage(fake.workspace.cohorts / bad / "manifest.json", text)
    assert [c.cohort_id for c in cohorts.list_cohorts(fake.workspace)] == [other]
    assert [(e.owner, e.file) for e in damaged_cohorts(fake.workspace)] == [(f"cohort {bad}", "manifest.json")]
    with Store.open(fake.workspace) as store:
        assert store.cohorts()["cohort_id"].tolist() == [other]
    words = ["--workspace", str(fake.workspace.root)]
    assert main(["cohorts", *words]) == 0
    out, err = capsys.readouterr()
    assert other in out and f"cohort {bad} is damaged: manifest.json" in err and f"multifair delete cohort {bad}" in err
    assert main(["delete", "cohort", bad, "--with-runs", *words]) == 2  # two of its runs are under way
    damage(fake.workspace.cohorts / other / "table.parquet", text)
    assert {e.file for e in damaged_cohorts(fake.workspace)} == {"manifest.json", "table.parquet"}
    with pytest.raises(DamagedFile, match=r"table\.parquet cannot be read"):
        _ = cohorts.load(fake.workspace, other).table


def test_remedies_quote_what_came_from_users() -> None:
    assert command("delete", "cohort", "Clinic A; rm -rf ~") == "multifair delete cohort 'Clinic A; rm -rf ~'"
