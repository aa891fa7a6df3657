"""`multifair plan-splits COHORT`: what each split allows to be found, per group, before any training."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import common, emit

DESCRIPTION = """\
Say for each split and group of a cohort, before anything is trained: are there enough patients for an estimate, what
is the smallest AUC gap that would be called a disparity, and what helps where that is too large (another split,
merged groups, cross-validation, more patients)."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "plan-splits", help="what the splits of a cohort allow to be found", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common(parser)
    parser.add_argument("cohort", metavar="ID_OR_NAME", help="see multifair cohorts")
    parser.add_argument("--attribute", metavar="NAME", help="sensitive attribute (default: each of the cohort's); sex,age: the intersections of both")
    parser.add_argument("--auc", type=float, metavar="X", help="AUC to plan with, the same in every group (default .85)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.cohort.cohort import load
    from core.report.tables import records
    from core.results.split_plan import ASSUMED_AUC, plan_sentences, split_plan
    from core.tables.crossing import crossed_name
    from core.workspace import Workspace

    cohort = load(Workspace.open(args.workspace), args.cohort)
    attributes: list[str | None] = [crossed_name(args.attribute, cohort.roles.attributes)] if args.attribute else [*cohort.roles.attributes] or [None]
    plans = {name: split_plan(cohort, name, assumed_auc=ASSUMED_AUC if args.auc is None else args.auc) for name in attributes}
    if args.json:
        emit({str(name): records(plan) for name, plan in plans.items()})
        return 0
    for name, plan in plans.items():
        print(f"== {cohort.roles.title(str(name))} ==")
        for sentence in plan_sentences(plan, cohort.roles.title(str(name))):
            print(f"  {sentence}")
        for row in plan.to_dict("records"):
            gap = (
                f"AUC gap from {row['detectable']:.2f} on"
                if row["detectable"] == row["detectable"] and row["detectable"] is not None
                else "no gap can be found"
                if row["judged"]
                else "cannot be judged"
            )
            print(f"  {row['part']:<11} {row['group']:<20} {row['patients']:>7} patients, {row['n_pos']:>6} positive / {row['n_neg']:>6} negative: {gap}")
            if row["advice"]:
                print(f"  {'':<11} {'':<20} -> {row['advice']}")
    return 0
