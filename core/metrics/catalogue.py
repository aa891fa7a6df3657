"""The catalogue of metrics: what each is called, which way is better, what it needs and when it is judged.

Audit, charts, glossary, command line, reports and tooltips read names from here; no other table of metric names exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "target", "none"]
Scope = Literal["group", "summary"]
Need = Literal["label", "score", "decision", "probability", "threshold"]
Tolerance = Literal["absolute", "relative", "none"]

CLASSES = "enough positives and negatives in the group"
POSITIVES = "enough positives in the group"
NEGATIVES = "enough negatives in the group"
ROWS = "enough rows of both classes in the group"
SELECTED = "enough selected rows in the group"
NOT_SELECTED = "enough rows that are not selected in the group"
TWO_GROUPS = "two groups that can be judged"


@dataclass(frozen=True)
class Metric:
    """One metric.

    name : key in documents and tables. title : in sentences and headings. short : in columns and axes.
    better : "higher", "lower", "target" (nearer to `target`) or "none" (no direction is better by itself).
    bounds : smallest and largest possible value, None for unbounded.
    needs : what must be known to compute it. scope : of one group, or a summary over groups.
    of : for a summary the group metrics it is made of.
    judged_with : the counts it is judged with, in words. tolerance : how a difference between groups is weighed.
    line : one sentence for a tooltip. formula : LaTeX without dollar signs. source : where the definition is from.
    """

    name: str
    title: str
    short: str
    better: Better
    bounds: tuple[float | None, float | None]
    needs: frozenset[Need]
    scope: Scope
    judged_with: str
    line: str
    formula: str
    source: str
    tolerance: Tolerance = "absolute"
    target: float | None = None
    of: tuple[str, ...] = ()


def _needs(*names: Need) -> frozenset[Need]:
    return frozenset(names)


UNIT = (0.0, 1.0)
RANKED = _needs("label", "score")
DECIDED = _needs("label", "decision")
PROBABILITIES = _needs("label", "probability")
HARDT = "Hardt, Price and Srebro 2016"
_METRICS = (
    Metric("auc", "AUC", "AUC", "higher", UNIT, RANKED, "group", CLASSES,
           "How often a random positive scores above a random negative; ties count half. .5 is chance.",
           r"P(s^+ > s^-) + \tfrac12 P(s^+ = s^-)", "Hanley and McNeil 1982"),
    Metric("tpr", "sensitivity (TPR)", "TPR", "higher", UNIT, DECIDED, "group", POSITIVES,
           "Sensitivity: share of the positives that are predicted positive.", r"P(\hat y = 1 | y = 1)", HARDT),
    Metric("fpr", "false positive rate", "FPR", "lower", UNIT, DECIDED, "group", NEGATIVES,
           "Share of the negatives that are predicted positive.", r"P(\hat y = 1 | y = 0)", HARDT),
    Metric("ppv", "PPV", "PPV", "higher", UNIT, DECIDED, "group", SELECTED,
           "Share of the predicted positives that are positive. It falls with the prevalence.", r"P(y = 1 | \hat y = 1)", "Altman and Bland 1994", "relative"),
    Metric("npv", "NPV", "NPV", "higher", UNIT, DECIDED, "group", NOT_SELECTED,
           "Share of the predicted negatives that are negative. It rises as the prevalence falls.", r"P(y = 0 | \hat y = 0)", "Altman and Bland 1994"),
    Metric("selection_rate", "selection rate", "selected", "none", UNIT, _needs("decision"), "group", ROWS,
           "Share predicted positive at this threshold: score at least the threshold.", r"P(\hat y = 1)", "Dwork et al. 2012", "relative"),
    Metric("accuracy", "accuracy", "accuracy", "higher", UNIT, DECIDED, "group", ROWS,
           "Share of the predictions that are right. It moves with the prevalence.", r"P(\hat y = y)", "definition"),
    Metric("brier", "Brier score", "Brier", "lower", UNIT, PROBABILITIES, "group", ROWS,
           "Mean squared distance between predicted probability and outcome; smaller is better. It moves with the prevalence.",
           r"\tfrac1n \sum_i (s_i - y_i)^2", "Brier 1950", "relative"),
    Metric("balanced_brier", "balanced Brier score", "balanced Brier", "lower", UNIT, PROBABILITIES, "group", CLASSES,
           "Mean of the Brier scores of positives and of negatives, so that the prevalence has no part in it.",
           r"\tfrac12 \left(\overline{(s-1)^2}^{\,y=1} + \overline{s^2}^{\,y=0}\right)", "Wallace and Dahabreh 2012"),
    Metric("net_benefit", "net benefit", "net benefit", "higher", (None, 1.0), _needs("label", "decision", "threshold"), "group", ROWS,
           "True positives per row, less the false positives at the price that the threshold puts on them.",
           r"\tfrac{TP}{n} - \tfrac{FP}{n} \tfrac{t}{1-t}", "Vickers and Elkin 2006", "relative"),
    Metric("ece", "calibration error", "ECE", "lower", UNIT, PROBABILITIES, "group", ROWS,
           "Expected calibration error: mean distance between predicted probability and observed frequency, over bins. Noise makes it larger in small groups.",
           r"\sum_b \frac{n_b}{n} |\bar y_b - \bar s_b|", "Naeini, Cooper and Hauskrecht 2015", "none"),
    Metric("ece_debiased", "debiased calibration error", "debiased ECE", "lower", UNIT, PROBABILITIES, "group", ROWS,
           "The calibration error without the part that the noise of small bins adds.", r"", "Kumar, Liang and Ma 2019", "none"),
    Metric("calibration_intercept", "calibration intercept", "intercept", "target", (None, None), PROBABILITIES, "group", CLASSES,
           "Calibration in the large: 0 when the predicted risks are right on average, above 0 when they are too low.",
           r"\alpha:\ \mathrm{logit}\,P(y=1) = \alpha + \mathrm{logit}\,s", "Cox 1958; Van Calster et al. 2019", "absolute", 0.0),
    Metric("calibration_slope", "calibration slope", "slope", "target", (None, None), PROBABILITIES, "group", CLASSES,
           "1 when the predicted risks spread as far as the true ones, below 1 when they are too extreme.",
           r"\beta:\ \mathrm{logit}\,P(y=1) = \alpha + \beta\,\mathrm{logit}\,s", "Cox 1958; Van Calster et al. 2019", "absolute", 1.0),
    Metric("oe_ratio", "observed over expected events", "O:E", "target", (0.0, None), PROBABILITIES, "group", CLASSES,
           "Observed events over the sum of the predicted risks: 1 when right on average, 2 when twice as many happen as predicted.",
           r"\frac{\sum_i y_i}{\sum_i s_i}", "Debray et al. 2017", "relative", 1.0),
    Metric("average_precision", "average precision", "AP", "higher", UNIT, RANKED, "group", CLASSES,
           "Mean precision over the recalls that the thresholds reach; it moves with the prevalence.", r"\sum_k (R_k - R_{k-1}) P_k", "Boyd, Eng and Page 2013",
           "none"),
    Metric("auprg", "area under the precision-recall-gain curve", "AUPRG", "higher", (None, 1.0), RANKED, "group", CLASSES,
           "Average precision on a scale without the prevalence: 1 is perfect, 0 is always predicting positive.", r"", "Flach and Kull 2015", "none"),
    Metric("es_auc", "ES-AUC", "ES-AUC", "higher", UNIT, RANKED, "summary", TWO_GROUPS,
           "The AUC, divided by how far the groups' AUCs are from it in sum. It falls with the number of groups: compare it only within one attribute, "
           "and read it beside the group AUCs and the gap.", r"\frac{AUC}{1 + \sum_g |AUC_g - AUC|}", "Luo et al. 2024", of=("auc",)),
    Metric("worst_group_auc", "worst-group AUC", "worst group", "higher", UNIT, RANKED, "summary", CLASSES,
           "The lowest group AUC among the groups that can be judged.", r"\min_g AUC_g", "Sagawa et al. 2020", of=("auc",)),
    Metric("max_gap", "gap between groups", "gap", "lower", UNIT, RANKED, "summary", TWO_GROUPS,
           "Highest minus lowest group AUC among the groups that can be judged.", r"\max_g AUC_g - \min_g AUC_g", "definition", of=("auc",)),
    Metric("dpd", "demographic parity difference", "DPD", "lower", UNIT, _needs("decision"), "summary", TWO_GROUPS,
           "Demographic parity difference: range over groups of the share predicted positive.", r"\max_g P(\hat y = 1 | g) - \min_g P(\hat y = 1 | g)",
           "Dwork et al. 2012",
           of=("selection_rate",)),
    Metric("dp_ratio", "demographic parity ratio", "DP ratio", "higher", UNIT, _needs("decision"), "summary", TWO_GROUPS,
           "Lowest over highest share predicted positive.", r"\min_g P(\hat y = 1 | g) / \max_g P(\hat y = 1 | g)", "Feldman et al. 2015",
           of=("selection_rate",)),
    Metric("deodds", "equalised odds difference", "DEOdds", "lower", UNIT, DECIDED, "summary", TWO_GROUPS,
           "Difference in equalised odds: the larger of the ranges of true and false positive rates.", r"\max(\mathrm{range}_g\,TPR,\ \mathrm{range}_g\,FPR)",
           HARDT,
           of=("tpr", "fpr")),
    Metric("eodds_ratio", "equalised odds ratio", "EOdds ratio", "higher", UNIT, DECIDED, "summary", TWO_GROUPS,
           "The smaller of the ratios of lowest to highest true and false positive rate.", r"\min(\mathrm{ratio}_g\,TPR,\ \mathrm{ratio}_g\,FPR)", HARDT,
           of=("tpr", "fpr")),
    Metric("equal_opportunity_difference", "equal opportunity difference", "EO difference", "lower", UNIT, DECIDED, "summary", TWO_GROUPS,
           "Range over groups of the sensitivity.", r"\mathrm{range}_g\,TPR", HARDT, of=("tpr",)),
    Metric("equal_opportunity_ratio", "equal opportunity ratio", "EO ratio", "higher", UNIT, DECIDED, "summary", TWO_GROUPS,
           "Lowest over highest sensitivity.", r"\min_g TPR / \max_g TPR", HARDT, of=("tpr",)),
)  # fmt: skip

CATALOGUE: dict[str, Metric] = {metric.name: metric for metric in _METRICS}
# What calibration is judged by: whether risks are right on average, and whether they spread as far as the true ones.
CALIBRATION = ("oe_ratio", "calibration_slope")
RATE_METRICS = ("tpr", "fpr", "ppv", "npv", "selection_rate", "accuracy")
AUC_SUMMARIES = ("es_auc", "worst_group_auc", "max_gap")
RATE_SUMMARIES = ("dpd", "dp_ratio", "deodds", "eodds_ratio", "equal_opportunity_difference", "equal_opportunity_ratio")
RATIO_SUMMARIES = ("dp_ratio", "eodds_ratio", "equal_opportunity_ratio")


def title(name: str) -> str:
    """The metric in a sentence; a name that is not in the catalogue stands for itself.

    >>> title("tpr"), title("my_metric")
    ('sensitivity (TPR)', 'my_metric')
    """
    return CATALOGUE[name].title if name in CATALOGUE else name


def short(name: str) -> str:
    """The metric at the head of a column or axis; a name that is not in the catalogue stands for itself."""
    return CATALOGUE[name].short if name in CATALOGUE else name


def asked(name: str) -> str:
    """A declared metric as the question that it asks: `ece` declares calibration, which is judged by `CALIBRATION` and not by the error.

    >>> asked("ece"), asked("auc")
    ('calibration', 'AUC')
    """
    return "calibration" if name == "ece" else short(name)


def lower_is_better(name: str) -> bool:
    """Whether a smaller value is the better one."""
    return CATALOGUE[name].better == "lower"
