"""STATISTICS.md: the theory of the audit's claims, with what the shipped table says of each. The sentences are written here, the numbers are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.study.audit_exceptions import REASONS
from core.study.audit_promises import BELOW_BEST, COVERAGE, FALSE_CLAIMS, POWER, SIZE
from core.study.audit_table import Row


@dataclass(frozen=True)
class Entry:
    """One kind of claim. parts : beginnings of the table's parts that measure it. metrics : of these alone, all where empty."""

    title: str
    estimand: str
    test: str
    interval: str
    family: str
    guarantee: str
    code: str
    parts: tuple[str, ...]
    metrics: tuple[str, ...] = ()

    def rows(self, table: Sequence[Row]) -> tuple[Row, ...]:
        return tuple(r for r in table if r.part.startswith(self.parts) and (not self.metrics or r.metric.split(" ")[0] in self.metrics))


PAIR_PARTS = ("size of a pair", "coverage of a pair", "coverage of a difference", "coverage of a group's interval", "power less the best valid test's")
FAMILY_OF_PAIR = "Primary where declared (by default the AUC by every single attribute), else exploratory."
ENTRIES: tuple[Entry, ...] = (
    Entry(
        "The headline and `--fail-on disparity`",
        "Whether any two groups of a declared attribute differ in a declared metric, under any model that is looked at.",
        "Step-down maximum of the tests' joint distribution (Westfall and Young 1993), never weaker than Holm with Sidak's product. The "
        "joint distribution is normal, its correlations read from what every patient adds to each estimate.",
        "Simultaneous at the same level (one step), cut at 0 where only a later step rejects (Guilbaud 2008): it leaves 0 out exactly "
        "where the corrected p is below alpha.",
        "Primary: all declared metrics by all declared attributes under all models together.",
        "In data without any true difference at most 5 % of whole audits say `disparity`, whatever the number of attributes, groups and models.",
        "core/audit/inference/claims.py, core/metrics/multiple_testing.py, core/metrics/joint_inference.py",
        ("false disparity: headline", "false claim", "simultaneous intervals", "consistent"),
    ),
    Entry(
        "Everything else: exploratory differences",
        "Differences in metrics that were not declared, and between intersections.",
        "Benjamini and Hochberg (1995) over all of them as one family.",
        "At the level that the rejections have (false coverage rate, Benjamini and Yekutieli 2005).",
        "Exploratory, and called so in every sentence.",
        "Of the differences called, at most 5 % on average are none; of their intervals at most 5 % on average miss.",
        "core/audit/inference/claims.py",
        ("false disparity: anything exploratory", "exploratory intervals"),
    ),
    Entry(
        "AUC of a group, difference of two groups",
        "Chance that a positive of the group outranks one of its negatives, ties counting half.",
        "The quantile at which the joined score limits of both groups (MOVER; Zou and Donner 2008) reach 0, in Student's t. The variance "
        "is DeLong's (patients as units: Obuchowski 1997), drawn towards a binormal model's for few samples; degrees of freedom count the "
        "patients that it rests on.",
        "Of the same pivot; of score type, so that a group ranked without fault has an error too.",
        FAMILY_OF_PAIR,
        "Size .03 to .07, coverage 93 to 97 %, or the stated careful exception.",
        "core/metrics/auc_comparisons.py, core/metrics/comparisons.py, core/metrics/delong.py",
        PAIR_PARTS,
        ("auc",),
    ),
    Entry(
        "Rates at the operating point",
        "Sensitivity, false positive rate, predictive values, selection rate, accuracy of a group.",
        "The same pivot with Wilson's limits (Newcombe's hybrid score interval); weights and repeated patients by the design effect of "
        "patients' residuals (Rao and Scott 1992).",
        "Of the same pivot.",
        FAMILY_OF_PAIR,
        "As for AUC. Rates over few rows take few values, and are careful there.",
        "core/metrics/rate_comparisons.py, core/metrics/score_limits.py",
        PAIR_PARTS,
        ("tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy"),
    ),
    Entry(
        "Brier score and net benefit",
        "Mean of squared errors; true positives a row less false positives at the threshold's price.",
        "The same pivot with Student's limits on strata of labels or decisions.",
        "Of the same pivot, cut at the metric's bounds.",
        FAMILY_OF_PAIR,
        "As for AUC.",
        "core/metrics/rate_comparisons.py",
        PAIR_PARTS,
        ("brier", "net_benefit", "balanced_brier"),
    ),
    Entry(
        "Calibration: observed over expected events, slope, intercept",
        "Ratio of events to the sum of predicted risks (compared on its logarithm); coefficients of the logistic recalibration.",
        "Welch's t on the one-step jackknife over patients (CR3, Bell and McCaffrey 2002).",
        "Student's t of the same errors.",
        "The verdict `calibration` is that of O:E and slope together. " + FAMILY_OF_PAIR,
        "As for AUC. Comparable between groups whose scores are spread differently.",
        "core/metrics/calibration_fit.py, core/metrics/calibration_comparison.py",
        PAIR_PARTS,
        ("oe_ratio", "calibration_slope", "calibration_intercept"),
    ),
    Entry(
        "Calibration error (ECE)",
        "Mean distance between predicted risk and frequency of events over ten equal bins, without what noise adds.",
        "None between groups: no verdict rests on it.",
        "Neyman's construction: the true errors at which the plain one would not be surprising, labels drawn from a recalibrated risk.",
        "None.",
        "Coverage of at least 93 %; it starts at 0 where a calibrated model is not ruled out, so that it is careful there.",
        "core/metrics/calibration_error.py",
        ("coverage of a group's interval",),
        ("ece", "ece_debiased"),
    ),
    Entry(
        "Average precision and area under the precision-recall-gain curve",
        "Mean precision over the recalls that thresholds reach; the same on the scale of gains over calling everybody positive.",
        "None between groups.",
        "With the bootstrap's standard error, the same patients drawn whole, on the logit, of the gain area on log(1 - area); shown, not judged.",
        "None.",
        "Coverage 93 to 97 %.",
        "core/audit/estimates/precision_tables.py",
        ("coverage of a group's interval",),
        ("average_precision", "auprg"),
    ),
    Entry(
        "Summaries over groups",
        "Gap, worst group, ES-AUC, and the differences and ratios of demographic parity, equalised odds and equal opportunity.",
        "The smallest of the pairs' p, corrected for their number by the joint normal distribution; 'what chance gives' is drawn from the "
        "same estimates with the groups alike.",
        "From the pairs' simultaneous limits (projection of a joint region); a gap's reaches 0 where no difference is shown.",
        "One summary of one attribute: no correction beyond it.",
        "Coverage of at least 93 % also where groups are alike; careful rather than wrong.",
        "core/metrics/summary_intervals.py, core/metrics/equity_scaled_interval.py, core/metrics/summary_nulls.py",
        ("coverage of a summary", "size of a summary's test"),
    ),
    Entry(
        "Ranking between groups",
        "Chance that a positive of one group outranks a negative of another.",
        "None.",
        "Score limits as for the AUC.",
        "None.",
        "Coverage 93 to 97 %.",
        "core/metrics/cross_group.py",
        ("coverage of a cross-group AUC",),
    ),
    Entry(
        "Two models on the same patients",
        "Model a minus model b: of every metric for everybody and within groups, and of every summary.",
        "Both models' limits joined with their correlation; summaries by bounds over how far groups may be apart; calibration errors by "
        "both models' own intervals, joined as if of other patients, which is careful; average precision and AUPRG by a paired bootstrap.",
        "Of the same pivot; differences of ratios stay within -1 and 1.",
        "Holm, metric by metric, over pairs of models and attributes.",
        "Coverage 93 to 97 %; of summaries at least 93 %.",
        "core/metrics/paired.py, core/metrics/summary_differences.py",
        ("coverage of a paired difference:", "coverage of a paired difference in", "coverage of a paired summary"),
    ),
    Entry(
        "Several trainings (seeds) of a method",
        "The mean over trainings of an estimate, on these very patients or on all; the difference of two methods' means.",
        "The pivot of the patients with the variance between trainings added; its quantile is Cochran and Cox's (1957).",
        "Of the same pivot. Of these very patients: Student's over the trainings, which takes their spread to be symmetric, cut at the metric's bounds.",
        "Differences: Holm over the pairs of methods that are shown.",
        "Coverage 93 to 97 %, of summaries at least 93 %; careful where trainings err differently on a patient.",
        "core/metrics/seeds_and_patients.py, core/metrics/seeds.py, core/metrics/summary_differences.py",
        ("coverage of a mean over trainings", "coverage of a paired difference over trainings", "size of a paired difference over trainings"),
    ),
    Entry(
        "`no disparity found`",
        "Every difference between judged groups lies within the metric's tolerance.",
        "Each pair's own 95 % interval lies within the tolerance (intersection-union, Berger 1982): nothing is to be corrected.",
        "The pointwise one.",
        "One metric of one attribute.",
        "Wrong in at most 5 % where a true difference equals the tolerance.",
        "core/audit/inference/verdicts.py, core/audit/inference/tolerances.py",
        ("wrong 'no disparity found'",),
    ),
    Entry(
        "Power and patients needed",
        "The smallest gap that would be called, and the patients with which each answer would be given, in 80 % of studies.",
        "Chance that the pivot exceeds the critical value of its family, at the planned sizes, prevalence and rows a patient.",
        "None.",
        "The level that the primary family leaves to one test.",
        "The promised answer comes in 77 to 90 of 100.",
        "core/metrics/planned_power.py, core/audit/inference/power.py",
        ("power promised by",),
    ),
)

INTRODUCTION = f"""# What the audit claims, and how often it is wrong

Written by `multifair study statistics` from `sample_data/results/study_audit.txt`, whose first line is the command that makes it; a test
compares the two, so that no number here can drift. Cohorts are binormal with known truth (core/study/audit_truths.py), settings
and seed such that no constant of the tool was chosen on them.

Bounds, give or take two Monte Carlo errors: tests of groups alike reject in {SIZE[0]:.0%} to {SIZE[1]:.0%}; 95 % intervals hold the truth in
{COVERAGE[0]:.0%} to {COVERAGE[1]:.0%} (maxima and other summaries in at least {COVERAGE[0]:.0%}) and always contain their estimate; false claims of a \
family are at
most {FALSE_CLAIMS:.0%}; power is at most {BELOW_BEST * 100:.0f} points below that of the best valid test, both at a size of 5 % (a test is valid where it
rejects at most {SIZE[1]:.0%} of groups alike, be both as good as the better or as the worse one); promised power of 80 % comes out between
{POWER[0]:.0%} and {POWER[1]:.0%}. "Careful" lines reject less, or hold the truth more often, for one of these reasons alone, each read from the
setting beforehand (core/study/audit_exceptions.py):
"""


def document(table: Sequence[Row], source: str) -> str:
    """The whole file. source : first line of the table, the command that makes it."""
    reasons = "\n".join(f"- {reason}" for reason in REASONS)
    broken = [row for row in table if row.verdict == "BROKEN"]
    counted = f"{len(table):,} lines, {sum(bool(row.verdict) for row in table):,} of them with a promise, {len(broken)} broken."
    listed = "\n".join(f"- {row.part}, {row.setting}: {row.share:.3f}" for row in broken)
    note = f"\nNot kept (the table has their bounds):\n{listed}\n" if broken else ""
    return f"{INTRODUCTION}\n{reasons}\n\nMeasured: `{source}`; {counted}\n{note}\n" + "\n".join(_section(entry, table) for entry in ENTRIES)


def _section(entry: Entry, table: Sequence[Row]) -> str:
    lines = [
        f"## {entry.title}",
        "",
        f"- Estimand: {entry.estimand}",
        f"- Test: {entry.test}",
        f"- Interval: {entry.interval}",
        f"- Family: {entry.family}",
        f"- Guarantee: {entry.guarantee}",
        f"- Code: {entry.code}",
        "",
        "| measured | settings | found | kept, careful, broken |",
        "| --- | --- | --- | --- |",
    ]
    by_part: dict[str, list[Row]] = {}
    for row in entry.rows(table):
        part, _, metric = row.part.partition(": ")
        by_part.setdefault(f"{part}: {metric.split(' of group')[0]}" if metric else part, []).append(row)
    if not by_part:
        return "\n".join([*lines[:-2], "The table has no line of this yet: it is not measured.", ""])
    return "\n".join([*lines, *(_measured(part, rows) for part, rows in by_part.items()), ""])


def _measured(part: str, rows: Sequence[Row]) -> str:
    shares = [row.share for row in rows]
    verdicts = Counter(row.verdict.partition(":")[0] for row in rows)
    found = f"{min(shares):.3f} to {max(shares):.3f}" if len(rows) > 1 else f"{shares[0]:.3f}"
    return f"| {part} | {len(rows)} | {found} | {verdicts['kept']}, {verdicts['conservative']}, {verdicts['BROKEN']} |"
