"""`multifair bench start` and `input` measure, keep a history and fail as stated; no clock decides here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import main
from core.errors import UserError
from core.runs.listing import list_runs
from core.store import Store
from core.study import input_speed, page_speed, start_speed, sweep_speed
from core.study.audit_speed import Measured
from core.workspace import Workspace


def test_every_claim_is_measured(tmp_path: Path) -> None:
    found = {m.claim: m for m in input_speed.measure(40)}
    assert len(found) == 2 and all(m.value > 0 for m in found.values())
    workspace = Workspace.open(tmp_path / "w")
    start_speed.fill(workspace, tmp_path / "files", 12)
    assert [row["status"] for row in list_runs(workspace)] == ["done"] * 12
    with Store.open(workspace) as store:
        assert len(store.runs(status="done")) == 12 and len(store.epochs(store.runs()["run_id"])) == 36
    assert start_speed.processor_seconds(["methods"]) > 0


@pytest.mark.parametrize("kind", ["start", "input", "sweep", "pages"])
def test_a_missed_limit_fails_the_check_only_and_is_kept(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = {"start": start_speed, "input": input_speed, "sweep": sweep_speed, "pages": page_speed}[kind]
    monkeypatch.setattr(module, "measure", lambda n: [Measured(f"{n} things", 3.0, "s", 2.0)])
    words = ["bench", kind, "--workspace", str(tmp_path)]
    assert main([*words, "--n", "50", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["kept"] is False
    assert main([*words, "--check"]) == 1
    assert main([*words, "--n", "5"]) == 2
    history = [json.loads(line) for line in (tmp_path / "cache" / "bench.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [entry["bench"] for entry in history] == [kind, kind] and history[0]["measured"][0]["value"] == 3.0 and history[0]["packages"]["numpy"]


def test_a_sweep_is_measured_both_ways() -> None:
    tiny = {"epochs": 1, "width": 8, "heads": 2, "bootstrap": 5}
    found = list(sweep_speed.measure(160, ("erm",), 2, tiny))
    assert [m.unit for m in found] == ["times", "s", ""] and found[0].value > 0 and found[2].holds


def test_a_step_is_kept_with_what_was_promised_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", "step", "--steps", "3", "--batch-size", "8", "--methods", "erm", "multifair", "--workspace", str(tmp_path), "--json"]
    assert main(words) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["limit"] is None for row in rows] == [True, False, False, False] and rows[0]["kept"] and all(row["value"] > 0 for row in rows)
    assert main([*words, "--threads", "0"]) == 2
    history = [json.loads(line) for line in (tmp_path / "cache" / "bench.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [entry["bench"] for entry in history] == ["step"]


def test_pages_need_a_checkout_and_a_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(page_speed, "BROWSERS", ("no-such-browser",))
    with pytest.raises(UserError, match="none of no-such-browser"):
        next(page_speed.measure(1))
    monkeypatch.setattr(page_speed, "PROGRAM", tmp_path / "none.py")
    with pytest.raises(UserError, match="checkout"):
        next(page_speed.measure(1))
