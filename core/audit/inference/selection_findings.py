"""A finding where the operating point selects nearly nobody or nearly everybody."""

from __future__ import annotations

import numpy as np

from core.audit.estimates.scored import Scored
from core.audit.input.predictions import AuditFinding

# Share of the class that an operating point should select (or leave out) at the least for the rates at it to mean something.
LEAST_SHARE = 0.1
REMEDY = "--target sensitivity=.9 or --target selection_rate=.1, or --threshold X nearer to the scores"


def extreme_selection(data: Scored) -> tuple[AuditFinding, ...]:
    """A warning where fewer rows are selected than a tenth of the positives, or fewer left out than a tenth of the negatives.

    A threshold of .5 on a disease of 1 % selects 8 of 40,000: whatever is said of rates there is said of these 8. Empty
    without an operating point or where a class is absent.
    """
    if data.decision is None:
        return ()
    n, selected, positives = data.y.size, int(np.count_nonzero(data.decision)), int(np.count_nonzero(data.y))
    if not 0 < positives < n:
        return ()
    where = "the operating point" if data.threshold is None else f"the threshold of {data.threshold:.4g}"
    if selected < LEAST_SHARE * positives:
        chosen = f"{selected:,} of {n:,} rows" if selected else f"none of {n:,} rows"
        message = f"{data.model}: {where} selects {chosen}, though {positives:,} are positive: rates at it say next to nothing about the model"
        return (AuditFinding("nearly_nobody_selected", "warning", message, selected, REMEDY),)
    left, negatives = n - selected, n - positives
    if left < LEAST_SHARE * negatives:
        rest = f"all but {left:,} of {n:,} rows" if left else f"all {n:,} rows"
        message = f"{data.model}: {where} selects {rest}, though {negatives:,} are negative: rates at it say next to nothing about the model"
        return (AuditFinding("nearly_everybody_selected", "warning", message, left, REMEDY),)
    return ()
