"""`multifair tune`: hyperparameters of methods on a cohort, with equal trials."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.cli import common, emit, progress


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "tune",
        help="search hyperparameters with optuna, the same number of trials for every method",
        description="Searches learning rate, weight decay and each method's own settings on validation. Every trial is kept; a stopped search goes on "
        "where it was.",
    )
    common(parser)
    parser.add_argument("--cohort", required=True, metavar="ID_OR_NAME")
    parser.add_argument("--method", nargs="+", required=True, metavar="NAME", help="see multifair methods")
    parser.add_argument("--attribute", metavar="NAME", help="sensitive attribute (default: the cohort's first)")
    parser.add_argument("--preset", default="quick", metavar="NAME")
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="trainings per method (default 20)")
    parser.add_argument("--criterion", default="es_auc", metavar="NAME", help="es_auc, auc or worst_group_auc on validation (default es_auc)")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="fixed for all trials")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", metavar="DIR", help="folder for the trials (default: in the workspace)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core import cohort as cohorts
    from core.errors import UserError
    from core.runs.setting_types import parse_settings
    from core.study.tuning import Search, command, search
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    cohort = cohorts.load(workspace, args.cohort)
    known = cohort.roles.attributes
    attribute = args.attribute or (known[0] if known else None)
    if attribute is None or attribute not in known:
        raise UserError(f"{cohort.name} has no sensitive attribute {args.attribute or ''}; it has: {', '.join(known) or 'none'}")
    given = Search(
        cohort, attribute, args.preset, args.trials, args.criterion, args.seed, parse_settings((f"--set {pair}", pair) for pair in args.set), args.device
    )
    folder = Path(args.out) if args.out else workspace.cache / "tune" / cohort.cohort_id
    found = search(given, tuple(dict.fromkeys(args.method)), folder, progress)
    progress(f"every trial: {folder / 'trials.csv'}")
    if args.json:
        emit([{**vars(one), "settings": dict(one.settings), "command": command(one, given)} for one in found])
        return 0
    for one in found:
        value = "none completed" if one.value is None else f"{one.value:.3f}"
        print(
            f"{one.method}{': ' + one.variant if one.variant else ''}: {args.criterion} {value} on validation after {one.trials} trials "
            f"({one.pruned} pruned)\n    {command(one, given)}"
        )
    return 0
