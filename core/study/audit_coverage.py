"""Do 95 % intervals hold the truth in 93 to 97 of 100 cohorts?"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.special import ndtr

from core.audit.estimates.group_estimates import group_counts
from core.audit.options import AuditOptions
from core.audit.result import Tables
from core.study.audit_cohorts import cohorts, shift
from core.study.audit_promises import COVERAGE, Line, line

# Cohorts simulated at once, as groups of one table.
BLOCK = 100
AREAS = (0.6, 0.75, 0.85, 0.95)
# As many negatives as positives, and many more.
COUNTS = ((20, 20), (20, 1000), (50, 50), (50, 1000), (500, 500), (500, 1500))
SPREADS = (1.0, 2.0, 0.5)
PLAIN = AuditOptions(bootstrap=0)
# Wilson's coverage oscillates round 95 % for few positives: the counts are discrete.
COARSE = (0.90, 0.99)


def coverage(rng: np.random.Generator, repetitions: int) -> list[Line]:
    """Share of AUC and TPR intervals that hold the truth; also where patients have several images."""
    settings = [(n_pos, n_neg, auc, spread, 1) for (n_pos, n_neg), spread, auc in product(COUNTS, SPREADS, AREAS)]
    return [found for setting in (*settings, (50, 100, 0.85, 1.0, 3)) for found in _setting(rng, repetitions, *setting)]


def _setting(rng: np.random.Generator, repetitions: int, n_pos: int, n_neg: int, auc: float, spread: float, images: int) -> list[Line]:
    truth = {"auc": auc}
    if spread == 1:
        truth["tpr"] = float(ndtr(shift(auc) / 2))
    hits: dict[str, list[bool]] = {name: [] for name in truth}
    for block in blocks(repetitions):
        data = cohorts(rng, block, n_pos, n_neg, auc, images, spread)
        codes = np.repeat(np.arange(block), (n_pos + n_neg) * images)
        tables = Tables(data, codes, tuple(map(str, range(block))), group_counts(data, codes, block), PLAIN)
        for name, value in truth.items():
            hits[name] += ((tables[name].low <= value) & (value <= tables[name].high)).tolist()
    at = f"n_pos={n_pos}, n_neg={n_neg}" + (f", {images} images per patient" if images > 1 else "")
    spreads = "" if spread == 1 else f", SD ratio {spread:g}"
    found = [line("coverage of the AUC interval", f"AUC {auc}, {at}{spreads}", hits["auc"], *COVERAGE)]
    if "tpr" in hits:
        found.append(line("coverage of the TPR interval", f"TPR {truth['tpr']:.3f}, {at}", hits["tpr"], *(COVERAGE if n_pos >= 50 else COARSE)))
    return found


def blocks(repetitions: int) -> list[int]:
    """Repetitions in blocks that fit into memory."""
    full, rest = divmod(repetitions, BLOCK)
    return [BLOCK] * full + ([rest] if rest else [])
