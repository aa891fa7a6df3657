"""Changes that once passed all tests together, or are of their kind: they are tried first and must die."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Named:
    """`before` stands exactly once in `file`."""

    what: str
    file: str
    before: str
    after: str


DELONG, RATES, BOOTSTRAP = "core/metrics/delong.py", "core/metrics/rate_comparisons.py", "core/metrics/bootstrap.py"
NAMED = (
    Named(
        "DeLong's cross term of a patient with one ill and one healthy eye is left out",
        DELONG,
        "covariance += (cross + cross.T) * np.sqrt(np.outer(f_any, f_any))",
        "covariance += 0 * (cross + cross.T) * np.sqrt(np.outer(f_any, f_any))",
    ),
    Named(
        "half of the calibration error's bias is taken off",
        "core/metrics/calibration.py",
        "> plain\n",
        "- (_weighted(_folded_mean(0 * gap, spread), curve.weight)) / 2 > plain\n",
    ),
    Named("a p-value may be exactly 0", "core/metrics/comparisons.py", "np.clip(p, SMALLEST_P, 1.0)", "np.where(p < 1e-300, 0.0, p)"),
    Named("the simulated maximum may have a p of exactly 0", "core/metrics/multiple_testing.py", "(exceeding + 1) / (draws + 1)", "exceeding / draws"),
    Named(
        "a score of 1 is counted in the lowest bin",
        "core/metrics/calibration.py",
        "np.minimum((p * bins).astype(np.int64), bins - 1)",
        "(p * bins).astype(np.int64) % bins",
    ),
    Named("rates are resampled in strata of the label", BOOTSTRAP, "stratum = index * 2 + positive if within else index", "stratum = index * 2 + positive"),
    Named("rankings are resampled without strata of the label", BOOTSTRAP, "stratum = index * 2 + positive if within else index", "stratum = index"),
    Named(
        "what chance gives is drawn around the groups' own rates",
        "core/metrics/summary_nulls.py",
        "_drawn(own, places, _common(own, places))",
        "_drawn(own, places, own.value[places])",
    ),
    Named(
        "strata of the mean squared error are the groups'",
        RATES,
        "cell = index[inside] * kinds + stratum[inside]",
        "cell = index[inside] * kinds + index[inside] % kinds",
    ),
    Named(
        "rows are counted in place of patients",
        DELONG,
        "part = ClassPart(n, rows, clusters, effective, _correction(clusters) * squares, informative)",
        "part = ClassPart(n, rows, n, rows, _correction(n) * squares, informative)",
    ),
    Named("a patient's share of the weight is not taken off", RATES, "np.maximum(1 - share, SMALLEST_REST)", "np.maximum(1 - 0 * share, SMALLEST_REST)"),
    Named("degrees of freedom count rows", RATES, "np.maximum(np.minimum(ratio.patients, ratio.kish) - 1.0, 1.0)", "np.maximum(ratio.n - 1.0, 1.0)"),
    Named("weights do not reach the AUC's variance", DELONG, "return pull if w is None else pull * w", "return pull"),
    Named("ties count whole", "core/metrics/auc.py", "(b.neg_below + 0.5 * b.neg)", "(b.neg_below + b.neg)"),
    Named(
        "models are compared as if on other patients",
        "core/metrics/paired_limits.py",
        "r = np.maximum(estimates.correlation[first, second], 0.0)",
        "r = 0 * np.maximum(estimates.correlation[first, second], 0.0)",
    ),
    Named(
        "Holm's steps are Bonferroni's without order",
        "core/metrics/multiple_testing.py",
        "np.maximum.accumulate(tested[order] * np.arange(tested.size, 0, -1))",
        "tested[order] * np.arange(tested.size, 0, -1)",
    ),
)
