"""`multifair results`: what finished runs reach, as tidy tables."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import common
from core.cli.tables import formats, show

DESCRIPTION = """\
Print results of finished runs as one tidy table: summary (one row per run), methods (one row per method: mean and
standard deviation over seeds, and with --reference its paired difference), groups (one row per run and group), epochs (losses and AUC on validation), telemetry (contribution, conflict, effect) or predictions."""
METRICS = ("auc", "es_auc", "worst_group_auc", "max_gap", "dpd", "deodds")
TABLES = ("summary", "methods", "groups", "epochs", "telemetry", "predictions")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("results", help="print results as tables", description=DESCRIPTION)
    common(parser)
    formats(parser)
    parser.add_argument("table", nargs="?", choices=TABLES, default="summary", help="default: summary")
    parser.add_argument("--cohort", metavar="ID_OR_NAME", help="only runs on this cohort")
    parser.add_argument("--run", metavar="ID", dest="run_ids", nargs="+", action="extend", help="only these runs (default: all that are done)")
    parser.add_argument("--attribute", metavar="NAME", help="groups of this attribute (default: the one each run was trained with)")
    parser.add_argument("--name", metavar="NAME", nargs="+", action="extend", help="telemetry: only these series; a name that ends in a dot is a prefix")
    parser.add_argument("--reference", metavar="METHOD", help="methods: add each method's paired difference to this one, on the same patients and seeds")
    parser.add_argument("--measure", choices=("auc", "es_auc", "worst_group_auc", "max_gap"), default="es_auc", help="methods: what the difference is of (default: es_auc)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core import cohort as cohorts
    from core.runs import find
    from core.store import Store
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    cohort_id = cohorts.load(workspace, args.cohort).cohort_id if args.cohort else None
    with Store.open(workspace) as store:
        runs = store.runs(cohort_id)
        if args.run_ids:
            runs = runs[runs["run_id"].isin([find(workspace, run_id).run_id for run_id in args.run_ids])]
        else:
            runs = runs[runs["status"] == "done"]
        frame = _table(store, args, runs)
    show(frame, args, "No finished runs yet: see multifair runs.")
    return 0


def short(value: float | None) -> str:
    """Three decimals, or a dash for what is undefined."""
    return "-" if value is None else f"{value:.3f}"


def _table(store: Any, args: argparse.Namespace, runs: Any) -> Any:
    run_ids = runs["run_id"].tolist()
    if args.table == "epochs":
        return store.epochs(run_ids)
    if args.table == "telemetry":
        return store.telemetry(run_ids, args.name)
    if args.table == "predictions":
        return store.predictions(run_ids)
    done = runs[runs["status"] == "done"]
    if args.table == "methods":
        return _methods(store, done, args)
    return _summaries(store, done, args.attribute, args.table == "groups")


def _methods(store: Any, runs: Any, args: argparse.Namespace) -> Any:
    from core.errors import UserError
    from core.results.method_table import by_method

    if runs["cohort_id"].nunique() > 1:
        raise UserError("the finished runs are of several cohorts; choose one with --cohort")
    attributes = [args.attribute] if args.attribute else runs["attribute"].dropna().unique().tolist()
    if len(runs) and len(attributes) != 1:
        raise UserError(f"the runs were trained for {', '.join(attributes) or 'no attribute'}; choose one with --attribute")
    summaries = _summaries(store, runs, args.attribute, False)
    return by_method(store, runs, summaries[["run_id", *METRICS]], attributes[0], args.reference, args.measure) if len(runs) else summaries


def _summaries(store: Any, runs: Any, attribute: str | None, by_group: bool) -> Any:
    import pandas as pd

    from core.errors import UserError
    from core.results.summary import test_summary

    rows: list[dict[str, Any]] = []
    for run in runs.to_dict(orient="records"):
        known = store.attributes(run["cohort_id"])["attribute"].unique().tolist()
        if attribute is not None and attribute not in known:
            raise UserError(f"cohort {run['cohort_id']} has no sensitive attribute {attribute!r}; it has: {', '.join(known) or 'none'}")
        test = test_summary(store, run["run_id"], attribute)
        shown = attribute or (None if pd.isna(run["attribute"]) else run["attribute"])
        about = {"run_id": run["run_id"], "method": run["method"], "label": run["label"], "seed": run["seed"], "attribute": shown}
        if by_group:
            reasons = test["not_estimable"]
            rows += [{**about, "group": group, "auc": value, "reason": reasons.get(group)} for group, value in test["group_auc"].items()]
        else:
            rows.append(about | {name: test[name] for name in (*METRICS, "n", "n_pos")})
    columns = ["run_id", "method", "label", "seed", "attribute"]
    columns += ["group", "auc", "reason"] if by_group else [*METRICS, "n", "n_pos"]
    return pd.DataFrame(rows, columns=columns)
