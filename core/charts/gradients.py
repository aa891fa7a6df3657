"""Where the gradients conflict: a column of strips per run, and what their title says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import pandas as pd

from core.charts import gradient_pairs, text
from core.charts.figure import Figure, Panel, Width, nothing, side_by_side
from core.charts.gradient_factors import applied, dash_key, extremes, factor_lines
from core.charts.gradient_lines import FINE, Lines, Row, known, of_modalities, of_pairs, rows_of
from core.charts.gradient_strips import BRUSH, PLOT, Heat, Strip, drawing, thousandths
from core.charts.parts import domain
from core.charts.theme import Look

BETWEEN = {"conflict.modalities": "Cosine between modalities' gradients", "conflict.groups": "Cosine between groups' gradients"}
"""Strips of pairs and their headings."""
QUARTER = 0.25
"""Axes of cosines end at a multiple of it, so that they mostly stay when a run comes or goes."""


@dataclass(frozen=True)
class Frame:
    """What the columns of all runs have in common.

    strips : the strips of pairs that some run has.
    fused, between : ends of the vertical axes.
    """

    modalities: tuple[str, ...]
    groups: tuple[str, ...]
    last: int
    strips: tuple[str, ...]
    fused: tuple[float, ...]
    between: tuple[float, ...]


def conflict(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str], groups: Sequence[str], brushed: tuple[int, int]) -> Figure:
    """The heat map of the brushed epochs and, under it, the strips; one column per run.

    `frame`: telemetry rows `conflict.*`, `effect.relative_update` and `method.*`.
    `brushed`: first and last epoch (as trained, from 1) that the brush starts with.
    """
    rows = prepared(frame, names)
    if rows[rows["name"] == "conflict.fused"].empty:
        return nothing("gradient-conflict", "These runs recorded no gradient conflict.")
    common = _frame(rows, modalities, groups)
    panels = []
    for run_id, name in names.items():
        own = rows[rows["run_id"] == run_id].reset_index(drop=True)
        if (own["name"] == "conflict.fused").any():
            still, live = partial(_column, own, common, brushed), partial(_column, own, common, None)
            panels.append(Panel(still, name, live=live, values={BRUSH: _brushed(brushed)}, alt=_sentence(own, name)))
    title = f"{_which(brushed)}: {finding(rows, names, brushed)}"
    columns = {
        "run": "Run",
        "trained": "Epoch",
        "name": "Quantity",
        "stat": "Statistic",
        "modality": "Modality",
        "modality_b": "Other modality",
        "group": "Group",
        "group_b": "Other group",
        "value": "Value",
    }
    drawn = rows[rows["name"].isin(["conflict.fused", *BETWEEN, "effect.relative_update", "conflict.group_modality"]) | rows["name"].str.startswith("method.")]
    return Figure(
        name="gradient-conflict", title=title,
        alt=f"A heat map and strips over {text.plural(common.last, 'epoch')}, one column per run: cosine of each modality's gradient with the fused one, "
            f"cosine between modalities and between groups, the factor applied, and the relative update. {title}.",
        data=drawn[list(columns)].reset_index(drop=True), table=columns, panels=tuple(panels), columns=side_by_side(panels),
        terms=("cosine", "p10", "share_negative", "factor", "relative_update", "conflict_heat"),
        hint="Drag across the strips of a run to choose the epochs of its heat map, double-click to clear.",
        note="The orange ribbon is darker the more steps oppose "
             "the fused gradient. Hatched: not measured in the marked epochs.",
    )  # fmt: skip


def _which(epochs: tuple[int, int]) -> str:
    return f"Epoch {epochs[0]}" if epochs[0] == epochs[1] else f"Epochs {epochs[0]} to {epochs[1]}"


def measured_epochs(frame: pd.DataFrame, most: int = 3) -> tuple[int, int]:
    """First and last of the latest `most` epochs (as trained, from 1) in which conflict was measured: where a brush begins."""
    known = frame.loc[frame["name"].str.startswith("conflict.") & frame["value"].notna() & (frame["epoch"] >= 0), "epoch"]
    epochs = sorted(set(known.astype(int) + 1))
    if not epochs:
        last = int(frame["epoch"].max()) + 1
        return max(1, last - most + 1), last
    return epochs[-most:][0], epochs[-1]


def _frame(rows: pd.DataFrame, modalities: Sequence[str], groups: Sequence[str]) -> Frame:
    fused = rows[(rows["name"] == "conflict.fused") & (rows["stat"] != "share_negative")]
    between = [rows[(rows["name"] == name) & (rows["stat"] == "mean")] for name in BETWEEN]
    heat = set(rows.loc[rows["name"] == "conflict.group_modality", "group"])
    return Frame(
        modalities=tuple(modalities), groups=tuple(group for group in groups if group in heat), last=int(rows["trained"].max()),
        strips=tuple(name for name, part in zip(BETWEEN, between, strict=True) if len(part)),
        fused=_quarters(fused), between=_quarters(*between),
    )  # fmt: skip


def _quarters(*parts: pd.DataFrame) -> tuple[float, float]:
    """Ends of an axis for all `value`s and zero."""
    values = [0.0, QUARTER, *(value for part in parts for value in part["value"].dropna())]
    return QUARTER * math.floor(min(values) / QUARTER), QUARTER * math.ceil(max(values) / QUARTER)


def _brushed(epochs: tuple[int, int]) -> dict[str, list[float]]:
    """What the brush holds when these epochs are chosen."""
    return {"x": [epochs[0] - 0.4, epochs[1] + 0.4]}


def _sentence(rows: pd.DataFrame, name: str) -> str:
    """What the column of one run shows, over all its epochs."""
    found = finding(rows, {str(rows["run_id"].iloc[0]): name}, (1, int(rows["trained"].max())))
    return f"heat map and strips over {text.plural(int(rows['trained'].max()), 'epoch')}. {found}."


def prepared(frame: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Telemetry of the chosen runs with `run`, `trained` (epochs, from 1), `pair` and `shown`; a frame that has them already is given back."""
    if "trained" in frame:
        return frame
    rows = frame[frame["run_id"].isin(list(names)) & (frame["epoch"] >= 0)]
    # As plain objects: a few hundred strings are compared and picked much faster than in Arrow's columns.
    rows = rows.astype({name: object for name in rows.columns if pd.api.types.is_string_dtype(rows[name])})
    rows["run"] = rows["run_id"].map(dict(names)).astype(object)
    rows["trained"] = rows["epoch"] + 1
    of = zip(rows["group"], rows["group_b"], rows["modality"], rows["modality_b"], strict=True)
    rows["pair"] = pd.Series(
        [" / ".join(str(name) if isinstance(name, str) else "" for name in ((g, h) if isinstance(g, str) else (m, n))) for g, h, m, n in of],
        index=rows.index,
        dtype=object,
    )
    rows["shown"] = pd.Series([text.decimal(v, 3, True) for v in rows["value"]], index=rows.index, dtype=object)
    return rows


def finding(rows: pd.DataFrame, names: Mapping[str, str], brushed: tuple[int, int]) -> str:
    """The modality that conflicts most often with the fused gradient, per run, over the brushed epochs."""
    values: dict[tuple[str, str], dict[str, list[float]]] = {}
    part = rows[(rows["name"] == "conflict.fused") & rows["stat"].isin(["mean", "share_negative"]) & rows["trained"].between(*brushed) & rows["value"].notna()]
    for run_id, stat, modality, value in zip(part["run_id"], part["stat"], part["modality"], part["value"], strict=True):
        values.setdefault((run_id, stat), {}).setdefault(modality, []).append(value)
    parts, calm = [], []
    for run_id, name in names.items():
        shares = {modality: fmean(found) for modality, found in values.get((run_id, "share_negative"), {}).items()}
        if not shares:
            continue
        most = max(shares, key=shares.__getitem__)
        if shares[most] == 0:
            calm.append(name)
            continue
        cosines = values.get((run_id, "mean"), {}).get(most)
        parts.append((most, f"{text.percent(shares[most])} of steps (mean cosine {text.decimal(fmean(cosines) if cosines else None, 2, True)})", name))
    found = text.same_verb(parts, "is against the fused gradient in")
    peace = f"no modality is ever against the fused gradient under {text.listing(calm)}" if calm else ""
    return text.sentence("; ".join(part for part in (found, peace) if part)) or "Gradients over the chosen epochs"


def _column(frame: pd.DataFrame, common: Frame, brushed: tuple[int, int] | None, look: Look, width: Width) -> Any:
    rows = rows_of(frame)
    strips = [_fused_strip(rows, common, look)]
    strips += [_pair_strip(rows, name, common, look) for name in common.strips]
    strips += [_factor_strip(rows, common, look), _update_strip(rows, common, look)]
    cells = [row for row in rows if row["name"] == "conflict.group_modality" and row["group"] in common.groups]
    used = tuple(m for m in common.modalities if any(row["modality"] == m for row in rows))
    heat = Heat(cells, used, common.groups) if common.groups else None
    return drawing(strips, heat, rows[0]["run"], sorted({row["trained"] for row in rows}), common.last, brushed, look, width)


def _fused_strip(rows: Sequence[Row], common: Frame, look: Look) -> Strip:
    part = [row for row in rows if row["name"] == "conflict.fused"]
    heading, note = "Cosine with the fused gradient", "mean solid · tenth percentile dotted"
    if not any(known(row["value"]) for row in part):
        return Strip(heading, common.fused, None, "this method trains with no fused gradient", note, ())
    at = {(row["stat"], row["modality"], row["trained"]): row for row in part}
    tenth, mean = [row for row in part if row["stat"] == "p10"], []
    worst: dict[int, float] = {}
    for row in part:
        if row["stat"] == "mean":
            low, share = (at.get((stat, row["modality"], row["trained"])) for stat in ("p10", "share_negative"))
            more = ([f"tenth percentile {low['shown']}"] if low else []) + ([f"{text.percent(share['value'])} of steps opposed"] if share else [])
            mean.append({**row, "shown": ", ".join([row["shown"], *more])})
        if row["stat"] == "share_negative" and known(row["value"]):
            worst[row["trained"]] = max(row["value"], worst.get(row["trained"], 0.0))
    lines = of_modalities(mean, common.modalities, common.fused, PLOT, "Mean cosine", look)
    thin = of_modalities(tenth, common.modalities, common.fused, PLOT, "Tenth percentile", look, dash=FINE, thick=1.0, dot=0)
    ribbon = [{"trained": epoch, "value": value, "shown": f"up to {text.percent(value)} of steps"} for epoch, value in worst.items()]
    return Strip(heading, common.fused, Lines(thin.points + lines.points, lines.names), "", note, ribbon)


def _pair_strip(rows: Sequence[Row], name: str, common: Frame, look: Look) -> Strip:
    part = [row for row in rows if row["name"] == name and row["stat"] == "mean" and known(row["value"])]
    if not part:
        alone = name == "conflict.modalities" and len({row["modality"] for row in rows if row["name"] == "effect.relative_update"}) == 1
        return Strip(BETWEEN[name], common.between, None, "one modality has no other to compare" if alone else "not measured in this method's training")
    return Strip(BETWEEN[name], common.between, of_pairs(part, common.between, PLOT, "Mean cosine", look))


def _factor_strip(rows: Sequence[Row], common: Frame, look: Look) -> Strip:
    part, left_out = extremes(applied(rows))
    heading = f"Factor applied{left_out or ', as the method reports it'}"
    if not part:
        return Strip(heading, (0.0, 1.0), None, "this method applies no factor", "")
    limits = domain([], [row["value"] for row in part], least=0.2)
    return Strip(heading, limits, factor_lines(part, common.modalities, limits, PLOT, look), note=dash_key(part))


def _update_strip(rows: Sequence[Row], common: Frame, look: Look) -> Strip:
    part = [row for row in rows if row["name"] == "effect.relative_update" and known(row["value"])]
    heading = "Relative update of each encoder, ‰ per step"
    if not part:
        return Strip(heading, (0.0, 1.0), None, "no update was measured")
    limits = domain([], [0.0, *(row["value"] for row in part)], least=1e-6)
    shown = [{**row, "shown": f"{thousandths(row['value'])} ‰"} for row in part]
    return Strip(heading, limits, of_modalities(shown, common.modalities, limits, PLOT, "Relative update", look), write=thousandths)


def magnitudes(frame: pd.DataFrame, names: Mapping[str, str], modalities: Sequence[str]) -> Figure:
    """Magnitude similarity of each modality's gradient with the fused one, over epochs."""
    return gradient_pairs.modality_magnitudes(prepared(frame, names), names, modalities)
