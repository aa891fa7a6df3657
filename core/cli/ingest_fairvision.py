"""`multifair ingest-fairvision` and `multifair ingest-fairvlmed`: cohorts from the user's own copy of these data sets."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import common, progress
from core.cli.ingest import report_cohort
from core.errors import UserError

LICENCE = "The data set is licensed CC BY-NC-ND and is not part of this project: point at your own copy. Files are read in place."


def add_parser(subparsers: Any) -> None:
    vision = subparsers.add_parser(
        "ingest-fairvision",
        help="save a disease of your copy of FairVision as a cohort",
        description=f"Fundus picture and OCT volume, label diseased or not. {LICENCE}",
    )
    vision.add_argument("folder", metavar="FOLDER", help="the folder that holds AMD, DR and Glaucoma")
    vision.add_argument("--disease", required=True, choices=("AMD", "DR", "Glaucoma"))
    vision.set_defaults(run=run_fairvision)
    vlmed = subparsers.add_parser(
        "ingest-fairvlmed", help="save your copy of FairVLMed as a cohort", description=f"Fundus picture and clinical note, label glaucoma. {LICENCE}"
    )
    vlmed.add_argument("folder", metavar="FOLDER", help="the folder that holds Training, Validation and Test")
    vlmed.add_argument("--summaries", action="store_true", help="use the summarised notes instead of the original ones")
    vlmed.set_defaults(run=run_fairvlmed)
    for parser in (vision, vlmed):
        common(parser)
        parser.add_argument("--name", help="what to call the cohort")
        parser.add_argument("--limit", type=int, metavar="N", help="at most N patients per split")
        parser.add_argument("--size", type=int, metavar="PIXELS", help="edge kept of images and slices (default: from the files, at most 128)")
        parser.add_argument("--strict", action="store_true", help="refuse the cohort when any row would be set aside")


def run_fairvision(args: argparse.Namespace) -> int:
    from core.cohort.fairvision import ingest_fairvision
    from core.workspace import Workspace

    _check(args)
    return report_cohort(
        args,
        ingest_fairvision(
            Workspace.open(args.workspace), args.folder, args.disease, name=args.name, limit=args.limit, size=args.size, strict=args.strict, progress=progress
        ),
    )


def run_fairvlmed(args: argparse.Namespace) -> int:
    from core.cohort.fairvision import ingest_fairvlmed
    from core.workspace import Workspace

    _check(args)
    return report_cohort(
        args,
        ingest_fairvlmed(
            Workspace.open(args.workspace),
            args.folder,
            name=args.name,
            limit=args.limit,
            size=args.size,
            summaries=args.summaries,
            strict=args.strict,
            progress=progress,
        ),
    )


def _check(args: argparse.Namespace) -> None:
    if args.limit is not None and args.limit < 1:
        raise UserError(f"--limit {args.limit}: use 1 or more")
    if args.size is not None and not 8 <= args.size <= 1024:
        raise UserError(f"--size {args.size}: use 8 to 1024 pixels")
