"""Open a page of the dashboard without a browser, on a made-up workspace."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from core.workspace import ENVIRONMENT_VARIABLE

ROOT = Path(__file__).resolve().parents[2]


def open_page(monkeypatch: pytest.MonkeyPatch, workspace: Path, name: str, **query: str) -> AppTest:
    """The page `name` after its first run, opened through the navigation."""
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(workspace))
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    app.switch_page(str(ROOT / "pages" / f"{name}.py"))
    return app.run()


def words(app: AppTest) -> str:
    """Everything that the page says in Markdown, with escapes undone."""
    return "\n".join(part.value.replace("\\", "") for part in [*app.title, *app.markdown, *app.caption])


def specs(app: AppTest) -> list[dict[str, Any]]:
    """Vega-Lite specifications of the charts, in the page's order."""
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


def drawn(app: AppTest) -> list[list[dict[str, Any]]]:
    """The rows that each chart was sent, chart by chart, missing values as None."""
    charts = []
    for chart in app.get("vega_lite_chart"):
        parts = [pa.ipc.open_stream(d.data.data).read_all().to_pylist() for d in chart.proto.datasets]
        charts.append([{k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()} for part in parts for row in part])
    return charts


def calm(app: AppTest) -> AppTest:
    """The same page, after making sure that nothing on it failed."""
    assert not app.exception, [e.value for e in app.exception]
    return app
