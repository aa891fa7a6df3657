"""`multifair runs`: every run of the workspace and how it stands."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import common, progress
from core.cli.tables import formats, show


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("runs", help="list runs", description="List the runs of the workspace, oldest first, with their status.")
    common(parser)
    formats(parser)
    parser.add_argument("--cohort", metavar="ID_OR_NAME", help="only runs on this cohort")
    parser.add_argument("--status", choices=("queued", "running", "done", "failed", "cancelled"), action="append", help="only runs of this status; may be repeated")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core import cohort as cohorts
    from core.runs.folder import damaged
    from core.store import Store
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    cohort_id = cohorts.load(workspace, args.cohort).cohort_id if args.cohort else None
    with Store.open(workspace) as store:
        frame = store.runs(cohort_id, args.status)
    for problem in damaged(workspace):
        progress(f"multifair: {problem}")
    show(frame, args, "No runs yet. Start some with multifair train.", ["run_id", "label", "attribute", "seed", "preset", "status", "seconds", "reason"])
    return 0
