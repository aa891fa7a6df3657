"""Which epoch is kept: rules on the validation metrics of the epochs so far.

Zhang et al. (CHIL 2022) and Zong et al. (MEDFAIR, ICLR 2023) show that the rule decides as much as the method.
"""

from __future__ import annotations

from core.errors import UserError
from core.training.evaluate import RankingMetrics

HARM = 0.01
"""AUC that a group may lose, as rounding, before `no_harm` calls it harmed."""
ASKS_FOR_GROUPS = ("worst_group", "es_auc", "minimax_pareto", "no_harm")


def better(new: RankingMetrics, kept: RankingMetrics | None, rule: str) -> bool:
    """Whether the epoch with the metrics `new` is to be kept in the place of `kept` (None: none is kept yet).

    auc : the higher AUC.
    worst_group, es_auc : the higher worst group AUC, the higher ES-AUC.
    minimax_pareto : the group AUCs from the lowest up, the first that differs decides; what is kept is on the
        Pareto front and has its best worst group (Martinez et al., ICML 2020). It differs from worst_group only in ties.
    no_harm : no judged group's AUC is lower by more than HARM, and the gap between groups is smaller or the AUC higher.

    Raises UserError where a rule about groups meets fewer than two groups that can be judged.
    """
    if rule in ASKS_FOR_GROUPS and new.es_auc is None:
        raise UserError(
            f"selection={rule} needs two groups with 5 positive and 5 negative validation patients each; "
            f"{new.reason or 'no sensitive attribute is chosen'}{new.without}: choose selection=auc or another attribute"
        )
    if new.auc is None:
        return False
    if kept is None:
        return True
    if rule == "no_harm":
        return _no_harm(new, kept)
    return _rank(new, rule) > _rank(kept, rule)


def _rank(found: RankingMetrics, rule: str) -> tuple[float, ...]:
    overall = float(found.auc or 0.0)
    if rule == "auc":
        return (overall,)
    if rule == "minimax_pareto":
        return (*sorted(found.judged.values()), overall)
    value = found.worst_group_auc if rule == "worst_group" else found.es_auc
    return (float(value or 0.0), overall)


def _no_harm(new: RankingMetrics, kept: RankingMetrics) -> bool:
    if any(new.judged.get(group, 0.0) < area - HARM for group, area in kept.judged.items()):
        return False
    return float(new.max_gap or 0.0) < float(kept.max_gap or 0.0) or float(new.auc or 0.0) > float(kept.auc or 0.0)
