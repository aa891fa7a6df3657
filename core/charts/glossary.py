"""Every term on the pages: one line, and its formula. Shown a hover away from where it is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.metrics.catalogue import CATALOGUE
from core.metrics.estimate import MinimumCounts


@dataclass(frozen=True)
class Term:
    """`formula` is LaTeX without dollar signs, or empty."""

    name: str
    line: str
    formula: str = ""


def _metric(name: str) -> Term:
    metric = CATALOGUE[name]
    return Term(metric.short[:1].upper() + metric.short[1:], metric.line, metric.formula)


GLOSSARY: dict[str, Term] = {
    "auc": _metric("auc"),
    "group_auc": Term("Group AUC", "The AUC among one group's own positives and negatives.", r"AUC_g"),
    "interval": Term("Interval", "95 % confidence interval: the range of true values that agree with what was seen in this many patients."),
    "es_auc": _metric("es_auc"),
    "max_gap": _metric("max_gap"),
    "worst_group": _metric("worst_group_auc"),
    "null": Term("Chance null", "How large the gap comes out by chance alone if all groups had the same AUC: it is simulated many times with each group's "
                                "own uncertainty. Small groups have gaps by chance alone."),
    "p": Term("p value", "How often a difference at least as large as the one observed would come out if there were none, corrected for all comparisons of "
                         "its family."),
    "dpd": _metric("dpd"),
    "deodds": _metric("deodds"),
    "tpr": _metric("tpr"),
    "fpr": _metric("fpr"),
    "ppv": _metric("ppv"),
    "selected": _metric("selection_rate"),
    "threshold": Term("Threshold", "A sample is predicted positive when the score is at least the threshold.", r"\hat y = [s \ge t]"),
    "ece": _metric("ece"),
    "roc": Term("ROC curve", "True against false positive rate as the threshold moves from high to low."),
    "calibration": Term("Calibration", "Observed frequency of the outcome among samples with about the same predicted probability. On the diagonal, the "
                                       "predicted probabilities are right."),
    "oe_ratio": _metric("oe_ratio"),
    "phi": Term("Shapley value", "What a modality adds to the AUC, averaged over every order in which modalities can be added; it is negative when the model "
                                 "does better without. Absent modalities are replaced by their training mean.",
                                 r"\phi_m = \sum_{S \not\ni m} \tfrac{|S|!(M-|S|-1)!}{M!}\,[v(S \cup m) - v(S)],\ v(S) = AUC(S) - .5"),
    "ratio": Term("Contribution ratio", "A modality's share of what all modalities contribute, by size.", r"\frac{|\phi_m|}{\sum_k |\phi_k|}"),
    "synergy": Term("Synergy", "What two modalities are worth together beyond what they are worth apart, averaged over all sets of the others. "
                               "Above 0 they add to each other; below 0 they say partly the same.",
                               r"I_{ij} = \sum_{S \not\ni i,j} \tfrac{|S|!(M-|S|-2)!}{(M-1)!}"
                               r"\,[v(S \cup ij) - v(S \cup i) - v(S \cup j) + v(S)]"),
    "unimodal": Term("Unimodal AUC", "AUC of the small classifier on one modality's own features."),
    "take_away": Term("Take away", "AUC of the fused model when one modality is replaced by its training mean."),
    "cosine": Term("Cosine", "Direction of two gradients: 1 together, 0 unrelated, below 0 working against each other.",
                   r"\cos(a, b) = \frac{a \cdot b}{|a|\,|b|}"),
    "p10": Term("Tenth percentile", "One step in ten has a cosine below this."),
    "share_negative": Term("Conflicting steps", "Share of the epoch's steps in which the cosine is negative. Directions without any relation give 50%; "
                                                "modalities learn in feature spaces of their own, so a share near that is no sign of conflict.",
                                              r"P(\cos < 0)"),
    "magnitude": Term("Magnitude similarity", "1 when two gradients are equally long, near 0 when one is much longer.", r"\frac{2|a||b|}{|a|^2 + |b|^2}"),
    "factor": Term("Factor applied", "What the method multiplied an encoder's gradient (or update) by, as it reports it."),
    "relative_update": Term("Relative update", "How far the encoder's weights really moved in a step. AdamW divides out a lasting scaling of gradients, so a "
                                               "factor need not show here.", r"\frac{|\Delta\theta_m|}{|\theta_m|}"),
    "curvature": Term("Curvature", "How sharply the loss bends along an encoder's own gradient, on a fixed batch: where it is large, a step that is too "
                                   "long makes the loss worse.", r"u^\top H u,\ u = g / |g|"),
    "conflict_heat": Term("Group and modality conflict", "Cosine between the gradient of a group's loss and of a modality's loss in that modality's encoder, "
                                                         "on a stratified probe batch."),
    "cross_auc": Term("Cross-group AUC", "How often a positive of the row's group scores above a negative of the column's group. Off the diagonal it shows "
                                         "groups whose scores sit higher or lower than others'.", r"P(s^+_a > s^-_b)"),
    "intersection": Term("Intersection", f"Patients who share the values of several attributes. Branches end where fewer than {MinimumCounts().positives} "
                                         f"positives or {MinimumCounts().negatives} negatives are left."),
    "pareto": Term("Pareto front", "Methods that no other method beats on both axes at once. Intervals may still overlap."),
    "paired": Term("Paired difference", "Difference between two methods on the same patients; its interval is narrower than those of the two methods apart."),
    "seed": Term("Seed", "Runs that differ in the seed only show how much chance there is in training."),
    "es_trap": Term("Why not ES-AUC alone", "It counts ranking between groups as unfairness and falls with every further group; one-class groups left out "
                                            "make it better."),
    "availability": Term("Availability", "Share of a group's samples that have the modality at all."),
}  # fmt: skip


def explain(terms: Iterable[str]) -> str:
    """Markdown for a tooltip: each term's name, line and formula. KeyError: an unknown term."""
    parts = []
    for key in terms:
        term = GLOSSARY[key]
        formula = f"\n\n${term.formula}$" if term.formula else ""
        parts.append(f"**{term.name}.** {term.line}{formula}")
    return "\n\n".join(parts)
