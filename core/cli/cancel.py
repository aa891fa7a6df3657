"""`multifair cancel`: stop queued or running runs."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import common, emit


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "cancel",
        help="stop runs",
        description="Stop queued or running runs. What they have measured is kept; multifair retry goes on from the last checkpoint.",
    )
    common(parser)
    parser.add_argument("run_ids", metavar="RUN", nargs="*", help="run id, or the beginning of one")
    parser.add_argument("--all", action="store_true", help="every run that is queued or running")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.errors import UserError
    from core.runs import cancel, find, queue_state
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    if bool(args.run_ids) == args.all:
        raise UserError("name the runs to cancel, or give --all; multifair queue lists them")
    # The last first: a place that becomes free must not be given to a run about to be cancelled.
    run_ids = [item.run_id for item in reversed(queue_state(workspace))] if args.all else args.run_ids
    answer = [{"run_id": find(workspace, run_id).run_id, "status": cancel(workspace, run_id)} for run_id in run_ids]
    if args.json:
        emit(answer)
    for entry in answer if not args.json else []:
        print(f"{entry['run_id']}  {'cancelled' if entry['status'] == 'cancelled' else 'is being stopped'}")
    return 0
