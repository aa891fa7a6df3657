"""Groups that a split leaves too small are counted as the audit counts them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from dashboard.split_checks import small_groups


def test_counts_of_each_split_and_nothing_of_the_training_rows() -> None:
    rows = [("test", "V", 4, 30), ("test", "I", 5, 5), ("validation", "V", 9, 3), ("validation", "I", 6, 7), ("train", "V", 1, 1)]
    table = pd.DataFrame(
        [(split, group, y) for split, group, positive, negative in rows for y in [1] * positive + [0] * negative], columns=["split", "kind", "y"]
    )
    table.loc[len(table)] = ["test", None, 1]
    data = SimpleNamespace(table=table, positive=table["y"].to_numpy(dtype=np.int8))
    assert small_groups(data, "kind").to_dict("records") == [
        {"split": "test", "group": "V", "n_pos": 4, "n_neg": 30},
        {"split": "validation", "group": "V", "n_pos": 9, "n_neg": 3},
    ]


def test_a_group_without_a_row_in_a_split_is_said() -> None:
    table = pd.DataFrame({"split": ["train"] * 4 + ["test"] * 12 + ["validation"] * 12, "kind": ["rare"] * 4 + ["usual"] * 24, "y": [0, 1] * 14})
    data = SimpleNamespace(table=table, positive=table["y"].to_numpy())
    small = small_groups(data, "kind")
    assert set(small["group"]) == {"rare"} and (small["n_pos"] == 0).all() and set(small["split"]) == {"test", "validation"}
