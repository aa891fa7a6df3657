"""ThresholdOptimizer: plain training, then a decision rule per group fitted on validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.methods.base import Card, Context, Decision, Method, register

OTHERS = "(other)"
"""Name under which samples of groups that cannot be fitted alone are pooled."""
FEWEST_PER_CLASS = 2


class Passthrough:
    """A fitted classifier in scikit-learn's sense whose input already is its score."""

    classes_ = np.array([0, 1])

    def fit(self, x: Any, y: Any) -> Passthrough:
        return self

    def predict(self, x: Any) -> Any:
        return np.asarray(x, dtype=float).ravel()

    def __sklearn_is_fitted__(self) -> bool:
        return True


@register
class ThresholdOptimizer(Method):
    """fairlearn's post-processing of the fused model's scores (Hardt, Price and Srebro, NeurIPS 2016).

    The rule predicts labels, not scores: every score-based figure is the base model's. It
    chooses between thresholds at random to meet the constraint exactly, so predictions
    depend on a seed, and it needs each patient's group.
    """

    name = "threshold-optimizer"
    card = Card(
        title="Threshold optimizer",
        family="fairness",
        paper="Hardt, Price and Srebro, Equality of Opportunity in Supervised Learning, NeurIPS 2016 (fairlearn)",
        summary="Chooses thresholds per group on validation, after plain training.",
        inference_needs="the modalities and the sensitive attribute",
        limits="two classes only; randomised; no scores of its own, so its AUC is the base model's; "
        "groups without both labels in validation share one rule",
    )
    search_space = {"constraint": ("equalized_odds", "demographic_parity")}

    @dataclass(frozen=True)
    class Settings(Method.Settings):
        constraint: str = "equalized_odds"
        """Any constraint name that fairlearn's ThresholdOptimizer knows."""

    def __init__(self, settings: Method.Settings, context: Context) -> None:
        super().__init__(settings, context)
        if context.n_classes != 2:
            raise ValueError(f"threshold-optimizer supports two classes, not {context.n_classes}")

    def fit_decision(self, scores: Any, y: Any, groups: Any) -> Decision | None:
        """None where validation has one class only: there is nothing to choose a threshold by."""
        from fairlearn.postprocessing import ThresholdOptimizer as Fitter

        scores, y = np.asarray(scores, dtype=float), np.asarray(y, dtype=int)
        names = _names(groups)
        if len(np.unique(y)) < 2:
            return None
        fitted = {
            name
            for name in np.unique(names)
            if name != OTHERS and all((y[names == name] == label).sum() >= FEWEST_PER_CLASS for label in (0, 1))
        }
        pooled = _pool(names, fitted)
        # A rule for groups that are too small or unknown; when they lack a class, everybody's.
        rest = pooled == OTHERS
        if rest.any() and len(np.unique(y[rest])) < 2 or not rest.any():
            scores = np.concatenate([scores, scores])
            y = np.concatenate([y, y])
            pooled = np.concatenate([np.where(rest, OTHERS, pooled), np.full(len(rest), OTHERS)])
            keep = np.concatenate([~rest, np.ones(len(rest), dtype=bool)])
            scores, y, pooled = scores[keep], y[keep], pooled[keep]
        rule = Fitter(estimator=Passthrough(), constraints=self.settings.constraint, prefit=True, predict_method="predict")
        rule.fit(scores[:, None], y, sensitive_features=pooled)

        def predict(scores: Any, groups: Any, seed: int) -> Any:
            column = np.asarray(scores, dtype=float)[:, None]
            labels = rule.predict(column, sensitive_features=_pool(_names(groups), fitted), random_state=seed)
            return np.asarray(labels).astype(np.int8).ravel()

        return Decision(predict=predict, randomised=True, needs_group=True)


def _names(groups: Any) -> Any:
    """Group names as an object array; a missing one becomes OTHERS."""
    return np.array([g if isinstance(g, str) and g else OTHERS for g in groups], dtype=object)


def _pool(names: Any, fitted: set[str]) -> Any:
    return np.array([name if name in fitted else OTHERS for name in names], dtype=object)
