"""The sentence on Gradients: ties are said as ties."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd

from core.results.answers import gradients_answer


def _rows(**updates: float) -> pd.DataFrame:
    rows = [{"name": "conflict.fused", "stat": "share_negative", "modality": m, "value": 0.3} for m in updates]
    rows += [{"name": "effect.relative_update", "stat": "mean", "modality": m, "value": value} for m, value in updates.items()]
    return pd.DataFrame(rows).assign(run_id="a", epoch=0, group=None, group_b=None, modality_b=None)


def test_modalities_that_move_alike_are_not_set_against_each_other() -> None:
    """It said: clinical moves 1.0 times as far as clinical."""
    view = cast(Any, SimpleNamespace(run_ids=["a"], names={"a": "ERM"}, attribute=None, modalities=("image", "clinical")))
    alike = gradients_answer(_rows(image=0.002, clinical=0.002), view, (1, 1))[2]
    assert alike.endswith("What reached the weights: all modalities move equally far under ERM.")
    assert "image moves 2.0 times as far as clinical under ERM" in gradients_answer(_rows(image=0.002, clinical=0.001), view, (1, 1))[2]
