"""`multifair bench audit` measures, tells and fails as stated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import main
from core.study import audit_speed
from core.study.audit_speed import Measured, measure


def test_every_claim_is_measured() -> None:
    found = {m.claim: m for m in measure(2000)}
    assert len(found) == 4 and all(m.value > 0 for m in found.values())
    ratio = next(m for m in found.values() if m.at_least)
    assert ratio.value > 5, "even with little data our replicate is far quicker than fairlearn's"


def test_limits_hold_in_their_direction() -> None:
    assert Measured("time", 1.9, "s", 2.0).holds and not Measured("time", 2.1, "s", 2.0).holds
    assert Measured("ratio", 301, "x", 300, at_least=True).holds and not Measured("ratio", 299, "x", 300, at_least=True).holds


def test_a_missed_limit_fails_the_check_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(audit_speed, "measure", lambda n: [Measured(f"{n} predictions", 61.0, "s", 60.0)])
    assert main(["bench", "audit", "--n", "5000", "--json", "--workspace", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)[0]["kept"] is False
    assert main(["bench", "audit", "--n", "5000", "--check", "--workspace", str(tmp_path)]) == 1
    assert main(["bench", "audit", "--n", "5"]) == 2
