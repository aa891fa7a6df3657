from __future__ import annotations

import json

import pandas as pd
import pytest

from core.cli import main
from core.runs.folder import RunFolder, new_status
from core.runs.journal_writer import JournalSink
from core.store.journal import read_part
from core.store.query import query
from core.training.alerts import STALLED, Alert
from core.workspace import Workspace
from tests.factories import fake_cohort, fake_run


@pytest.fixture
def folder(workspace: Workspace) -> RunFolder:
    made = RunFolder(workspace.runs / "erm-s1-abc")
    made.path.mkdir()
    made.write_status(new_status())
    return made


def epoch(number: int) -> dict[str, object]:
    return {"event": "epoch", "time": 1.0, "epoch": number, "train_loss": 0.5, "validation_loss": 0.6, "validation_auc": 0.7, "seconds": 1.0}


def test_events_are_whole_lines_in_order(folder: RunFolder) -> None:
    sink = JournalSink(folder)
    sink.event({"event": "start", "time": 0.0, "epochs": 2, "steps": 4, "device": "cpu", "threads": 1})
    sink.event(epoch(0))
    sink.close()
    lines = folder.journal.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["start", "epoch"]
    status = folder.read_status()
    assert status["device"] == "cpu" and status["progress"]["epochs"] == 2


def test_a_torn_line_of_a_killed_writer_is_cut_off(folder: RunFolder) -> None:
    folder.journal.write_text(json.dumps(epoch(0)) + '\n{"event": "epo', encoding="utf-8")
    sink = JournalSink(folder)
    sink.event(epoch(1))
    sink.close()
    part = read_part(folder.journal)
    assert sorted(part.epochs) == [0, 1] and part.skipped == 0


def test_nan_never_reaches_the_journal(folder: RunFolder) -> None:
    sink = JournalSink(folder)
    with pytest.raises(ValueError):
        sink.event({**epoch(0), "train_loss": float("nan")})
    sink.close()
    assert folder.journal.read_text(encoding="utf-8") == ""


def test_predictions_appear_as_a_whole(folder: RunFolder) -> None:
    frame = pd.DataFrame({"sample_id": ["a"], "score": [0.5]})
    sink = JournalSink(folder)
    sink.predictions(frame)
    sink.close()
    pd.testing.assert_frame_equal(pd.read_parquet(folder.predictions), frame)
    assert not [p for p in folder.path.iterdir() if p.name.startswith(".predictions")]


def test_an_alert_is_in_the_journal_the_status_and_the_cache_and_told_once(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    folder = RunFolder(workspace.runs / fake_run(workspace, fake_cohort(workspace, patients=40), epochs=2, status="running"))
    alert = Alert(STALLED, 1, "labs", 0.01, 30).event()
    for _ in range(2):  # once more by a job that goes on from a checkpoint
        sink = JournalSink(folder)
        sink.event({"event": "alert", "time": 1.0, **alert})
        sink.close()
    assert folder.read_status()["alerts"] == [alert["message"]]
    found = query(workspace, "select run_id, code, modality, group_name, n from alerts").to_dict("records")
    assert [(row["run_id"], row["code"], row["modality"], row["n"]) for row in found] == [(folder.run_id, STALLED, "labs", 30)]
    assert main(["runs", "--workspace", str(workspace.root)]) == 0
    assert f"{folder.run_id}: labs has stopped learning" in capsys.readouterr().out
