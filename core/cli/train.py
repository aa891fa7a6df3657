"""`multifair train`: train methods on a cohort and print what they reach on its test split."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import common, emit, progress
from core.errors import UserError

DESCRIPTION = """\
Train one or several methods on a saved cohort. What was trained before answers at once; runs go on when this
command, the terminal or the dashboard ends (see multifair queue, cancel, retry). unimodal means one run per
modality."""
SEEDS_HELP = "a number N means the seeds 1 to N; a list such as 1,5,7 (or 5, for one) means exactly these (default: 1)"
MAX_SEEDS = 100


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("train", help="train methods on a cohort", description=DESCRIPTION)
    common(parser)
    parser.add_argument("--cohort", metavar="ID_OR_NAME", required=True, help="see multifair cohorts")
    parser.add_argument("--method", metavar="NAME", default=[], nargs="+", action="extend", help="see multifair methods")
    parser.add_argument(
        "--method-file",
        metavar="FILE",
        action="append",
        default=[],
        help="a Python file with methods of your own (see core/methods/own_example.md); trains these unless --method says which; may be repeated",
    )
    parser.add_argument("--attribute", metavar="NAME", help="sensitive attribute (default: the cohort's first); sex,age: the intersections of both as groups")
    parser.add_argument("--seeds", metavar="N | A,B,C", default="1", help=SEEDS_HELP)
    parser.add_argument("--preset", choices=("quick", "standard", "paper"), default="quick", help="network and budget (default: quick)")
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        dest="settings",
        action="append",
        default=[],
        help="a setting of the method, the budget (epochs, lr, ...) or the network (width, image_size, encoder.MODALITY, ...); may be repeated",
    )
    parser.add_argument(
        "--folds",
        action="store_true",
        help="cross-validation: train once for each fold of the cohort (see multifair ingest --folds) and judge all folds together",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument(
        "--launcher",
        choices=("local", "ray"),
        default="local",
        help="what runs the jobs: processes of this machine (local, the default), or a Ray cluster whose nodes share the workspace's folder",
    )
    parser.add_argument("--address", metavar="HOST:PORT", help="of the Ray cluster (default: $RAY_ADDRESS, then one that runs on this machine)")
    parser.add_argument("--cpus-per-run", type=float, default=1.0, metavar="N", help="of the cluster's CPUs, also the threads of a run (default: 1)")
    parser.add_argument("--gpus-per-run", type=float, default=0.0, metavar="N", help="of the cluster's GPUs; .5 lets two runs share one (default: 0)")
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="processes of this machine that share each run's batches, each with a GPU of its own where there are GPUs (default: 1)",
    )
    parser.add_argument("--fresh", action="store_true", help="train again, from the start, what is done or has begun")
    parser.add_argument("--priority", choices=("high", "normal", "low"), default="normal", help="start before or after other runs that wait (default: normal)")
    parser.add_argument("--detach", action="store_true", help="return at once; the runs go on in the background")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.api.runs import train_methods
    from core.runs import find
    from core.runs.setting_types import parse_settings
    from core.store import Store
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    seeds, settings = parse_seeds(args.seeds), parse_settings((f"--set {pair}", pair) for pair in args.settings)
    try:
        runs = train_methods(
            args.cohort, args.method, method_files=args.method_file, attribute=args.attribute,
            seeds=seeds, preset=args.preset, settings=settings, folds=args.folds,
            device=args.device, fresh=args.fresh, priority=args.priority, launcher=args.launcher,
            share=_share(args, workspace) if args.launcher == "ray" else None, processes=args.processes,
            wait=not args.detach, workspace=workspace, progress=progress,
        )  # fmt: skip
    except KeyboardInterrupt:
        progress("The runs go on without this command: see multifair queue and multifair cancel.")
        raise
    with Store.open(runs.workspace) as store:
        handles = [*runs.handles, *runs.pooled_handles()]
        answer = [_answer(store, handle, find(runs.workspace, handle.run_id).read_spec()["spec"]) for handle in handles]
    if args.json:
        emit(answer)
    else:
        _print(answer)
    return 0 if all(entry["status"] in ("done", "queued", "running") for entry in answer) else 1


def _share(args: argparse.Namespace, workspace: Any) -> dict[str, float]:
    """CPUs and GPUs per run, once the cluster has answered; its address is kept for whoever looks after the runs."""
    from core.runs.queue_settings import change_settings
    from core.runs.ray_launcher import check

    if not 0 < args.cpus_per_run <= 1024 or not 0 <= args.gpus_per_run <= 64:
        raise UserError("a run takes more than 0 CPUs (--cpus-per-run) and 0 or more GPUs (--gpus-per-run)")
    check(args.address)
    change_settings(workspace, ray_address=args.address)
    return {"cpus": args.cpus_per_run, "gpus": args.gpus_per_run}


def parse_seeds(text: str) -> list[int]:
    """`3` -> [1, 2, 3]; `1,5,7` -> [1, 5, 7]; `5,` -> [5]. UserError on anything else."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    try:
        numbers = [int(part) for part in parts]
    except ValueError:
        raise UserError(f"--seeds {text}: give a number of seeds such as 3, or seeds such as 1,5,7") from None
    if "," in text:
        if min(numbers) < 0:
            raise UserError(f"--seeds {text}: a seed is 0 or more")
        return list(dict.fromkeys(numbers))
    if not 1 <= numbers[0] <= MAX_SEEDS:
        raise UserError(f"--seeds {text}: the number of seeds is from 1 to {MAX_SEEDS}")
    return list(range(1, numbers[0] + 1))


def _answer(store: Any, handle: Any, spec: Any) -> dict[str, Any]:
    from core.results.summary import test_summary

    status = store.folder(handle.run_id).read_status()
    done = status["status"] == "done"
    return {
        "run_id": handle.run_id,
        "key": handle.key,
        "method": spec["method"],
        "modality": spec["settings"].get("modality"),
        "seed": spec["seed"],
        "attribute": spec["attribute"],
        **({"fold": spec["fold"]} if "fold" in spec else {}),
        "status": status["status"],
        "reason": status["reason"],
        "cached": handle.cached,
        "test": test_summary(store, handle.run_id) if done else None,
    }


def _print(answer: list[dict[str, Any]]) -> None:
    from core.cli.results import short

    for entry in answer:
        test = entry["test"]
        line = f"{entry['run_id']}  {entry['status']}{' (cached)' if entry['cached'] else ''}"
        if test is not None:
            line += "  " + "  ".join(f"{name} {short(test[name])}" for name in ("auc", "es_auc", "worst_group_auc", "max_gap", "dpd", "deodds"))
            line += "  | " + "  ".join(f"{group} {short(value)}" for group, value in test["group_auc"].items())
        elif entry["reason"]:
            line += f"  {entry['reason']}"
        print(line)
