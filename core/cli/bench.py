"""`multifair bench`: measure what the project claims about its speed, on this machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.cli import common, emit, progress
from core.errors import UserError

if TYPE_CHECKING:
    from core.study.audit_speed import Measured

MULTIFAIR_AT_MOST = 1.15
TELEMETRY_AT_MOST = 1.05


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "bench",
        help="measure speed against the stated limits",
        description="Measures on this machine what the project claims about its speed. Close other programs first: ratios are taken in turns, so they bear some load, but not all.",
    )
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
    audit = kinds.add_parser(
        "audit",
        help="whole audits, and a bootstrap replicate beside fairlearn's",
        description="Ten thousand predictions with everything on, a million with 1,000 replicates, and fairlearn's bootstrap on the same data.",
    )
    audit.add_argument("--n", type=int, default=1_000_000, metavar="N", help="predictions of the large audit (default: 1000000)")
    audit.add_argument("--check", action="store_true", help="exit with 1 when a limit is missed")
    common(audit)
    audit.set_defaults(run=run_audit)
    for name, what in (
        ("start", "commands that print a table, in a workspace of 2,000 runs"),
        ("input", "an epoch from the cache beside decoding, and ingestion beside bare decoding"),
    ):
        kind = kinds.add_parser(name, help=what, description=f"Measures {what}.")
        kind.add_argument("--n", type=int, metavar="N", help="runs, or images, to measure with (default: 2000 runs, 1000 images)")
        kind.add_argument("--check", action="store_true", help="exit with 1 when a limit is missed")
        common(kind)
        kind.set_defaults(run=run_start if name == "start" else run_input)


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
    return _report(args, "audit", measure(args.n))


def run_start(args: argparse.Namespace) -> int:
    from core.study.start_speed import RUNS, measure

    return _report(args, "start", measure(_positive(args.n, RUNS)))


def run_input(args: argparse.Namespace) -> int:
    from core.study.input_speed import IMAGES, measure

    return _report(args, "input", measure(_positive(args.n, IMAGES)))


def _positive(given: int | None, usual: int) -> int:
    if given is not None and given < 10:
        raise UserError(f"--n {given}: measure with 10 or more")
    return given or usual


def _report(args: argparse.Namespace, kind: str, measured: Iterable[Measured]) -> int:
    """Say each claim as it is measured, keep all in the history, and print one JSON document."""
    from core.runs.environment import describe
    from core.workspace import Workspace

    found = []
    for m in measured:
        found.append(m)
        spent = "" if m.processor_seconds is None else f", {m.processor_seconds:.2f} s of processor"
        progress(f"{m.claim}: {m.value:,.2f} {m.unit} (at {'least' if m.at_least else 'most'} {m.limit:g}{spent})")
    rows = [{**asdict(m), "kept": m.kept} for m in found]
    machine = {name: value for name, value in describe("cpu", 1).items() if name in ("python", "packages", "commit", "platform", "cores")}
    history = Workspace.open(args.workspace).cache / "bench.jsonl"
    with history.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"bench": kind, "time": datetime.now(UTC).isoformat(timespec="seconds"), "measured": rows, **machine}) + "\n")
    if args.json:
        emit(rows)
    return 1 if args.check and not all(m.kept for m in found) else 0
