"""How the scores of runs rank, whether they can be believed, and what is decided by them: curves and 2 x 2 tables by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from core.charts import calibration, groups
from core.charts.audit_curves import decision_curves
from core.charts.figure import Figure
from core.charts.scores_by_outcome import score_distribution
from core.report import contents
from core.report.audit_cohort import CELLS, cells_text
from core.report.audit_tables import OVERALL
from core.report.document import ChartBlock, Section, TableBlock, charts
from core.report.runs_view import View
from core.results import decisions, group_tables

BY_GROUP = 4
"""Methods whose curves are drawn group by group, a panel each."""


def curves_section(view: View) -> Section | None:
    """ROC, calibration, net benefit and scores of one training of each method, and what every run decides; None where nothing of it may be shown.

    Curves step by single patients, so readers outside get none of them, and the tables only where no cell of them is small.
    """
    assert view.attribute is not None
    cells = [_two_by_two(view)] if view.shown.rates else []
    drawn = [] if view.shown.limit else _curves(view)
    if not drawn and not cells:
        return None
    note = "Curves: one training of each method, the first" + (f"; net benefit and scores of the first {BY_GROUP}." if len(view.curved) > BY_GROUP else ".")
    return Section(contents.CURVES, "", (*drawn, *cells), (note,) if drawn else ())


def shown_by(sections: Sequence[Section]) -> dict[str, str]:
    """Items of guidelines that this section answers, where it is there: key of the evidence -> where it stands."""
    blocks = {block.name for section in sections if section.title == contents.CURVES for block in section.blocks}
    told = {"calibration": "calibration", "two_by_two": "two_by_two", "threshold": "two_by_two"}
    return {key: f"“{contents.CURVES}”" for key, block in told.items() if block in blocks}


def _curves(view: View) -> list[ChartBlock]:
    assert view.attribute is not None
    store, names, by, attribute = view.store, view.curved, view.groups, view.attribute
    roc = group_tables.roc(store, names, attribute)
    believed = group_tables.calibration(store, names, attribute)
    blocks = charts(
        ("roc", groups.roc(roc, names, by, attribute)),
        ("calibration", calibration.curves(believed, names, by, attribute)),
        ("observed_over_expected", calibration.observed_over_expected(believed, names, by, attribute)),
    )
    few = dict(list(names.items())[:BY_GROUP])
    benefit, scores = (decisions.curve(store, few, attribute, kind) for kind in ("decision", "scores"))
    points = decisions.two_by_two(store, few, attribute)
    for place, (run_id, name) in enumerate(few.items(), start=1):
        own = _of(points, run_id)
        threshold = own["threshold"].dropna().iloc[0] if len(own) and own["threshold"].notna().any() else None
        blocks += charts(
            (f"decision_{place}", _named(decision_curves(_of(benefit, run_id)), name)),
            (f"scores_{place}", _named(score_distribution(_of(scores, run_id), threshold), name)),
        )
    return blocks


def _of(frame: pd.DataFrame, run_id: str) -> pd.DataFrame:
    return frame[frame["run_id"] == run_id].drop(columns="run_id").reset_index(drop=True) if len(frame) else frame


def _named(figure: Figure, name: str) -> Figure:
    """The figure of one run, which its title names."""
    return replace(figure, title=f"{name}: {figure.title}", alt=f"{name}: {figure.alt}")


def _two_by_two(view: View) -> TableBlock:
    assert view.attribute is not None
    found = view.shown.visible(decisions.two_by_two(view.store, view.names, view.attribute))
    frame = pd.DataFrame(
        {
            "model": found["run_id"].map(view.names),
            "attribute": [OVERALL if pd.isna(group) else view.attribute for group in found["group"]],
            "group": found["group"].fillna(OVERALL),
            **{name: found[name] for name in CELLS[3:]},
            "threshold": found["threshold"].astype("float64"),
        }
    )
    text = cells_text(frame, "run")
    caption = "Test samples. Positive: the score is at least the threshold, or the run's own decision where it fits one for each group."
    return TableBlock(
        "two_by_two",
        "What was decided: 2 × 2 tables at the operating point",
        frame.rename(columns={"model": "run"}),
        text,
        caption,
        folded=len(text) > UNFOLDED,
    )


UNFOLDED = 40
