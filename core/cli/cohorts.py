"""`multifair cohorts`: what is saved in the workspace."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from core.cli import common, emit, progress


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("cohorts", help="list saved cohorts", description="List the cohorts saved in the workspace, newest first.")
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.cohort_folders import damaged_cohorts, list_cohorts
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    found = list_cohorts(workspace)
    for problem in damaged_cohorts(workspace):
        progress(f"multifair: {problem}")
    if args.json:
        emit([asdict(c) | {"modalities": list(c.modalities), "attributes": list(c.attributes)} for c in found])
    elif not found:
        print("No cohort yet. Save one with `multifair sample` or `multifair ingest TABLE`.")
    for c in found if not args.json else []:
        print(
            f"{c.cohort_id}  {c.name}  {c.n} samples of {c.n_patients} patients  modalities: {', '.join(c.modalities)}  attributes: "
            f"{', '.join(c.attributes) or 'none'}"
        )
    return 0
