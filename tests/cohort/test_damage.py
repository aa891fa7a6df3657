"""A damaged file of a cohort's folder is named with what to do, and costs this cohort alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import cohort as cohorts
from core.cli import main
from core.cohort.planted import simulate
from core.cohort_folders import damaged_cohorts
from core.errors import DamagedFile
from core.runs.listing import list_runs
from core.store import Store
from core.workspace import Workspace
from tests.factories import fake_workspace

MANIFESTS: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("holds no object", lambda m: [m]),
    ("has no n", lambda m: m | {"n": True}),
    ("has no time as created", lambda m: m | {"created": "yesterday"}),
    ("has no modality", lambda m: m | {"roles": m["roles"] | {"modalities": []}}),
    ("has no files of", lambda m: m | {"files": {}}),
    ("has no files.size", lambda m: m | {"files": {name: {"kind": "image"} for name in m["files"]}}),
    ("has no usable roles.titles", lambda m: m | {"roles": m["roles"] | {"titles": {"a": 1}}}),
    ("has no usable roles.attributes", lambda m: m | {"roles": m["roles"] | {"attributes": "sex"}}),
    ("has no usable roles.weights", lambda m: m | {"roles": m["roles"] | {"weights": ["w"]}}),
    ("has no usable columns", lambda m: m | {"columns": 3}),
    ("holds no object as columns", lambda m: m | {"columns": ["a"]}),
    ("has no columns.why", lambda m: m | {"columns": [{"column": "a", "role": "b"}]}),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage")
    simulate(folder / "planted", 60, 0)
    return cohorts.ingest(Workspace.open(folder / "workspace"), folder / "planted" / "cohort.csv").folder


def restored(path: Path, content: bytes, act: Callable[[], None]) -> None:
    """`act` while the file holds something else."""
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        act()
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(("why", "change"), MANIFESTS, ids=[why for why, _ in MANIFESTS])
def test_manifests(made: Path, why: str, change: Callable[[dict[str, Any]], Any]) -> None:
    manifest = json.loads((made / "manifest.json").read_text(encoding="utf-8"))

    def act() -> None:
        with pytest.raises(DamagedFile, match=f"manifest.json {why}"):
            cohorts.load(Workspace(made.parent.parent), made.name)
        assert [error.owner for error in damaged_cohorts(Workspace(made.parent.parent))] == [f"cohort {made.name}"]

    restored(made / "manifest.json", json.dumps(change(manifest)).encode(), act)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"findings": 3, "checks": [], "set_aside": []}', '{"findings": [], "checks": ["x"], "set_aside": []}']
)
def test_findings(made: Path, text: str) -> None:
    def act() -> None:
        with pytest.raises(DamagedFile, match=r"findings\.json "):
            _ = cohorts.load(Workspace(made.parent.parent), made.name).findings

    restored(made / "findings.json", text.encode(), act)


@pytest.mark.parametrize("how", ["empty", "cut", "text", "shape", "words"])
def test_arrays(made: Path, how: str, tmp_path: Path) -> None:
    cohort = cohorts.load(Workspace(made.parent.parent), made.name)
    (path, *_) = sorted((made / "arrays").glob("*-*.npy"))
    modality = next(name for name, kind in cohort.modality_kinds.items() if path.name.startswith(f"{name}-") and kind in ("image", "volume"))
    np.save(tmp_path / "shape.npy", np.zeros((3, 3), np.uint8))
    np.save(tmp_path / "words.npy", np.array(["a"] * cohort.n))
    files = {"shape": (tmp_path / "shape.npy").read_bytes(), "words": (tmp_path / "words.npy").read_bytes()}
    content = {"empty": b"", "cut": path.read_bytes()[:-100], "text": b"{}", **files}[how]

    def act() -> None:
        for size in (None, 16):
            with pytest.raises(DamagedFile, match=f"arrays/{path.name} "):
                cohort.array(modality, size)

    restored(path, content, act)

    def missing() -> None:
        with pytest.raises(DamagedFile, match=r"arrays/present\.npy"):
            _ = cohorts.load(Workspace(made.parent.parent), made.name).present

    restored(made / "arrays" / "present.npy", content, missing)


def test_a_table_of_which_only_the_ends_are_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake = fake_workspace(tmp_path / "workspace", runs=2, patients=60, epochs=2, unsettled=False)
    other = fake_workspace(fake.workspace.root, runs=1, patients=50, epochs=2, unsettled=False, seed=5)
    path = fake.workspace.cohorts / fake.cohort.cohort_id / "table.parquet"
    path.write_bytes(b"PAR1" + bytes(500) + b"PAR1")
    assert main(["results", "--json", "--workspace", str(fake.workspace.root)]) == 0
    assert {run["run_id"] for run in json.loads(capsys.readouterr().out)} == set(other.run_ids)
    with Store.open(fake.workspace) as store:
        assert all("table.parquet cannot be read" in reason for reason in store.runs(status="failed")["reason"])


@pytest.mark.parametrize("file", ["manifest.json", "table.parquet"])
def test_runs_on_a_damaged_cohort_are_shown_as_failed_and_hide_no_other(tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    fake = fake_workspace(tmp_path / "workspace", runs=2, patients=60, epochs=2, unsettled=False)
    other = fake_workspace(fake.workspace.root, runs=2, patients=50, epochs=2, unsettled=False, seed=5)
    path = fake.workspace.cohorts / fake.cohort.cohort_id / file
    bad = {run["run_id"] for run in list_runs(fake.workspace) if run["cohort_id"] == fake.cohort.cohort_id}

    def act() -> None:
        assert {run["run_id"] for run in list_runs(fake.workspace) if run["status"] == "failed"} == bad
        assert main(["results", "--json", "--workspace", str(fake.workspace.root)]) == 0
        assert {run["run_id"] for run in json.loads(capsys.readouterr().out)} == set(other.run_ids) - bad
        with Store.open(fake.workspace) as store:
            failed = store.runs(status="failed")
            assert set(failed["run_id"]) == bad and all(f"{file} " in reason and "multifair delete cohort" in reason for reason in failed["reason"])
            assert set(store.runs(status="done")["run_id"]) == set(other.run_ids) - bad

    restored(path, b"{}", act)
    assert {run["status"] for run in list_runs(fake.workspace)} == {"done"}
