"""`multifair torture`: kill, tear and fill a sweep at random moments, then count what is left."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.cli import common, emit, progress
from core.errors import UserError


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "torture",
        help="test that runs survive kills, torn files, a full disk",
        description="Disturb a small sweep at random moments and compare it with the same sweep left in peace. Exit code 1 when a run was lost, "
        "trained twice or differs. Your own workspace is not touched.",
    )
    common(parser)
    parser.add_argument("--kills", type=int, default=10, metavar="N", help="SIGKILLs of jobs, worker, server and ingest (default: 10)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the moments and victims (default: 1)")
    parser.add_argument("--runs", type=int, default=6, metavar="N", help="runs of the sweep, an even number (default: 6)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="keep everything in this new folder (default: a temporary one)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.study.torture import temporary_torture, torture

    if args.kills < 0 or args.runs < 2 or args.seed < 0:
        raise UserError("torture takes 0 or more kills, 2 or more runs, and a seed of 0 or more")
    seeds = args.runs // 2
    outcome = torture(args.out, args.kills, args.seed, progress, seeds) if args.out else temporary_torture(args.kills, args.seed, progress, seeds)
    if args.json:
        emit(asdict(outcome))
    else:
        kills = ", ".join(f"{count} of {name}" for name, count in outcome.kills.items())
        others = ", ".join(f"{count} {name}" for name, count in outcome.disturbances.items())
        print(
            f"{outcome.runs} runs in {outcome.attempts} attempts survived {sum(outcome.kills.values())} kills ({kills}) and {others} in {outcome.seconds:.0f} s"
            if not outcome.problems
            else "\n".join(outcome.problems)
        )
        for line in outcome.not_tried:
            print(f"not tried: {line}")
    return 1 if outcome.problems else 0
