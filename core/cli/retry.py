"""`multifair retry`: train runs that have ended again."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from core.cli import common, emit


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "retry",
        help="train runs that have ended again",
        description="Queue runs that have ended again. Failed and cancelled ones go on from their last checkpoint, done ones are trained from the start.",
    )
    common(parser)
    parser.add_argument("run_ids", metavar="RUN", nargs="*", help="run id, or the beginning of one")
    parser.add_argument("--failed", action="store_true", help="every failed run")
    parser.add_argument("--fresh", action="store_true", help="from the start, not from the checkpoint")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.errors import UserError
    from core.runs import retry, retry_failed
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    if bool(args.run_ids) == args.failed:
        raise UserError("name the runs to try again, or give --failed; multifair runs lists them")
    handles = retry_failed(workspace, args.fresh) if args.failed else [retry(workspace, run_id, args.fresh) for run_id in args.run_ids]
    if args.json:
        emit([asdict(handle) for handle in handles])
    for handle in handles if not args.json else []:
        print(f"{handle.run_id}  {handle.status}")
    if not handles and not args.json:
        print("No run has failed.")
    return 0
