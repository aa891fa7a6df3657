"""Quick drawing: the same specification and rows as Altair's own way, in a fraction of its time."""

from __future__ import annotations

import io
import json
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from core.audit import run_views
from core.charts import consequences, contribution, gradients, groups
from core.charts.figure import Figure, Panel
from core.charts.theme import DARK, LIGHT, styled
from core.store import Store
from dashboard.drawing import arrow, quick, stream
from dashboard.specs import spec_of
from tests.factories import FakeWorkspace

GROUPS = ("female", "male")


@pytest.fixture
def figures(fake: FakeWorkspace) -> list[Figure]:
    """One figure of each kind of drawing: strips with a brush, layers, heat maps, small multiples."""
    with Store.open(fake.workspace) as store:
        runs = [run for run in fake.run_ids if run.startswith(("erm-s1-", "multifair-s1-"))]
        names = dict(zip(runs, ("Plain", "MultiFair"), strict=True))
        telemetry = store.telemetry(runs)
        last = telemetry[telemetry["epoch"] == telemetry["epoch"].max()]
        modalities = fake.cohort.modalities
        performance = run_views.modality_performance(store, runs, "sex")
        return [
            gradients.conflict(telemetry, names, modalities, GROUPS, (2, 4)),
            contribution.over_epochs(telemetry, names, modalities),
            contribution.by_group(last, names, modalities, GROUPS, "sex"),
            contribution.take_away(performance[performance["kind"] != "unimodal"], names, modalities, GROUPS, "sex"),
            groups.forest(run_views.group_performance(store, runs, "sex"), names, GROUPS, "sex"),
            groups.gap_null(run_views.gap_null(store, runs, "sex"), names, "sex"),
            groups.roc(run_views.roc(store, runs, "sex"), names, GROUPS, "sex"),
            consequences.thresholds(run_views.consequences(store, runs, "sex"), names, GROUPS, "sex", 0.5),
        ]


def _inlined(spec: Any, rows: dict[str, list[dict[str, Any]]]) -> Any:
    """The specification with each data name replaced by the rows that it stands for."""
    if isinstance(spec, dict):
        return {k: {"values": rows[v["name"]]} if k == "data" and v.get("name") in rows else _inlined(v, rows) for k, v in spec.items() if k != "datasets"}
    return [_inlined(v, rows) for v in spec] if isinstance(spec, list) else spec


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if v is not None} for row in rows]


def test_quick_specifications_are_altairs_own(figures: list[Figure]) -> None:
    for figure in figures:
        for panel in figure.panels:
            with alt.theme.enable("none"), alt.data_transformers.enable("default", max_rows=None):
                slow = styled(panel.draw(LIGHT, 300), LIGHT).to_dict(validate=False)
            with quick() as tables:
                fast = styled(panel.draw(LIGHT, 300), LIGHT).to_dict(validate=False)
            ours = {**{n: t.to_pylist() for n, t in tables.items()}, **fast.get("datasets", {})}
            want = _inlined(slow, {n: _plain(r) for n, r in slow["datasets"].items()})
            have = _inlined(fast, {n: _plain(r) for n, r in ours.items()})
            assert json.loads(json.dumps(have)) == json.loads(json.dumps(want)), figure.name


def test_a_panel_that_was_drawn_is_not_drawn_again(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def panel() -> Panel:
        with Store.open(fake.workspace) as store:
            run = next(run for run in fake.run_ids if run.startswith("erm-s1-"))
            return contribution.over_epochs(store.telemetry([run]), {run: "Plain"}, fake.cohort.modalities).panels[0]

    first, dark = spec_of(panel(), LIGHT), spec_of(panel(), DARK)
    assert first["config"] != dark["config"]
    monkeypatch.setattr("dashboard.specs._draw", None)
    assert spec_of(panel(), LIGHT) == first


def test_altair_is_itself_again_afterwards() -> None:
    before = alt.Chart.copy, alt.data_transformers.active
    with pytest.raises(RuntimeError, match="stop"), quick():
        assert alt.Chart.copy is not before[0]
        raise RuntimeError("stop")
    assert (alt.Chart.copy, alt.data_transformers.active) == before


def test_frames_travel_as_json_would() -> None:
    frame = pd.DataFrame({
        "value": [1.5, np.nan, np.inf], "n": pd.array([1, None, 3], dtype="Int64"), "group": pd.Categorical(["a", None, "b"]),
        "when": pd.to_datetime(["2026-01-02 03:04:05", None, "2026-01-02 00:00:00"]), "known": [True, False, True], "text": ["x", None, "é"],
    })  # fmt: skip
    with pa.ipc.open_stream(io.BytesIO(stream(arrow(frame)))) as reader:
        rows = reader.read_all().to_pydict()
    assert rows == {
        "value": [1.5, None, None], "n": [1, None, 3], "group": ["a", None, "b"],
        "when": ["2026-01-02T03:04:05", None, "2026-01-02T00:00:00"], "known": [True, False, True], "text": ["x", None, "é"],
    }  # fmt: skip
