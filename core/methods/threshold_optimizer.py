"""ThresholdOptimizer: plain training, then a decision rule per group fitted on validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from core.methods.base import Context, Decision, Method, SearchSpace, register
from core.methods.card import Card

EVERYBODY = ""
"""Stands for the rule fitted on all patients, used for unknown groups and those too small for their own."""
FEWEST_PER_CLASS = 2
"""Positives and negatives a group needs in validation to have a rule of its own."""


class Passthrough(BaseEstimator):  # type: ignore[misc]
    """A fitted estimator in scikit-learn's sense whose input already is its score."""

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
        "a group without enough of both labels in validation gets the rule of everybody",
        order=200,
        colour=("#7D6AA8", "#B7A5E2"),
    )
    fits_decision = True
    search_space: ClassVar[SearchSpace] = {"constraint": ("equalized_odds", "demographic_parity")}

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
        scores, y, names = np.asarray(scores, dtype=float), np.asarray(y, dtype=int), _names(groups)
        if len(np.unique(y)) < 2:
            return None
        everybody = self._rule(scores, y, np.full(len(y), EVERYBODY))
        enough = [name for name in np.unique(names) if name != EVERYBODY and _both_classes(y[names == name])]
        own = np.isin(names, enough)
        rule = self._rule(scores[own], y[own], names[own]) if enough else everybody

        def predict(scores: Any, groups: Any, seed: int) -> Any:
            scores, names = np.asarray(scores, dtype=float), _names(groups)
            own = np.isin(names, enough)
            labels = np.zeros(len(scores), dtype=np.int8)
            for rows, fitted, sensitive in ((own, rule, names), (~own, everybody, np.full(len(scores), EVERYBODY))):
                if rows.any():
                    labels[rows] = fitted.predict(scores[rows, None], sensitive_features=sensitive[rows], random_state=seed)
            return labels

        return Decision(predict=predict, randomised=True, needs_group=True)

    def _rule(self, scores: Any, y: Any, names: Any) -> Any:
        from fairlearn.postprocessing import ThresholdOptimizer as Fitter

        rule = Fitter(estimator=Passthrough(), constraints=self.settings.constraint, prefit=True, predict_method="predict")
        return rule.fit(scores[:, None], y, sensitive_features=names)


def _names(groups: Any) -> Any:
    """Group names as an array of str; a missing one becomes EVERYBODY."""
    return np.array([g if isinstance(g, str) and g else EVERYBODY for g in groups], dtype=str)


def _both_classes(y: Any) -> bool:
    return all((y == label).sum() >= FEWEST_PER_CLASS for label in (0, 1))
