"""`multifair runs`: every run of the workspace and how it stands."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import common, progress
from core.cli.tables import formats, show_rows


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("runs", help="list runs", description="List the runs of the workspace, oldest first, with their status.")
    common(parser)
    formats(parser)
    parser.add_argument("--cohort", metavar="ID_OR_NAME", help="only runs on this cohort")
    parser.add_argument(
        "--status", choices=("queued", "running", "done", "failed", "cancelled"), action="append", help="only runs of this status; may be repeated"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.cohort_folders import find_cohort
    from core.runs.dead_runs import settle_dead_runs
    from core.runs.folder import damaged
    from core.runs.listing import list_runs
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    cohort_id = find_cohort(workspace, args.cohort).name if args.cohort else None
    settle_dead_runs(workspace)
    rows = [row for row in list_runs(workspace) if cohort_id in (None, row["cohort_id"]) and (not args.status or row["status"] in args.status)]
    for problem in damaged(workspace):
        progress(f"multifair: {problem}")
    show_rows(rows, args, "No runs yet. Start some with multifair train.", ["run_id", "label", "attribute", "seed", "preset", "status", "seconds", "reason"])
    if not args.json and not args.csv:
        for row in rows:
            for message in row["alerts"].splitlines():
                print(f"{row['run_id']}: {message}")
    return 0
