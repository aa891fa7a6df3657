"""`multifair bench`: measure what the project claims about its speed, on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from core.cli import common, emit, progress

MULTIFAIR_AT_MOST = 1.15
TELEMETRY_AT_MOST = 1.05


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("bench", help="measure speed against the stated limits", description="Measures on this machine what the project claims about its speed. Close other programs first: ratios are taken in turns, so they bear some load, but not all.")
    kinds = parser.add_subparsers(dest="bench", metavar="WHAT", required=True)
    step = kinds.add_parser(
        "step",
        help="one training step of a method beside plain training, and of telemetry beside none",
        description=f"One step of each method over one step of erm on the same network (limit for multifair: {MULTIFAIR_AT_MOST}), and of erm with telemetry over without (limit: {TELEMETRY_AT_MOST}).",
    )
    step.add_argument("--methods", nargs="+", default=["multifair"], metavar="NAME", help="methods to time (default: multifair)")
    step.add_argument("--steps", type=int, default=100, metavar="N", help="steps of each kind (default: 100)")
    step.add_argument("--batch-size", type=int, default=32, metavar="N")
    step.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
    step.add_argument("--check", action="store_true", help="exit with 1 when a limit is exceeded")
    common(step)
    step.set_defaults(run=run_step)


def run_step(args: argparse.Namespace) -> int:
    from core.training.benchmark import step_cost

    costs = []
    for method in args.methods:
        cost = step_cost(method, args.steps, args.batch_size, args.device)
        progress(f"{method}: {cost.method_ms:.1f} ms a step, {cost.ratio:.2f} x erm ({cost.erm_ms:.1f} ms); telemetry {cost.telemetry_ratio:.3f} x")
        costs.append(cost)
    if args.json:
        emit([asdict(cost) for cost in costs])
    exceeded = any(c.telemetry_ratio > TELEMETRY_AT_MOST or (c.method == "multifair" and c.ratio > MULTIFAIR_AT_MOST) for c in costs)
    return 1 if args.check and exceeded else 0
