"""`multifair sample`: save the sample cohort in the workspace."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import common, emit, progress


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "sample",
        help="save the sample cohort (real skin lesion photographs with clinical records)",
        description="Save the sample cohort that ships with the project: 746 skin lesion photographs of 583 patients with clinical records "
        "(PAD-UFES-20, CC BY 4.0). Prints what the checks found in it.",
    )
    common(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.api.cohorts import CohortResult
    from core.cli.ingest import print_cohort
    from core.cohort.sample import ingest_sample
    from core.runs.sample_runs import add_shipped_runs
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    cohort = ingest_sample(workspace, progress)
    added = add_shipped_runs(workspace)
    if added:
        progress(f"{len(added)} finished runs added, so that every page has something to show")
    if args.json:
        emit(CohortResult(cohort).to_dict())
    else:
        print_cohort(cohort)
    return 0
