"""Open a page of the dashboard without a browser, on a made-up workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def open_tab(app: AppTest, label: str) -> AppTest:
    """The same page with another of its tabs of evidence open."""
    app.session_state["evidence"] = label
    return calm(app.run())


def words(app: AppTest) -> str:
    """Everything that the page says in Markdown, with escapes undone."""
    return "\n".join(part.value.replace("\\", "").replace("\u00a0", " ") for part in [*app.title, *app.markdown, *app.caption])


def specs(app: AppTest) -> list[dict[str, Any]]:
    """Vega-Lite specifications of the charts, in the page's order."""
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


def drawn(app: AppTest) -> list[list[dict[str, Any]]]:
    """The rows that each chart was sent, chart by chart, missing values as None; what layers share comes once."""
    charts = []
    for spec in specs(app):
        parts = {json.dumps(rows): rows for rows in _rows(spec)}
        charts.append([row for rows in parts.values() for row in rows])
    return charts


def _rows(part: Any) -> Iterator[list[dict[str, Any]]]:
    """Tables inside a specification, in its order."""
    if isinstance(part, list):
        for item in part:
            yield from _rows(item)
    elif isinstance(part, dict):
        if "values" in (part.get("data") or {}):
            yield part["data"]["values"]
        for name in ("layer", "vconcat"):
            yield from _rows(part.get(name, []))


def calm(app: AppTest) -> AppTest:
    """The same page, after making sure that nothing on it failed."""
    assert not app.exception, [e.value for e in app.exception]
    return app
