"""`multifair bench`: measure what the project claims about its speed, on this machine."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.cli import common, emit, progress
from core.errors import UserError

if TYPE_CHECKING:
    from core.study.audit_speed import Measured

MULTIFAIR_AT_MOST = 1.10
TELEMETRY_AT_MOST = 1.03


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "bench",
        help="measure speed against the stated limits",
        description="Measures on this machine what the project claims about its speed. Close other programs first: ratios are taken in turns, so they "
        "bear some load, but not all.",
    )
    kinds = parser.add_subparsers(dest="bench", metavar="WHAT", required=True)
    step = kinds.add_parser(
        "step",
        help="one training step of a method beside plain training, and of telemetry beside none",
        description=f"One step of each method over one step of erm on the same network (limit for multifair: {MULTIFAIR_AT_MOST}), and of erm with "
        f"telemetry over without (limit: {TELEMETRY_AT_MOST}).",
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
    for name, what, of in (
        ("start", "commands that print a table, in a workspace of 2,000 runs", "runs (default: 2000)"),
        ("input", "an epoch from the cache beside decoding, and ingestion beside bare decoding", "images (default: 1000)"),
        ("sweep", "ten methods with five seeds each on cached features: the queue beside one process each", "patients (default: 2000)"),
        ("pages", "every page and its controls in a browser, on 200 runs with a million predictions", "runs (default: 200)"),
    ):
        kind = kinds.add_parser(name, help=what, description=f"Measures {what}.")
        kind.add_argument("--n", type=int, metavar="N", help=of)
        kind.add_argument("--check", action="store_true", help="exit with 1 when a limit is missed")
        common(kind)
        kind.set_defaults(run={"start": run_start, "input": run_input, "sweep": run_sweep, "pages": run_pages}[name])
    _add_scaling(kinds)


def _add_scaling(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "costs at three sizes, extrapolated to a large hospital"
    scaling = kinds.add_parser("scaling", help=what, description=f"Measures {what}; some minutes. Writes SCALING.md with --out.")
    scaling.add_argument("--scale", type=float, default=1.0, metavar="X", help="times the usual sizes (default: 1)")
    scaling.add_argument("--out", type=Path, metavar="FILE", help="write the document there (default: print it)")
    common(scaling)
    scaling.set_defaults(run=run_scaling)


def run_step(args: argparse.Namespace) -> int:
    if args.steps < 1 or args.batch_size < 1 or args.threads < 1:
        raise UserError("--steps, --batch-size and --threads are 1 or more")
    return _report(args, "step", _steps(args))


def _steps(args: argparse.Namespace) -> Iterator[Measured]:
    """A method's step beside erm's, and erm's with telemetry beside its own without."""
    import torch

    from core.study.audit_speed import Measured
    from core.training.benchmark import step_cost

    torch.set_num_threads(args.threads)
    where = f"{args.device}, {args.threads} threads, batch {args.batch_size}"
    for method in args.methods:
        cost = step_cost(method, args.steps, args.batch_size, args.device)
        # Of other methods nothing is promised: their papers ask for passes of their own.
        limit = MULTIFAIR_AT_MOST if method == "multifair" else math.inf
        yield Measured(f"{method}: a step over one of erm ({where}; erm takes {cost.erm_ms:.2f} ms)", cost.ratio, "times", limit)
        yield Measured(f"{method}: erm with telemetry over erm without ({where})", cost.telemetry_ratio, "times", TELEMETRY_AT_MOST)


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


def run_sweep(args: argparse.Namespace) -> int:
    from core.study.sweep_speed import PATIENTS, measure

    return _report(args, "sweep", measure(_positive(args.n, PATIENTS)))


def run_pages(args: argparse.Namespace) -> int:
    from core.study.page_speed import RUNS, measure

    return _report(args, "pages", measure(_positive(args.n, RUNS)))


def run_scaling(args: argparse.Namespace) -> int:
    from core.study.scaling import document, measure
    from core.workspace import write_atomic

    if not 0 < args.scale <= 100:
        raise UserError(f"--scale {args.scale:g}: lies above 0 and up to 100")
    found = []
    for growth in measure(args.scale):
        found.append(growth)
        progress(f"{growth.what}: {growth.costs[-1]:.3g} {growth.unit} at {growth.sizes[-1]:,} {growth.by}, {growth.expected:.3g} at {growth.target:,}")
    text = document(found)
    if args.out is not None:
        write_atomic(args.out, text)
    if args.json:
        emit([{**asdict(growth), "exponent": growth.exponent, "expected": growth.expected} for growth in found])
    elif args.out is None:
        print(text, end="")
    return 0


def _positive(given: int | None, usual: int) -> int:
    if given is not None and given < 10:
        raise UserError(f"--n {given}: measure with 10 or more")
    return given or usual


def _report(args: argparse.Namespace, kind: str, measured: Iterable[Measured]) -> int:
    """Say each claim as it is measured, keep all in the history, and print one JSON document."""
    from core.metrics.estimate import finite_or_none
    from core.runs.environment import describe
    from core.workspace import Workspace

    found = []
    for m in measured:
        found.append(m)
        spent = "" if m.processor_seconds is None else f", {m.processor_seconds:.2f} s of processor"
        promised = "nothing is promised" if math.isinf(m.limit) else f"at {'least' if m.at_least else 'most'} {m.limit:g}"
        progress(f"{m.claim}: {m.value:,.3g} {m.unit} ({promised}{spent})")
    rows = [{**asdict(m), "limit": finite_or_none(m.limit), "kept": m.holds} for m in found]
    machine = {name: value for name, value in describe("cpu", 1).items() if name in ("python", "packages", "commit", "platform", "cores")}
    history = Workspace.open(args.workspace).cache / "bench.jsonl"
    with history.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"bench": kind, "time": datetime.now(UTC).isoformat(timespec="seconds"), "measured": rows, **machine}) + "\n")
    if args.json:
        emit(rows)
    return 1 if args.check and not all(m.holds for m in found) else 0
