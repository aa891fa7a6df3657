"""Does absence itself predict the label?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.cohort.checks.base import Check, CheckInput, counted, listed
from core.cohort.schema import Finding
from core.cohort.tabular import blocks_of_gaps

P_LIMIT = 0.001
MIN_ROWS = 10
MIN_DIFFERENCE = 0.1
"""Difference in the share of positives below which absence is not worth a word."""


def absence_difference(gap: NDArray[np.bool_], y: NDArray[np.float64], n_tests: int) -> tuple[float, float] | None:
    """Share of positives where missing and where present, when they differ beyond chance (Fisher, Bonferroni); else None."""
    # Late: every training loads the checks, and this library takes longer to load than all of them.
    from scipy.stats import fisher_exact

    known = ~np.isnan(y)
    gap, y = gap[known], y[known]
    if gap.sum() < MIN_ROWS or (~gap).sum() < MIN_ROWS:
        return None
    absent, there = y[gap], y[~gap]
    if abs(absent.mean() - there.mean()) < MIN_DIFFERENCE:
        return None
    counts = [[int((v == k).sum()) for k in (0, 1)] for v in (absent, there)]
    if float(fisher_exact(counts)[1]) * n_tests > P_LIMIT:
        return None
    return float(absent.mean()), float(there.mean())


def _in_words(share: float, n: int) -> str:
    if share in (0.0, 1.0):
        return f"every one of them {'positive' if share else 'negative'}"
    return f"{share:.0%} of {n} positive"


class InformativeMissingness(Check):
    code = "informative-missingness"
    title = "Missing values predict the label"
    severity = "warning"
    remedy = "Features are filled from training donors and carry no missing flag. Read results on complete rows only, and ask why values were not measured."

    def find(self, data: CheckInput) -> list[Finding]:
        roles = data.roles
        skip = {roles.label, roles.sample_id, roles.split, *(m.columns[0] for m in roles.modalities if m.kind in ("image", "volume"))}
        gaps: dict[str, NDArray[np.bool_]] = {c: data.table[c].isna().to_numpy() for c in data.table.columns if c not in skip}
        gaps = {c: g for c, g in gaps.items() if g.any()}
        telling = {c: g for c, g in gaps.items() if absence_difference(g, data.y, len(gaps))}
        return [self._report(block, data, len(gaps)) for block in blocks_of_gaps(telling)]

    def _report(self, block: list[str], data: CheckInput, n_tests: int) -> Finding:
        together = data.table[block].isna().all(axis=1).to_numpy()
        shares = absence_difference(together, data.y, n_tests) or absence_difference(data.table[block[0]].isna().to_numpy(), data.y, n_tests)
        absent, there = shares or (float("nan"), float("nan"))
        n = int(together.sum())
        message = (
            f"{counted(n, 'row')} lack {listed(block)}{' together' if len(block) > 1 else ''}: {_in_words(absent, n)}, against {there:.0%} "
            "positive where present"
        )
        attributes = [c for c in block if c in data.roles.attributes]
        if attributes:
            message += f". Sensitive attribute{'s' if len(attributes) > 1 else ''} among them: {', '.join(attributes)}"
        return self.finding(message, n, block)


class ModalityMissingness(Check):
    code = "modality-missingness"
    title = "A missing modality predicts the label"
    severity = "warning"
    remedy = "The network sees that a modality is absent and can infer the label from it. Compare results on rows that have all modalities."

    def applies(self, data: CheckInput) -> str | None:
        return None if self._gaps(data) else "every row has every modality"

    @staticmethod
    def _gaps(data: CheckInput) -> dict[str, NDArray[np.bool_]]:
        gaps = {name: ~present for name, present in data.present.items()}
        for modality in data.roles.modalities:
            if modality.kind == "text":
                gaps[modality.name] = data.table[list(modality.columns)].isna().all(axis=1).to_numpy()
        return {name: gap for name, gap in gaps.items() if gap.any()}

    def find(self, data: CheckInput) -> list[Finding]:
        found = []
        gaps = self._gaps(data)
        for name, gap in gaps.items():
            shares = absence_difference(gap, data.y, len(gaps))
            if shares:
                n = int(gap.sum())
                found.append(
                    self.finding(
                        f"{counted(n, 'row')} without modality {name!r}: {_in_words(shares[0], n)}, against {shares[1]:.0%} positive where present", n, [name]
                    )
                )
        return found


class AttributeMissing(Check):
    code = "attribute-missing"
    title = "Rows without a sensitive attribute"
    severity = "info"
    remedy = "They stay in the cohort and belong to no group: group results do not speak for them."

    def applies(self, data: CheckInput) -> str | None:
        return None if data.roles.attributes else "no sensitive attribute"

    def find(self, data: CheckInput) -> list[Finding]:
        found = []
        for attribute in data.roles.attributes:
            n = int(data.table[attribute].isna().sum())
            if n:
                found.append(self.finding(f"{attribute} is missing in {counted(n, 'row')} of {len(data.table)} ({n / len(data.table):.0%})", n, [attribute]))
        return found
