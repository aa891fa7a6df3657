"""Known answers, each from the source named; the audit must give them through its API and its command."""

from __future__ import annotations

Y8 = [1, 1, 1, 1, 0, 0, 0, 0]
SCORE8 = [0.9, 0.8, 0.7, 0.4, 0.6, 0.5, 0.3, 0.2]

# Checked by hand against DeLong's components.
DELONG = {"auc": 0.875, "se": 0.1443376, "ci": [0.592104, 1.0]}
DELONG_PAIRED = {"score_b": [0.9, 0.4, 0.6, 0.3, 0.8, 0.5, 0.2, 0.1], "auc_b": 0.6875, "delta": 0.1875, "z": 1.107823, "p": 0.267938}

# The user guide of fairlearn.
RATES_Y = [0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1]
RATES_PREDICTION = [0, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0]
RATES_GROUP = list("bbabbcccaacabccbcc")
RATES = {
    "tpr": {"a": 0.5, "b": 0.6, "c": 0.4},
    "fpr": {"a": 1.0, "b": 0.0, "c": 0.6666667},
    "selection_rate": {"a": 0.75, "b": 0.5, "c": 0.5},
    "accuracy": {"a": 0.25, "b": 0.6666667, "c": 0.375},
}
RATE_SUMMARIES = {"dpd": 0.25, "dp_ratio": 0.6666667, "deodds": 1.0, "equal_opportunity_difference": 0.2}

# statsmodels: (successes, trials) -> 95 % interval.
WILSON = {(50, 100): (0.4038, 0.5962), (70, 100): (0.6042, 0.7811), (4, 5): (0.3755, 0.9638), (4, 6): (0.3000, 0.9032), (2, 5): (0.1176, 0.7693)}
P_VALUES = [0.001, 0.008, 0.039, 0.041, 0.2, 0.6, 0.007]
HOLM = [0.007, 0.042, 0.156, 0.156, 0.4, 0.6, 0.042]
BENJAMINI_HOCHBERG = [0.007, 0.0186667, 0.0574, 0.0574, 0.233333, 0.6, 0.0186667]

# The definition of ES-AUC, worked out.
ES_AUC_GROUP = list("ABBAABBA")
ES_AUC_SMALL = {"A": 0.75, "B": 1.0, "auc": 0.875, "es_auc": 0.70}
# No gap between groups, yet ranking between them halves ES-AUC.
TRAP = {"y": [1, 0, 1, 0], "score": [0.9, 0.8, 0.3, 0.2], "group": list("AABB"), "auc": 0.75, "max_gap": 0.0, "es_auc": 0.5}

# Results table of the FairCLIP repository, rounded to four digits: overall, group AUCs, ES-AUC.
PUBLISHED = [
    (0.6902, [0.7242, 0.7078, 0.6741], 0.6464),
    (0.6902, [0.6628, 0.7253], 0.6495),
    (0.6902, [0.6940, 0.5830], 0.6212),
    (0.7106, [0.7357, 0.7306, 0.6973], 0.6714),
    (0.7106, [0.6786, 0.7518], 0.6621),
    (0.7106, [0.7154, 0.5583], 0.6141),
    (0.7222, [0.7728, 0.7378, 0.7102], 0.6698),
    (0.7222, [0.6923, 0.7591], 0.6770),
    (0.7222, [0.7260, 0.6052], 0.6443),
]

# Ten equal-width bins, by hand.
ECE = {"p": [0.05, 0.15, 0.15, 0.85, 0.95, 0.95], "y": [0, 0, 1, 1, 1, 0], "ece": 0.30}
