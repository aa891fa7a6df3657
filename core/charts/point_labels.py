"""Where the names of points stand in a scatter plot, so that none lies on a point or on another name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels."""

LETTER, LINE = 7.2, 14.0
"""Width of a letter and height of a line of 12 pixels, semibold."""
CLEAR = 12.0
"""From a point's centre to where its name begins."""
RISES = (0.0, -10.0, 10.0, -20.0, 20.0, -32.0, 32.0, -46.0, 46.0)
"""How far above (negative) or below its point a name may stand, nearest first."""
MARK, SEED = 9.0, 4.0
"""Half the size of a point and of a seed's dot."""
ON_NAME, ON_MARK, ON_SEED, OUTSIDE, AWAY = 6.0, 4.0, 1.0, 20.0, 2.0
"""What a pixel of overlap costs, by what is covered, and a pixel away from its point."""


@dataclass(frozen=True)
class Place:
    """A name to the right (1) or left (-1) of its point, `rise` pixels below it (negative: above)."""

    side: int
    rise: float


def place_names(
    points: Sequence[tuple[float, float]], names: Sequence[str], others: Sequence[tuple[float, float]], width: float, height: float, longest: float
) -> list[Place]:
    """A place for each name, from the crowded points outwards: the one that covers least.

    points, others : pixel positions of the named points and of dots without a name; y grows downwards.
    longest : pixels after which a name is cut.
    """
    marks = [_around(p, MARK) for p in points]
    seeds = [_around(p, SEED) for p in others]
    crowd = [sum((q[0] - p[0]) ** 2 + (q[1] - p[1]) ** 2 < (4 * LINE) ** 2 for q in points) for p in points]
    placed: dict[int, tuple[Place, Box]] = {}
    for index in sorted(range(len(points)), key=lambda i: (-crowd[i], points[i])):
        wide = min(LETTER * len(names[index]), longest)
        candidates = [(place, _box(points[index], place, wide)) for rise in RISES for place in (Place(1, rise), Place(-1, rise))]

        def cost(candidate: tuple[Place, Box], own: int = index) -> float:
            place, box = candidate
            covered = ON_NAME * sum(_overlap(box, other) for _, other in placed.values())
            covered += ON_MARK * sum(_overlap(box, mark) for i, mark in enumerate(marks) if i != own or place.rise)
            covered += ON_SEED * sum(_overlap(box, seed) for seed in seeds)
            beyond = max(0.0, -box[0]) + max(0.0, box[2] - width) + max(0.0, -box[1]) + max(0.0, box[3] - height)
            return covered + OUTSIDE * beyond + AWAY * abs(place.rise)

        placed[index] = min(candidates, key=cost)
    return [placed[i][0] for i in range(len(points))]


def _around(point: tuple[float, float], half: float) -> Box:
    return point[0] - half, point[1] - half, point[0] + half, point[1] + half


def _box(point: tuple[float, float], place: Place, wide: float) -> Box:
    near, middle = point[0] + place.side * CLEAR, point[1] + place.rise
    left = near if place.side > 0 else near - wide
    return left, middle - LINE / 2, left + wide, middle + LINE / 2


def _overlap(a: Box, b: Box) -> float:
    """Square pixels that two boxes share."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return across * down if across > 0 and down > 0 else 0.0
