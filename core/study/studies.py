"""`multifair study report`: STUDIES.md from the tables in sample_data/results, so that no number in it is written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from core.errors import UserError
from core.methods import get, ours, reference
from core.study.contest import ORACLE, STEM

ALPHA = 0.05
INTRODUCTION = """# Studies

Made by `multifair study report` from the tables in `sample_data/results`; a test keeps both in step. Nothing here is written by hand but the last two sections.
"""
NOT_HERE = """## Rivals that are not in the contest, and why

- Strong augmentation and tuned weight decay are settings of every method, not rows: `--set augment=strong`, and `multifair tune` searches weight decay for all.
- MLA, ReconBoost: both train the modalities by turns, one backward pass and one optimizer per modality. The loop has one step for all modalities; \
`epoch_rows` and stages do not give turns within an epoch.
- MMCosine, recalibration per group, and multifair-directed are methods here (`multifair methods`) that the tables above do not hold. multifair-directed was \
frozen after two development draws (21 and 22) and has not been compared on blind ones: `multifair study contest --methods erm mmpareto unimodal \
multifair-directed --protocols b --draws 1414 1515 1616` does it.
- AMCo: masks modality features on a schedule of the epoch with constants tuned per data set; not written yet.
- LFM, Relearning, InfoReg, UMT, modality valuation, MBSD: not written yet. The hooks they need are there (stages with `restarts`, outputs on the training \
rows, modules of a method's own), so each would be one file.
- FairGrad-style aggregation: not written yet; the tests have TorchJD as its oracle. FairCLIP's loss in full needs image-text pairs from a contrastive \
model, which cohorts here do not have; `sinkhorn` is its distance on the fused logit.
- erm with patients of validation in training (1,600 / 200 instead of 1,000 / 800): an earlier check found erm .893, multifair-plus .914 and the neglected \
modality alone .926 there; the contest holds the splits fixed and does not repeat it.
"""
LIMITS = """## What these studies do not show

- Planted cohorts are simulated images. A gain there is a gain on a bias of that kind, not on patients.
- The defaults are compared unless the table says that rows were tuned; a tuned contest may order them otherwise.
- Few draws give wide intervals between draws. A row whose adjusted p is not below .05 is not shown to differ.
- Tables that are not of the contest (`study_planted*`, `study_744c9eb7bb8e*`) were made by earlier versions of fin, fis, agm, opm, pmr, group-dro, \
multifair-released and multifair-plus (which then had weights per group wherever a group head was trained). They are kept as records; the contest supersedes \
them.
"""


def document(folder: Path) -> str:
    """The text of STUDIES.md. Raises UserError where the contest's tables are not in `folder`."""
    tables = {}
    for name in ("runs", "differences"):
        path = folder / f"{STEM}_{name}.csv"
        if not path.is_file():
            raise UserError(f"{path} is not there: make it with multifair study contest")
        tables[name] = pd.read_csv(path)
    contest = (
        (folder / f"{STEM}.md").read_text(encoding="utf-8").replace("# Contest of methods", "## Contest of methods", 1).replace("\n## default", "\n### default")
    )
    return "\n".join([INTRODUCTION, "## In short\n", *findings(tables["runs"], tables["differences"]), "", contest, _others(folder), NOT_HERE, LIMITS])


def findings(runs: pd.DataFrame, differences: pd.DataFrame) -> list[str]:
    """Sentences that follow from the contest's tables, one list item each."""
    lines = []
    for (scenario, optimizer, protocol), part in runs.groupby(["scenario", "optimizer", "protocol"], sort=False):
        means = part.groupby(["label", "draw"])["es_auc"].mean().groupby("label").mean()
        bound = means.pop(ORACLE) if ORACLE in means else None
        best, base, own = str(means.idxmax()), means.get(reference()), means.get(ours())
        known = differences[
            (differences.scenario == scenario) & (differences.optimizer == optimizer) & (differences.protocol == protocol) & (differences.metric == "es_auc")
        ]
        shown = known[(known.reference == reference()) & (known.p_family < ALPHA)]
        text = f"- {scenario}, {optimizer}, protocol {protocol}: highest mean ES-AUC {best} ({means[best]:.3f})"
        text += "".join(f"; {name} {value:.3f}" for name, value in ((reference(), base), (ours(), own)) if value is not None and name != best)
        single_modality = {
            label
            for label, method in zip(part["label"], part["method"], strict=True)
            if isinstance(method, str) and method and len(get(method).variants(("one", "another"))) > 1
        }
        alone = {label: value for label, value in means.items() if label in single_modality}
        if alone:
            single = max(alone, key=lambda label: alone[label])
            text += f"; best modality alone ({single}) {alone[single]:.3f}"
        if bound is not None:
            text += f"; the same encoders mixed with weights fitted on the test labels {bound:.3f}"
        lines.append(text + ".")
        names = ", ".join(f"{row.label} ({row.difference:+.3f})" for row in shown.itertuples())
        told = f"differ from {reference()} beyond chance: {names}" if names else f"no row is shown to differ from {reference()} beyond chance"
        lines.append(f"  With {part['draw'].nunique()} draws, Holm-adjusted over all comparisons, {told}.")
    return [*lines, *_between_protocols(runs)]


def _between_protocols(runs: pd.DataFrame) -> list[str]:
    """What this project's method loses where validation only selects."""
    own = runs[runs["label"] == ours()].groupby(["scenario", "optimizer", "protocol"])["es_auc"].mean().unstack()
    if not {"a", "b"} <= set(own.columns):
        return []
    base: dict[Any, Any] = runs[runs["label"] == reference()].groupby(["scenario", "optimizer"])["es_auc"].mean().to_dict()
    found = {protocol: own[protocol].to_dict() for protocol in ("a", "b")}
    lines = []
    for place, plain in base.items():
        gains = [float(found[protocol][place]) - float(plain) for protocol in ("a", "b")]
        lines.append(
            f"- {', '.join(map(str, place))}: {ours()} over {reference()} is {gains[0]:+.3f} where it may fit on validation and "
            f"{gains[1]:+.3f} where validation only selects (means over draws)."
        )
    return lines


def _others(folder: Path) -> str:
    names = sorted(path.name for path in folder.glob("study_*.md"))
    return "## Other tables\n\n" + "\n".join(f"- `sample_data/results/{name}`" for name in names) + "\n"
