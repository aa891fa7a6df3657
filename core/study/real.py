"""`multifair study cohort`: the same comparison on any saved cohort."""

from __future__ import annotations

from core.cohort import Cohort
from core.errors import UserError
from core.study.comparison import Plan
from core.training.presets import PRESETS


def cohort_plan(cohort: Cohort, attribute: str | None, preset: str, methods: tuple[str, ...], seeds: tuple[int, ...], budget: int, device: str = "cpu") -> Plan:
    """The plan on a saved cohort with a preset's network, encoders and schedule included, and its budget. UserError where it has no such attribute."""
    known = cohort.roles.attributes
    chosen = attribute or (known[0] if known else None)
    if chosen is None or chosen not in known:
        raise UserError(f"{cohort.name} has no sensitive attribute {attribute or ''}; it has: {', '.join(known) or 'none'}".replace("  ", " "))
    if preset not in PRESETS:
        raise UserError(f"no preset is named {preset!r}; known: {', '.join(PRESETS)}")
    budgeted = PRESETS[preset]
    base = {"telemetry.enabled": False, "telemetry.baseline": False}
    test = cohort.rows("test")
    group, y, names = cohort.group_index(chosen)[test], cohort.y[test], cohort.groups(chosen)
    counts = ", ".join(f"{name} {int((group == g).sum())} ({int(y[group == g].sum())} positive)" for g, name in enumerate(names))
    smallest = min(min(int(y[group == g].sum()), int((1 - y[group == g]).sum())) for g in range(len(names)))
    conditions = [f"cohort {cohort.name}, attribute {chosen}; test patients per group: {counts}", f"preset {preset}: {budgeted.summary}"]
    if smallest < 50:
        conditions.append(
            f"the smallest class of a group has {smallest} test patients: intervals over patients are wide, and an order of methods is not "
            "established by such data"
        )
    return Plan(f"Methods on {cohort.name} ({chosen})", chosen, methods, seeds, budget, base, tuple(conditions), preset, device)
