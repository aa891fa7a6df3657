"""`multifair trash`: what was deleted, taking it back, emptying."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from typing import Any

from core.cli import common, emit


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "trash",
        help="list, restore or remove what was deleted",
        description="List what was deleted and can be restored. Entries are removed for good seven days after they were deleted.",
    )
    common(parser)
    parser.add_argument("--restore", metavar="ID", help="restore an entry of the trash, or the latest of the cohort, run, audit or upload of this id")
    parser.add_argument("--empty", action="store_true", help="remove everything in the trash for good")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.errors import UserError
    from core.runs.disk_usage import bytes_in_words
    from core.runs.trash import empty_trash, list_trash, restore
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    if args.restore is not None and args.empty:
        raise UserError("give either --restore or --empty")
    if args.restore is not None:
        entries, word = [restore(workspace, args.restore)], "restored"
    elif args.empty:
        entries, word = empty_trash(workspace, older_than_days=0), "removed for good"
    else:
        entries, word = list_trash(workspace), ""
    if args.json:
        emit([asdict(entry) for entry in entries])
        return 0
    for entry in entries:
        days = max(0.0, (entry.expires - time.time()) / 86_400)
        print(f"{entry.entry_id}  {entry.title}  {bytes_in_words(entry.bytes)}  {word or f'{days:.0f} days left'}")
    if not entries:
        print("The trash is empty.")
    return 0
