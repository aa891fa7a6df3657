"""`from core import ...` has stable names, costs nothing until used, and is typed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import core

PROMISED = {"audit_predictions", "compare_models", "ingest_cohort", "train_methods", "load_runs", "write_report"}


def test_the_promised_names_are_there() -> None:
    assert set(core.PUBLIC) >= PROMISED
    for name in core.PUBLIC:
        value = getattr(core, name)
        assert value.__module__ == core.PUBLIC[name] and value.__doc__
        assert name in dir(core)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        core.nothing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_docstrings_say_what_goes_in_and_out(name: str) -> None:
    text = getattr(core, name).__doc__
    assert "Parameters\n" in text and "Raises\n" in text


def test_the_stub_types_every_name() -> None:
    stub = ast.parse((Path(core.__file__).parent / "__init__.pyi").read_text())
    typed = {f"{node.module}.{alias.name}" for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == {f"{module}.{name}" for name, module in core.PUBLIC.items()}


def _loaded(code: str) -> set[str]:
    shown = subprocess.run([sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True, timeout=90)
    return set(shown.stdout.split())


def test_importing_core_loads_nothing() -> None:
    loaded = _loaded("import core")
    assert not [name for name in loaded if name.startswith("core.")]
    assert not {"numpy", "pandas", "torch", "altair", "streamlit"} & loaded


def test_an_audit_loads_neither_torch_nor_charts() -> None:
    loaded = _loaded("from core import audit_predictions")
    assert "core.api.audits" in loaded and not {"torch", "altair", "streamlit", "duckdb"} & loaded
