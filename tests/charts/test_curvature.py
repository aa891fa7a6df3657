"""Curvature along encoders' gradients: the title follows the last epoch's highest, and says when nothing bends upwards."""

from __future__ import annotations

import pandas as pd

from core.charts import curvature
from core.charts.theme import LIGHT, styled

NAMES = {"run-a": "ERM (fused)", "run-b": "MultiFair"}
COLUMNS = ["run_id", "epoch", "name", "modality", "modality_b", "group", "group_b", "stat", "value", "n"]


def _rows(*values: tuple[str, int, str, float | None], name: str = "effect.curvature") -> pd.DataFrame:
    rows = [{"run_id": run, "epoch": epoch, "name": name, "modality": m, "stat": "mean", "value": value, "n": 32} for run, epoch, m, value in values]
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def test_the_title_names_the_highest_of_each_runs_last_epoch() -> None:
    rows = _rows(("run-a", 0, "image", 90.0), ("run-a", 1, "image", 1.25), ("run-a", 1, "notes", 0.5), ("run-b", 0, "image", None), ("run-b", 0, "notes", 2.5))
    figure = curvature.over_epochs(rows, NAMES, ["image", "notes"])
    assert figure.title == "The loss bends most along the gradient of notes at the end of MultiFair: curvature 2.50"
    assert [panel.heading for panel in figure.panels] == list(NAMES.values())
    assert figure.panels[0].alt.endswith("at the end image 1.25 and notes .50.")
    assert len(figure.data) == 4, "what was not measured is no point"


def test_zero_is_on_the_axis_and_what_is_below_it_is_said() -> None:
    figure = curvature.over_epochs(_rows(("run-a", 0, "image", -0.4), ("run-a", 0, "notes", -0.1)), NAMES, ["image", "notes"])
    assert figure.title == "At the end the loss bends upwards along no encoder's gradient: the highest curvature is −.10"
    spec = styled(figure.panels[0].draw(LIGHT, 300), LIGHT).to_dict()
    low, high = spec["layer"][1]["encoding"]["y"]["scale"]["domain"]
    assert low <= -0.4 and high >= 0


def test_runs_of_an_earlier_version_have_none() -> None:
    rows = _rows(("run-a", 0, "image", 0.2), name="effect.relative_update")
    assert not curvature.recorded(rows) and curvature.over_epochs(rows, NAMES, ["image"]).empty
    assert not curvature.recorded(_rows(("run-a", 0, "image", None)))
    assert curvature.recorded(_rows(("run-a", 0, "image", 0.2)))
