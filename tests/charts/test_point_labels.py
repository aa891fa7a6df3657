"""Names of points stand clear of points and of one another."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from core.charts.point_labels import LETTER, LINE, MARK, Place, _around, _box, _overlap, place_names


def test_a_name_with_room_stands_right_beside_its_point() -> None:
    assert place_names([(100, 100)], ["ERM"], [], 800, 400, 230) == [Place(1, 0.0)]
    assert place_names([(795, 100)], ["ERM"], [], 800, 400, 230) == [Place(-1, 0.0)]


@pytest.mark.parametrize("seed", range(5))
def test_names_of_a_crowd_do_not_overlap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = [(float(a), float(b)) for a, b in rng.normal((400, 200), (70, 45), (6, 2))]
    names = [f"Method {i}" for i in range(6)]
    boxes = [_box(p, place, LETTER * len(n)) for p, place, n in zip(points, place_names(points, names, [], 800, 400, 230), names, strict=True)]
    for a, b in combinations(boxes, 2):
        assert _overlap(a, b) < 0.1 * LINE * LETTER
    for i, j in ((i, j) for i in range(6) for j in range(6) if i != j):
        assert _overlap(boxes[i], _around(points[j], MARK)) < 0.25 * (2 * MARK) ** 2
    for left, top, right, bottom in boxes:
        assert left >= 0 and right <= 800 and top >= 0 and bottom <= 400
