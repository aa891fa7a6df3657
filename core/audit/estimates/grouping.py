"""The groupings that an audit looks at: every attribute, and intersections down to a stated depth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.audit.input.predictions import Attribute, Predictions
from core.audit.options import AuditOptions

JOINT_NAME = " x "
JOINT_GROUP = " & "
MAX_GROUPS = 60


@dataclass(frozen=True)
class Grouping:
    """One family of groups.

    name : attribute name, or names joined by " x " for an intersection.
    groups : group names; codes : int64 (n,) into them, -1 where the row takes no part.
    n_missing : rows without a value, counted whether they form a group or not.
    left_out_groups, left_out_rows : intersections that are too small to be looked at.
    edges : where a numeric attribute was cut into bands, else empty.
    """

    name: str
    attributes: tuple[str, ...]
    groups: tuple[str, ...]
    codes: NDArray[np.int64]
    n_missing: int = 0
    left_out_groups: int = 0
    left_out_rows: int = 0
    edges: tuple[float, ...] = ()

    @property
    def depth(self) -> int:
        return len(self.attributes)

    def members(self, group: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.codes == group)


def groupings(predictions: Predictions, options: AuditOptions) -> Iterator[Grouping]:
    """Single attributes first, then pairs, triples, ... down to `options.intersections`."""
    single = {name: _single(attribute, options) for name, attribute in predictions.attributes.items()}
    for name, attribute in single.items():
        yield Grouping(name, (name,), attribute.names, attribute.codes, predictions.attributes[name].n_missing, edges=attribute.edges)
    for depth in range(2, min(options.intersections, len(single)) + 1):
        for names in combinations(single, depth):
            yield _joint(names, [single[name] for name in names], predictions.y, options)


def _single(attribute: Attribute, options: AuditOptions) -> Attribute:
    return attribute.with_missing_group() if options.missing == "group" else attribute


def _joint(names: tuple[str, ...], attributes: list[Attribute], y: NDArray[np.int8], options: AuditOptions) -> Grouping:
    """Cells of a cross table that hold enough rows of both classes; the others are counted."""
    n_missing = int(np.logical_or.reduce([attribute.codes < 0 for attribute in attributes]).sum())
    code = np.zeros(y.size, dtype=np.int64)
    for attribute in attributes:
        code = np.where((code < 0) | (attribute.codes < 0), -1, code * len(attribute.names) + attribute.codes)
    cells, local = np.unique(code, return_inverse=True)
    size = np.bincount(local, minlength=cells.size)
    positives = np.bincount(local, weights=y, minlength=cells.size)
    enough = (size >= options.min_rows) & (positives >= options.min_positives) & (size - positives >= options.min_negatives) & (cells >= 0)
    kept = np.flatnonzero(enough)
    if kept.size > MAX_GROUPS:
        kept = np.sort(kept[np.argsort(-size[kept], kind="stable")[:MAX_GROUPS]])
    place = np.full(cells.size, -1, dtype=np.int64)
    place[kept] = np.arange(kept.size)
    dropped = (place < 0) & (cells >= 0)
    shape = tuple(len(attribute.names) for attribute in attributes)
    groups = tuple(
        JOINT_GROUP.join(attribute.names[index] for attribute, index in zip(attributes, np.unravel_index(int(cells[k]), shape), strict=True)) for k in kept
    )
    return Grouping(JOINT_NAME.join(names), names, groups, place[local], n_missing, int(dropped.sum()), int(size[dropped].sum()))
