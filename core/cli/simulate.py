"""`multifair simulate`: write a planted cohort."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.cli import common, emit, progress
from core.errors import command


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "simulate",
        help="write a cohort with a planted bias and its truth",
        description="Write a simulated cohort in which it is known how well each modality can serve each group: cohort.csv, manifest.toml, images and "
        "truth.json. It can be ingested like any other.",
        epilog="scenarios: default, three-groups, null (no bias), missing (absent modalities), prevalence, no-dominant, minority-dominant, "
        "label-noise, five-modalities, two-attributes; NAME@0.5 plants half of the bias",
    )
    common(parser)
    parser.add_argument("--out", metavar="FOLDER", required=True, help="new or empty folder")
    parser.add_argument("--patients", type=int, default=3000, metavar="N", help="default 3000")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    parser.add_argument("--scenario", default="default", metavar="NAME", help="which bias is planted (default: default)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.cohort.planted import simulate

    truth = simulate(args.out, args.patients, args.seed, args.scenario)
    if args.json:
        emit({"folder": args.out, "truth": truth})
        return 0
    progress(f"{args.patients} patients written to {args.out}; next: {command('ingest', name=str(Path(args.out) / 'cohort.csv'))}")
    for name, table in truth["best_auc"]["modalities"].items():
        groups = ", ".join(f"{g} {v:.3f}" for g, v in table["by_group"].items())
        print(f"best AUC of {name} alone: {groups}")
    return 0
