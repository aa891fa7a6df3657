"""`multifair delete`: move a cohort, run, audit or upload into the trash."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from core.cli import common, emit
from core.errors import command
from core.workspace import DAYS_IN_TRASH


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "delete",
        help="delete a cohort, run, audit or upload",
        description=f"Move a cohort, run, audit or upload into the trash, from where multifair trash --restore brings it back for {DAYS_IN_TRASH} days.",
    )
    common(parser)
    parser.add_argument("kind", choices=("cohort", "run", "audit", "upload"))
    parser.add_argument("ids", metavar="ID", nargs="+", help="id, or the beginning of a run's or cohort's id")
    parser.add_argument("--with-runs", action="store_true", help="delete a cohort's runs with it")
    parser.add_argument("--now", action="store_true", help="remove for good, without the trash")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.runs.disk_usage import bytes_in_words
    from core.runs.trash import delete
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    answer = [delete(workspace, args.kind, identifier, with_runs=args.with_runs, now=args.now) for identifier in args.ids]
    if args.json:
        emit([asdict(entry) for entry in answer])
    for entry in answer if not args.json else []:
        runs = f" with {len(entry.paths) - 1} runs" if len(entry.paths) > 1 else ""
        where = "removed for good" if args.now else f"in the trash for {DAYS_IN_TRASH} days; {command('trash', '--restore', entry.entry_id)} brings it back"
        print(f"{entry.kind} {entry.identifier}{runs} ({bytes_in_words(entry.bytes)}): {where}")
    return 0
