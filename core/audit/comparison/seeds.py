"""Mean over seeds: several models that are one method trained several times, with the spread between the trainings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from core.metrics.catalogue import CATALOGUE
from core.metrics.seeds import mean_over_seeds

if TYPE_CHECKING:
    from core.audit.result import Audit

SEEDS = ["method", "attribute", "group", "metric", "mean", "sd", "low", "high", "minimum", "maximum", "seeds", "left_out", "reason"]
OVERALL = "(all)"
# "erm-s3", "erm-s3-0a1b2c3d4e" (a run's id), "ERM seed 3", "erm_seed=3"
NAME = re.compile(r"(?P<method>.+?)[\s_-]+s(?:eed)?[\s_=-]?(?P<seed>\d+)(?:-[0-9a-f]{10})?", re.IGNORECASE)


def methods_of(models: tuple[str, ...]) -> dict[str, str]:
    """Model -> method, for the models whose names end in a seed and whose method has another seed too."""
    found = {model: match["method"] for model in models if (match := NAME.fullmatch(model))}
    return {model: method for model, method in found.items() if list(found.values()).count(method) > 1}


def over_seeds(audit: Audit, methods: Mapping[str, str] | None = None, level: float = 0.95) -> pd.DataFrame:
    """Columns `SEEDS`: every estimate and summary as mean, standard deviation and Student interval over the seeds.

    The interval, cut at the metric's own bounds, is that of the method's mean over trainings on these very patients: it says nothing of other patients, as
    the intervals of each model do. A group that cannot be judged counts under `left_out`; summaries have group "(all)".

    methods : model -> method; None reads both from the models' names (`methods_of`).
    """
    known = methods_of(tuple(m.model for m in audit.models)) if methods is None else methods
    values: dict[tuple[str, str, str, str], list[float]] = {}
    for model in audit.models:
        if model.model not in known:
            continue
        method = known[model.model]
        families = [(OVERALL, (OVERALL,), model.tables)] + [(a.name, a.grouping.groups, a.tables) for a in model.attributes]
        for attribute, groups, tables in families:
            for index, group in enumerate(groups):
                for name, table in tables.items():
                    values.setdefault((method, attribute, group, name), []).append(float(table.value[index]) if table.judged[index] else np.nan)
        for found in model.attributes:
            for summary in found.summaries:
                values.setdefault((method, found.name, OVERALL, summary.metric), []).append(np.nan if summary.value is None else summary.value)
    rows = []
    for key, given in values.items():
        over = mean_over_seeds(given, level)
        rows.append((*key, over.mean, over.sd, *_in_range(key[-1], over.low, over.high), over.minimum, over.maximum, over.n, over.left_out, over.reason))
    frame = pd.DataFrame(rows, columns=pd.Index(SEEDS))
    return frame.astype(dict.fromkeys(("mean", "sd", "low", "high", "minimum", "maximum"), "float64"))


def _in_range(metric: str, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Two trainings at .99 and .96 would have Student's limits up to 1.165."""
    least, most = CATALOGUE[metric].bounds if metric in CATALOGUE else (None, None)
    return (low if low is None or least is None else max(low, least)), (high if high is None or most is None else min(high, most))
