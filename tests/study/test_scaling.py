from __future__ import annotations

from pathlib import Path

import pytest

from core.cli import main
from core.study import scaling
from core.study.scaling import Growth, document, measure


def growth(costs: tuple[float, ...], limit: float = 100.0) -> Growth:
    return Growth("Work", "patients", "s", (10, 20, 40), costs, 80, limit, "buy more")


def test_growth_is_read_off_and_never_promised_below_linear() -> None:
    linear, square, flat = growth((1.0, 2.0, 4.0)), growth((1.0, 4.0, 16.0)), growth((5.0, 5.1, 5.2))
    assert linear.exponent == pytest.approx(1) and linear.expected == pytest.approx(8) and linear.growth == "linearly"
    assert square.exponent == pytest.approx(2) and square.expected == pytest.approx(64) and "2.00" in square.growth
    assert flat.exponent < 0.1 and flat.expected == pytest.approx(10.4) and flat.growth == "slower than linearly"


def test_the_document_begins_with_what_breaks_first() -> None:
    text = document([growth((1.0, 2.0, 4.0)), Growth("Reading", "runs", "s", (1, 2, 4), (1.0, 2.0, 4.0), 400, 40.0, "read less")])
    rest = text[text.index("breaks first") :]
    assert rest.index("Reading: 10 times") < rest.index("Work: 0.08 times") and "**is too much**. Read less." in rest


def test_every_cost_is_measured_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(scaling, "USERS", 3)
    found = list(measure(0.005))
    assert len(found) == 8 and all(len(g.costs) == 3 and min(g.costs) > 0 and g.expected > 0 for g in found)
    monkeypatch.setattr(scaling, "measure", lambda scale: found)
    out = tmp_path / "SCALING.md"
    assert main(["bench", "scaling", "--out", str(out), "--workspace", str(tmp_path)]) == 0
    assert out.read_text(encoding="utf-8").count("\n| ") == 10
    assert main(["bench", "scaling", "--scale", "0", "--workspace", str(tmp_path)]) == 2
