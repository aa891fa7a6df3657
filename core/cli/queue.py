"""`multifair queue`: what runs, what waits, for how long; change the order."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from core.cli import common, emit
from core.errors import UserError


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("queue", help="show or change the queue", description="Show running and queued runs with the time they will still take, and change the order or how many run at a time.")
    common(parser)
    parser.add_argument("--move", nargs=2, metavar=("RUN", "POSITION"), help="put a queued run at a position; 1 is next")
    parser.add_argument("--parallel", metavar="N|auto", help="runs at a time, from now on")
    parser.add_argument("--start", action="store_true", help="start what is queued, after a restart of the machine for example")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.runs import ensure_worker, move, parallel, queue_state, set_parallel, settle
    from core.runs.wait import describe_progress, duration
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    settle(workspace)
    if args.parallel is not None:
        set_parallel(workspace, None if args.parallel == "auto" else _number(args.parallel, "--parallel"))
    if args.move is not None:
        move(workspace, args.move[0], _number(args.move[1], "--move"))
    items = queue_state(workspace)
    if args.start and items:
        ensure_worker(workspace)
    if args.json:
        emit([asdict(item) for item in items])
        return 0
    if not items:
        print("Nothing is queued or running.")
    for item in items:
        if item.status == "running":
            state = "stopping" if item.cancelling else describe_progress({"epoch": item.epoch, "epochs": item.epochs, "seconds_left": item.seconds_left})
        else:
            state = f"queued, number {item.position}" + (f", done in {duration(item.seconds_left)}" if item.seconds_left is not None else "")
        print(f"{item.run_id}  {item.label}  {state}")
    if items:
        print(f"{parallel(workspace)} at a time")
    return 0


def _number(text: str, flag: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UserError(f"{flag}: {text!r} is not a whole number") from None
