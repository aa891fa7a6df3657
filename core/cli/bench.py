"""`multifair bench`: measure what the project claims about its speed, on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from core.cli import common, emit, progress
from core.errors import UserError

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
    step.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: 1, as every run has on a small machine)")
    step.add_argument("--check", action="store_true", help="exit with 1 when a limit is exceeded")
    common(step)
    step.set_defaults(run=run_step)
    audit = kinds.add_parser("audit", help="whole audits, and a bootstrap replicate beside fairlearn's", description="Ten thousand predictions with everything on, a million with 1,000 replicates, and fairlearn's bootstrap on the same data.")
    audit.add_argument("--n", type=int, default=1_000_000, metavar="N", help="predictions of the large audit (default: 1000000)")
    audit.add_argument("--check", action="store_true", help="exit with 1 when a limit is missed")
    common(audit)
    audit.set_defaults(run=run_audit)


def run_step(args: argparse.Namespace) -> int:
    import torch

    from core.training.benchmark import step_cost

    torch.set_num_threads(max(1, args.threads))
    costs = []
    for method in args.methods:
        cost = step_cost(method, args.steps, args.batch_size, args.device)
        progress(f"{method}: {cost.method_ms:.1f} ms a step, {cost.ratio:.2f} x erm ({cost.erm_ms:.1f} ms); telemetry {cost.telemetry_ratio:.3f} x")
        costs.append(cost)
    if args.json:
        emit([asdict(cost) for cost in costs])
    exceeded = any(c.telemetry_ratio > TELEMETRY_AT_MOST or (c.method == "multifair" and c.ratio > MULTIFAIR_AT_MOST) for c in costs)
    return 1 if args.check and exceeded else 0


def run_audit(args: argparse.Namespace) -> int:
    from core.study.audit_speed import measure

    if args.n < 1000:
        raise UserError("the large audit needs 1000 predictions or more")
    found = []
    for m in measure(args.n):
        found.append(m)
        spent = "" if m.processor_seconds is None else f", {m.processor_seconds:.2f} s of processor"
        progress(f"{m.claim}: {m.value:,.2f} {m.unit} (at {'least' if m.at_least else 'most'} {m.limit:g}{spent})")
    if args.json:
        emit([{**asdict(m), "kept": m.kept} for m in found])
    return 1 if args.check and not all(m.kept for m in found) else 0
