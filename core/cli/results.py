"""`multifair results`: what finished runs reach, as tidy tables."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import common
from core.cli.tables import formats, show

DESCRIPTION = """\
Print results of finished runs as one tidy table: summary (one row per run), methods (one row per method: mean and
standard deviation over seeds, and with --reference its paired difference), groups (one row per run and group), classes
(one per run and class against the rest, and their mean), epochs (losses and AUC on validation), telemetry
(contribution, conflict, effect), predictions, or contributions (one row per run, test sample and modality: by how much
the score changes when the modality is taken away)."""
TABLES = ("summary", "methods", "groups", "classes", "epochs", "telemetry", "predictions", "contributions")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("results", help="print results as tables", description=DESCRIPTION)
    common(parser)
    formats(parser)
    parser.add_argument("table", nargs="?", choices=TABLES, default="summary", help="default: summary")
    parser.add_argument("--cohort", metavar="ID_OR_NAME", help="only runs on this cohort")
    parser.add_argument("--run", metavar="ID", dest="run_ids", nargs="+", action="extend", help="only these runs (default: all finished runs)")
    parser.add_argument("--attribute", metavar="NAME", help="groups of this attribute (default: the one each run was trained with)")
    parser.add_argument("--name", metavar="NAME", nargs="+", action="extend", help="telemetry: only these series; a name that ends in a dot is a prefix")
    parser.add_argument("--reference", metavar="METHOD", help="methods: add each method's paired difference to this one, on the same patients and seeds")
    parser.add_argument(
        "--measure", choices=("auc", "es_auc", "worst_group_auc", "max_gap"), default="es_auc", help="methods: what the difference is of (default: es_auc)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.api.runs import load_runs

    runs = load_runs(args.run_ids, cohort=args.cohort, workspace=args.workspace)
    frame = runs.table(args.table, args.attribute, series=args.name, reference=args.reference, measure=args.measure)
    show(frame, args, "No finished runs yet: see multifair runs.")
    return 0


def short(value: float | None) -> str:
    """Three decimals, or a dash for what is undefined."""
    return "-" if value is None else f"{value:.3f}"
