from __future__ import annotations

from collections import OrderedDict

import pytest

from core.charts import contribution, gradients
from core.charts.figure import Figure
from core.charts.theme import DARK, LIGHT
from core.store import Store
from dashboard import specs
from dashboard.specs import spec_of
from tests.factories import FakeWorkspace


def _figure(fake: FakeWorkspace, brushed: tuple[int, int] | None = None) -> Figure:
    with Store.open(fake.workspace) as store:
        run = next(run for run in fake.run_ids if run.startswith("erm-s1-"))
        if brushed is not None:
            return gradients.conflict(store.telemetry([run]), {run: "Plain"}, fake.cohort.modalities, ("female", "male"), brushed)
        return contribution.over_epochs(store.telemetry([run]), {run: "Plain"}, fake.cohort.modalities)


def test_a_panel_that_was_drawn_is_not_drawn_again(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = _figure(fake).panels[0]
    first, dark = spec_of(panel, LIGHT), spec_of(panel, DARK)
    assert first["config"] != dark["config"]
    monkeypatch.setattr(specs, "drawing_spec", None)
    assert spec_of(panel, LIGHT) == first


def test_the_same_rows_are_drawn_once_whichever_figure_brings_them(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spec_of(_figure(fake).panels[0], LIGHT)
    monkeypatch.setattr(specs, "drawing_spec", None)
    assert spec_of(_figure(fake).panels[0], LIGHT) is first


def test_the_brush_is_set_without_drawing_and_shared_by_nobody(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spec_of(_figure(fake, (2, 4)).panels[0], LIGHT)
    monkeypatch.setattr(specs, "drawing_spec", None)
    second = spec_of(_figure(fake, (1, 2)).panels[0], LIGHT)
    assert first["params"][0]["value"] == {"x": [1.6, 4.4]} and second["params"][0]["value"] == {"x": [0.6, 2.4]}
    assert {**first, "params": 0} == {**second, "params": 0}


def test_drawings_are_forgotten_in_turn(fake: FakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specs, "MOST", 2)
    for kept in ("_drawn", "_keys"):
        monkeypatch.setattr(specs, kept, OrderedDict())
    for look in (LIGHT, DARK, LIGHT):
        spec_of(_figure(fake).panels[0], look)
    assert len(specs._drawn) == len(specs._keys) == 2
