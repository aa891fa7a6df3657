"""The few numbers of the contest that the README shows: made from the same tables as STUDIES.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.errors import UserError
from core.methods import get, ours, reference
from core.study.contest_bound import BOUNDS
from core.study.contest_table import of_arm
from core.study.programme import held

START, END = "<!-- contest -->", "<!-- end of contest -->"
RIVALS = 2
"""So many of the best other methods are in the table."""


def short_table(folder: Path) -> str:
    """A Markdown table of the first scenario: each modality alone, the MultiFair family, the best rivals, plain training.

    Protocol b, in which validation only selects, with the ES-AUC of protocol a beside it. The rows are chosen by rule, not by hand: the
    `RIVALS` best in ES-AUC under b among all other rows, and everything of the family of this project's method.
    """
    contest = held(folder)[0]
    runs = contest.runs
    first = runs.iloc[0]
    runs = runs[(runs["scenario"] == first["scenario"]) & (runs["optimizer"] == first["optimizer"])]
    draws = runs.groupby(["protocol", "label", "draw"])[["auc", "es_auc", "worst_group_auc"]].mean()
    means = draws.groupby(["protocol", "label"]).mean()
    strict, loose = means.loc["b"].drop(list(BOUNDS), errors="ignore"), means.loc["a", "es_auc"]
    methods = dict(zip(runs["label"], runs["method"], strict=True))
    kept = _chosen(list(strict.sort_values("es_auc", ascending=False).index), methods)
    told = of_arm(contest.differences, first["scenario"], first["optimizer"], "b")
    told = told[told["reference"] == reference()].set_index("label")
    lines = [
        "| method | AUC | ES-AUC | worst group | ES-AUC, may fit on validation | ES-AUC − erm | corrected p |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for label in kept:
        own = strict.loc[label]
        against = (
            f"{told.difference[label]:+.3f} [{told.low[label]:+.3f}, {told.high[label]:+.3f}] | {told.p_family[label]:.2f}"
            if label in told.index
            else "reference | "
        )
        lines.append(f"| {label} | {own.auc:.3f} | {own.es_auc:.3f} | {own.worst_group_auc:.3f} | {loose[label]:.3f} | {against} |")
    return "\n".join(lines)


def _chosen(labels: Sequence[str], methods: dict[str, str]) -> list[str]:
    methods = {label: method for label, method in methods.items() if isinstance(method, str)}
    family = get(ours()).card.family
    own = [
        label
        for label in labels
        if get(methods[label]).card.family == family or len(get(methods[label]).variants(("one", "another"))) > 1 or label == reference()
    ]
    rivals = [label for label in labels if label not in own][:RIVALS]
    return [label for label in labels if label in own or label in rivals]


def filled(text: str, folder: Path) -> str:
    """`text` with the table between its two marks. Raises UserError where a mark is missing."""
    if START not in text or END not in text:
        raise UserError(f"there is no place for the table: {START} and {END} are missing")
    head, tail = text.split(START, 1)[0], text.split(END, 1)[1]
    return f"{head}{START}\n{short_table(folder)}\n{END}{tail}"
