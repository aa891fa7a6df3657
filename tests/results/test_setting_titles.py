"""No setting stands on Compare under a bare symbol: `F low` and `Eta` said nothing."""

from __future__ import annotations

import ast
from pathlib import Path

from core.results.setting_titles import TITLES, setting_title

ROOT = Path(__file__).resolve().parents[2]


def _fields() -> set[str]:
    found = set()
    files = [*(ROOT / "core" / "methods").glob("*.py"), ROOT / "core" / "models" / "spec.py", ROOT / "core" / "training" / "spec.py"]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name in ("Settings", "NetworkSpec", "Budget", "TelemetrySpec"):
                found |= {field.target.id for field in node.body if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)}
    return found


def test_every_setting_of_every_method_has_a_title() -> None:
    fields = _fields()
    assert {"f_low", "eta", "lr", "image_size"} <= fields
    assert not fields - set(TITLES)


def test_the_key_stands_behind_the_title() -> None:
    assert setting_title("settings.f_low") == "Smallest factor for a modality (f_low)"
    assert setting_title("budget.epochs") == "Epochs"
    assert setting_title("settings.my_own") == "My own"
