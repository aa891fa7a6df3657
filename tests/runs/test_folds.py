"""The runs of a cross-validation and the run that pools them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.audit.engine import audit
from core.cohort.ingest import ingest
from core.results.predictions import from_run
from core.runs import RunSpec, plan, submit
from core.runs.folder import RunFolder
from core.runs.folds import of_every_fold, pool_when_whole, pooled_spec
from core.store import Store
from core.workspace import Workspace
from tests.cohort.helpers import plain_columns, roles

N = 120


def folded(workspace: Workspace, tmp_path) -> tuple[RunSpec, list[RunSpec], np.ndarray]:
    columns = plain_columns(N) | {"split": ["test" if (i // 2) % 6 == 0 else "train" for i in range(N)]}
    pd.DataFrame(columns).to_csv(tmp_path / "cohort.csv", index=False)
    cohort = ingest(workspace, tmp_path / "cohort.csv", roles=roles(split="split", folds=3))
    (spec,) = plan(cohort, ["erm"])
    specs = of_every_fold([spec], cohort.n_folds)
    submit(workspace, specs, start=False)
    for k, one in enumerate(specs):
        view = cohort.at_fold(str(k)).table
        frame = view.loc[view["split"] != "locked", ["sample_id", "patient_id", "split", "y"]].assign(
            score=np.linspace(0.1, 0.9, int((view["split"] != "locked").sum())) + k / 100
        )
        frame.assign(prediction=pd.array([pd.NA] * len(frame), "Int8")).to_parquet(RunFolder(workspace.runs / one.run_id).predictions)
    return spec, specs, cohort.fold


def finish(workspace: Workspace, spec: RunSpec) -> RunFolder:
    folder = RunFolder(workspace.runs / spec.run_id)
    folder.update_status(status="done", started=10.0, finished=20.0)
    return folder


def test_a_fold_is_part_of_the_key_and_runs_without_keep_theirs(workspace: Workspace, tmp_path):
    spec, specs, _ = folded(workspace, tmp_path)
    assert "fold" not in spec.to_dict() and RunSpec.from_dict(spec.to_dict()) == spec
    assert len({spec.key, pooled_spec(spec).key, *(s.key for s in specs)}) == 5
    assert [s.describe()["label"].rsplit(", ", 1)[1] for s in (*specs, pooled_spec(spec))] == ["fold 1", "fold 2", "fold 3", "all folds"]
    assert RunSpec.from_dict(specs[1].to_dict()) == specs[1]


def test_the_last_fold_pools_them_and_one_audit_judges_every_sample_once(workspace: Workspace, tmp_path):
    spec, specs, fold = folded(workspace, tmp_path)
    for one in specs[:-1]:
        assert pool_when_whole(workspace, finish(workspace, one)) is None
    pooled = pool_when_whole(workspace, finish(workspace, specs[-1]))
    assert pooled is not None and pooled.run_id == pooled_spec(spec).run_id
    frame = pd.read_parquet(pooled.predictions)
    assert len(frame) == frame["sample_id"].nunique() == int((fold >= 0).sum()) and set(frame["split"]) == {"test"}
    assert frame["fold"].tolist() == fold[fold >= 0].tolist()
    with Store.open(workspace) as store:
        found = audit(from_run(store, pooled.run_id, "sex"))
        assert found.n == len(frame) and "pooled_folds" in {f.code for f in found.findings}
        assert store.runs(whole=True)["run_id"].tolist() == [pooled.run_id] and len(store.runs()) == 4
    # A fold that was trained again is pooled again.
    before = pooled.predictions.stat().st_mtime_ns
    path = RunFolder(workspace.runs / specs[0].run_id).predictions
    pd.read_parquet(path).assign(score=0.5).to_parquet(path)
    pool_when_whole(workspace, RunFolder(workspace.runs / specs[0].run_id))
    assert (pd.read_parquet(pooled.predictions).query("fold == 0")["score"] == 0.5).all() and pooled.predictions.stat().st_mtime_ns != before
