"""`multifair retry`: try failed or cancelled runs again."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from core.cli import common, emit


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("retry", help="try failed or cancelled runs again", description="Queue failed or cancelled runs again. They go on from their last checkpoint.")
    common(parser)
    parser.add_argument("run_ids", metavar="RUN", nargs="+", help="run id, or the beginning of one")
    parser.add_argument("--fresh", action="store_true", help="from the start, not from the checkpoint")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.runs import retry
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    answer = [asdict(retry(workspace, run_id, args.fresh)) for run_id in args.run_ids]
    if args.json:
        emit(answer)
    for entry in answer if not args.json else []:
        print(f"{entry['run_id']}  {entry['status']}")
    return 0
