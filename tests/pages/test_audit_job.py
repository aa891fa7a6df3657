"""An audit in a process of its own: how far it is, cancelling, and what is said when it fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from core.api.saved_audits import find, make
from core.audit import AuditOptions, Mapping, Target
from core.json_reading import read_json
from core.workspace import Workspace, write_json
from dashboard import audit_job

MAPPING = Mapping("y", ("score", "other"), ("sex", "race"))


def _table(folder: Path, rows: int = 300) -> Path:
    rng = np.random.default_rng(0)
    y = (rng.random(rows) < 0.4).astype(int)
    score = 1 / (1 + np.exp(-((2 * y - 1) + rng.normal(size=rows))))
    file = folder / "table.csv"
    pd.DataFrame({"y": y, "score": score, "other": rng.random(rows), "sex": rng.choice(["f", "m"], rows), "race": rng.choice(["a", "b"], rows)}).to_csv(
        file, index=False
    )
    return file


def _upload(workspace: Workspace) -> Path:
    folder = workspace.uploads / "0123456789ab"
    folder.mkdir()
    return folder


def test_an_audit_says_how_far_it_is(workspace: Workspace, tmp_path: Path) -> None:
    """Every attribute of every model is announced, in order, and the share only grows."""
    told: list[tuple[float, str]] = []
    options = AuditOptions(bootstrap=0, intersections=2)
    make(workspace, _table(tmp_path), "p.csv", MAPPING, options, lambda share, what: told.append((share, what)))
    words = [f"{model}, by {by}" for model in ("score", "other") for by in ("sex", "race", "sex x race")]
    assert [what for _, what in told if what in words] == words, told
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] >= 0 and shares[-1] <= 1


def test_the_process_makes_the_audit_that_make_makes(workspace: Workspace, tmp_path: Path) -> None:
    folder, table = _upload(workspace), _table(tmp_path)
    options = AuditOptions(target=Target("sensitivity", 0.8), tolerances={"auc": 0.1}, bootstrap=0)
    audit_job.start(workspace, folder, table, "two models.csv", {"": MAPPING}, options)
    job = audit_job.look(folder)
    assert job is not None and job.state == "running" and job.share == 0
    psutil.Process(read_json(folder / audit_job.STATUS)["pid"]).wait(90)
    job = audit_job.look(folder)
    assert job is not None and job.state == "done", job
    made = find(workspace, job.audit_id)
    assert made is not None and made.audit_id == make(workspace, table, "two models.csv", MAPPING, options).audit_id
    assert made.document["source"] == "two models.csv" and made.document["options"]["tolerances"] == {"auc": 0.1}


def test_cancelling_ends_the_process_and_leaves_no_audit(workspace: Workspace, tmp_path: Path) -> None:
    folder = _upload(workspace)
    audit_job.start(workspace, folder, _table(tmp_path, 20_000), "p.csv", {"": MAPPING}, AuditOptions(bootstrap=2000))
    process = psutil.Process(read_json(folder / audit_job.STATUS)["pid"])
    audit_job.cancel(folder)
    psutil.wait_procs([process], timeout=30)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert audit_job.look(folder) is None and not list(workspace.audits.iterdir())


def test_a_file_that_does_not_fit_is_named_as_its_user_knows_it(workspace: Workspace, tmp_path: Path) -> None:
    folder = _upload(workspace)
    table = tmp_path / "my-scores.csv"
    table.write_text("y,score,other,sex,race\n1,high,.1,f,a\n", encoding="utf-8")
    write_json(
        folder / audit_job.CHOICES,
        {"table": str(table), "name": "my scores (2).csv", "mappings": {"": MAPPING.to_dict()}, "options": {**AuditOptions().__dict__, "tolerances": {}}},
    )
    assert audit_job.main(str(workspace.root), str(folder)) == 2
    job = audit_job.look(folder)
    assert job is not None and job.state == "failed" and job.error
    assert job.error.startswith("my scores (2).csv") and str(tmp_path) not in job.error and "my-scores.csv" not in job.error


def test_a_process_that_died_is_a_failure_with_a_way_out(workspace: Workspace, tmp_path: Path) -> None:
    folder = _upload(workspace)
    write_json(folder / audit_job.STATUS, {"pid": 2**22 + 1, "created": 1.0, "begun": 1.0, "share": 0.4, "doing": "score, by sex"})
    job = audit_job.look(folder)
    assert job is not None and job.state == "failed" and job.error == audit_job.DIED
