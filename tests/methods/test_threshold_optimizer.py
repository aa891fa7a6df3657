"""ThresholdOptimizer: what fairlearn's rule does through our door."""

from __future__ import annotations

import numpy as np
import pytest

from core.methods import get
from tests.methods.support import context

CLS = get("threshold-optimizer")


def _validation(n: int = 4000, seed: int = 0):
    """Group b's scores are lower at equal labels."""
    rng = np.random.default_rng(seed)
    groups = np.where(rng.random(n) < 0.3, "b", "a")
    y = rng.integers(0, 2, n)
    scores = 1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * (2 * y - 1) - 1.5 * (groups == "b"))))
    return scores, y, groups


def _fit(constraint: str = "equalized_odds"):
    method = CLS(CLS.parse_settings({"constraint": constraint}), context())
    return method.fit_decision(*_validation())


def test_equalised_odds_on_new_patients() -> None:
    decision = _fit()
    scores, y, groups = _validation(seed=1)
    labels = decision.predict(scores, groups, 0)
    for label in (0, 1):
        rates = [labels[(groups == g) & (y == label)].mean() for g in "ab"]
        assert abs(rates[0] - rates[1]) < 0.06
    plain = [(scores[(groups == g) & (y == 1)] >= 0.5).mean() for g in "ab"]
    assert abs(plain[0] - plain[1]) > 0.2


def test_demographic_parity() -> None:
    decision = _fit("demographic_parity")
    scores, _, groups = _validation(seed=1)
    labels = decision.predict(scores, groups, 0)
    assert abs(labels[groups == "a"].mean() - labels[groups == "b"].mean()) < 0.05


def test_seeded_and_randomised() -> None:
    decision = _fit()
    scores, _, groups = _validation(seed=1)
    assert np.array_equal(decision.predict(scores, groups, 5), decision.predict(scores, groups, 5))
    assert not np.array_equal(decision.predict(scores, groups, 5), decision.predict(scores, groups, 6))
    assert decision.randomised and decision.needs_group


def test_unknown_and_unseen_groups_get_the_rule_of_everybody() -> None:
    decision = _fit()
    scores, _, _ = _validation(seed=1)
    unknown = decision.predict(scores, [None] * len(scores), 0)
    unseen = decision.predict(scores, ["z"] * len(scores), 0)
    assert np.array_equal(unknown, unseen)
    assert set(np.unique(unknown)) == {0, 1}


def test_group_without_both_labels_does_not_stop_it() -> None:
    scores, y, groups = _validation()
    groups = groups.copy()
    groups[np.flatnonzero(y == 1)[:20]] = "c"
    method = CLS(CLS.parse_settings({}), context())
    decision = method.fit_decision(scores, y, groups)
    assert decision.predict(scores, groups, 0).shape == y.shape


def test_one_class_gives_no_rule() -> None:
    method = CLS(CLS.parse_settings({}), context())
    assert method.fit_decision([0.1, 0.9], [1, 1], ["a", "b"]) is None


def test_refuses_three_classes() -> None:
    with pytest.raises(ValueError, match="two classes"):
        CLS(CLS.parse_settings({}), context(n_classes=3))
