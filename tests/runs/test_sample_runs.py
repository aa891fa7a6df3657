"""The runs that ship with the sample belong to it, answer the same request, and never replace a user's."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from core.cohort.sample import ingest_sample
from core.runs import RunSpec, plan, submit
from core.runs.sample_runs import add_shipped_runs, shipped_folder, shipped_runs
from core.store import Store
from core.workspace import Workspace
from tests import ship_sample_runs as shipping


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    opened = Workspace.open(tmp_path_factory.mktemp("shipped"))
    ingest_sample(opened)
    return opened


def test_the_same_request_answers_from_the_shipped_runs(workspace: Workspace) -> None:
    assert len(add_shipped_runs(workspace)) == len(shipped_runs()) > 0
    cohort = ingest_sample(workspace)
    specs = plan(cohort, shipping.METHODS, shipping.ATTRIBUTE, shipping.SEEDS, "quick")
    handles = submit(workspace, specs, start=False)
    assert {h.run_id for h in handles} == {r.run_id for r in shipped_runs()}
    assert all(h.cached and h.status == "done" for h in handles)


def test_they_are_added_once(workspace: Workspace) -> None:
    add_shipped_runs(workspace)
    mark = workspace.runs / shipped_runs()[0].run_id / "mine.txt"
    mark.write_text("kept")
    assert add_shipped_runs(workspace) == []
    assert mark.read_text() == "kept"
    mark.unlink()


def test_their_keys_are_those_of_their_specifications() -> None:
    for run in shipped_runs():
        spec = run.read_spec()
        assert RunSpec.from_dict(spec["spec"]).key == spec["key"], run.run_id


def test_pages_find_them(workspace: Workspace) -> None:
    add_shipped_runs(workspace)
    with Store.open(workspace) as store:
        store.refresh()
        runs = store.runs(status="done")
        assert set(runs["run_id"]) == {r.run_id for r in shipped_runs()}
        for run_id in runs["run_id"]:
            assert len(store.predictions(run_id, "test")) > 100


def test_the_example_of_the_audit_page_is_theirs(workspace: Workspace) -> None:
    file = shipped_folder().parent / "predictions.csv"
    made = pd.read_csv(io.StringIO(shipping.example(ingest_sample(workspace)).to_csv(index=False)))
    pd.testing.assert_frame_equal(pd.read_csv(file), made)


def test_nothing_of_the_machine_is_in_them() -> None:
    for run in shipped_runs():
        for file in run.path.iterdir():
            if file.suffix in (".json", ".jsonl"):
                assert "/work" not in file.read_text() and str(Path.home()) not in file.read_text()
        assert "command" not in json.loads(run.environment.read_text())


def test_what_they_leave_in_a_workspace_is_its_owners_alone(workspace: Workspace) -> None:
    """The shipped files may be read by everybody, their copies were too."""
    add_shipped_runs(workspace)
    assert any(workspace.runs.iterdir()) and workspace.open_paths() == []
