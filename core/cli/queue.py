"""`multifair queue`: what runs, what waits, for how long; change the order."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from core.cli import common, emit, progress
from core.errors import UserError


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "queue",
        help="show, order or pause the queue",
        description="Show running and queued runs with the time they will still take; change the order, how many run at a time and in how much memory, "
        "or pause.",
    )
    common(parser)
    parser.add_argument("--move", nargs=2, metavar=("RUN", "POSITION"), help="put a queued run at a position; 1 is next")
    parser.add_argument("--parallel", metavar="N|auto", help="runs at a time, from now on")
    parser.add_argument("--memory", metavar="GB|auto", help="memory that all runs together may take, from now on (auto: what the machine has free)")
    parser.add_argument("--priority", nargs=2, metavar=("RUN", "high|normal|low"), help="start a queued run before or after the others")
    parser.add_argument("--pause", action="store_true", help="start no further run; runs under way are finished")
    parser.add_argument("--resume", action="store_true", help="go on with what waits")
    parser.add_argument("--start", action="store_true", help="start what is queued, after a restart of the machine for example")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.runs import ensure_worker, parallel, queue_state, settle_dead_runs
    from core.runs.queue_settings import queue_settings, settings_problem
    from core.runs.wait import describe_progress, duration
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    settle_dead_runs(workspace)
    problem = settings_problem(workspace)
    if problem is not None:
        progress(f"multifair: {problem}")
    _change(args, workspace)
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
        print(f"{parallel(workspace)} at a time{', paused: multifair queue --resume goes on' if queue_settings(workspace).paused else ''}")
    return 0


def _change(args: argparse.Namespace, workspace: Any) -> None:
    from core.runs import move, pause, resume, set_priority
    from core.runs.queue_settings import change_settings

    if args.pause and args.resume:
        raise UserError("give either --pause or --resume")
    if args.parallel is not None:
        change_settings(workspace, parallel=None if args.parallel == "auto" else _number(args.parallel, "--parallel"))
    if args.memory is not None:
        change_settings(workspace, memory_gb=None if args.memory == "auto" else _gigabytes(args.memory))
    if args.move is not None:
        move(workspace, args.move[0], _number(args.move[1], "--move"))
    if args.priority is not None:
        set_priority(workspace, *args.priority)
    if args.pause:
        pause(workspace)
    if args.resume:
        resume(workspace)


def _gigabytes(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"--memory: {text!r} is not a number of gigabytes") from None


def _number(text: str, flag: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UserError(f"{flag}: {text!r} is not a whole number") from None
