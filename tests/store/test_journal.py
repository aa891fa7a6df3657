from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.runs.folder import RunFolder
from core.store import Store
from core.store.journal import head_fingerprint, read_part
from core.workspace import Workspace
from tests.factories import fake_cohort, fake_run
from tests.store.conftest import assert_same, contents

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NUMBER = st.none() | st.floats(-2, 2)
ROWS = st.fixed_dictionaries(
    {"name": st.sampled_from(["contribution.phi", "method.gate"]), "modality": st.none() | TEXT, "modality_b": st.none(), "group": st.none() | TEXT,
     "group_b": st.none(), "stat": st.just("mean"), "value": NUMBER, "low": NUMBER, "high": NUMBER, "n": st.none() | st.integers(0, 9)}
)  # fmt: skip
EPOCHS = st.builds(
    lambda epoch, loss: {"event": "epoch", "time": 1.0, "epoch": epoch, "train_loss": loss, "validation_loss": loss, "validation_auc": None, "seconds": 1.0},
    st.integers(-1, 2), NUMBER,
)  # fmt: skip
TELEMETRY = st.builds(lambda epoch, rows: {"event": "telemetry", "time": 1.0, "epoch": epoch, "rows": rows}, st.integers(-1, 2), st.lists(ROWS, max_size=3))
ALERTS = st.builds(
    lambda epoch, who: {
        "event": "alert", "time": 1.0, "code": "modality_stalled", "epoch": epoch, "modality": who, "value": 0.1, "n": 9, "message": f"{who} stopped"
    },
    st.integers(0, 2), TEXT,
)  # fmt: skip
EVENTS = st.lists(EPOCHS | TELEMETRY | ALERTS, max_size=6)


def encoded(events: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in events)


@given(EVENTS, st.lists(st.floats(0, 1), max_size=4))
def test_reading_in_parts_is_reading_at_once(events: list[dict[str, Any]], cuts: list[float]) -> None:
    """Wherever the writer is interrupted, at any byte."""
    raw = encoded(events)
    with TemporaryDirectory() as place:
        path = Path(place) / "journal.jsonl"
        path.write_bytes(raw)
        whole = read_part(path)
        epochs: dict[Any, Any] = {}
        telemetry: dict[Any, Any] = {}
        alerts: dict[Any, Any] = {}
        offset = 0
        for cut in [*sorted(cuts), 1.0]:
            path.write_bytes(raw[: round(cut * len(raw))])
            part = read_part(path, offset)
            epochs |= part.epochs
            telemetry |= part.telemetry
            alerts |= part.alerts
            offset = part.offset
            assert part.skipped == 0
    assert (epochs, telemetry, alerts, offset) == (whole.epochs, whole.telemetry, whole.alerts, len(raw))


@settings(max_examples=25, deadline=None)
@given(EVENTS, st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_a_store_that_looks_at_any_moment_ends_with_the_same_rows(events: list[dict[str, Any]], cuts: list[float]) -> None:
    raw = encoded([{"event": "start", "time": 0.0, "epochs": 3, "steps": 3, "device": "cpu", "threads": 1}, *events])
    with TemporaryDirectory() as place:
        workspace = Workspace.open(place)
        cohort = fake_cohort(workspace, patients=20)
        folder = RunFolder(workspace.runs / fake_run(workspace, cohort, status="failed", reason="x"))
        folder.journal.write_bytes(b"")
        with Store.open(workspace) as growing:
            for cut in sorted(cuts):
                folder.journal.write_bytes(raw[: round(cut * len(raw))])
                growing.refresh()
            folder.journal.write_bytes(raw)
            growing.refresh()
            growing.refresh()
            with Store.open(workspace) as afresh:
                assert_same(contents(growing), contents(afresh))


def test_the_second_telling_of_an_epoch_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    first = {"event": "epoch", "epoch": 0, "train_loss": 1.0}
    path.write_bytes(encoded([first, {**first, "train_loss": 2.0}]))
    assert read_part(path).epochs[0][0] == 2.0


def test_the_remains_of_a_killed_writer_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"event": "epoch", "epo\n[1]\n' + encoded([{"event": "epoch", "epoch": 0}]))
    part = read_part(path)
    assert sorted(part.epochs) == [0] and part.skipped == 2


def test_a_torn_last_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    line = encoded([{"event": "epoch", "epoch": 0}])
    path.write_bytes(line + line[:-1])
    assert read_part(path).offset == len(line)
    assert read_part(tmp_path / "none.jsonl", 5).offset == 5


def test_a_new_journal_has_another_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    assert head_fingerprint(path) is None
    path.write_bytes(b"one")
    assert head_fingerprint(path) is None
    path.write_bytes(b"one\n")
    first = head_fingerprint(path)
    path.write_bytes(b"one\ntwo\n")
    assert head_fingerprint(path) == first
    path.write_bytes(b"other\n")
    assert head_fingerprint(path) not in (None, first)
