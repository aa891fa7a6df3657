"""`multifair export` and `multifair import`: a workspace, or some of its runs with their cohorts, as one zip file."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import common, emit, progress

if TYPE_CHECKING:
    from core.runs.archive import Archived


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "export",
        help="put runs and cohorts into a zip file",
        description="Write the workspace, or the runs and cohorts that are named, into a zip file that multifair import takes. The file holds the "
        "patients' data of the cohorts.",
    )
    common(parser)
    parser.add_argument("file", metavar="FILE.zip", type=Path)
    parser.add_argument("--run-id", metavar="RUN", action="append", default=[], help="only this run and its cohort; may be repeated")
    parser.add_argument("--cohort", metavar="ID_OR_NAME", action="append", default=[], help="only this cohort; may be repeated")
    parser.set_defaults(run=run_export)
    parser = subparsers.add_parser(
        "import",
        help="import the runs and cohorts of an export",
        description="Add what an export holds and the workspace lacks; nothing that exists already is changed.",
    )
    common(parser)
    parser.add_argument("file", metavar="FILE.zip", type=Path)
    parser.set_defaults(run=run_import)


def run_export(args: argparse.Namespace) -> int:
    from core.runs.archive import export
    from core.runs.dead_runs import settle_dead_runs
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    settle_dead_runs(workspace)
    return _tell(args, export(workspace, args.file, args.run_id, args.cohort), "exported")


def run_import(args: argparse.Namespace) -> int:
    from core.runs.archive import import_archive
    from core.workspace import Workspace

    return _tell(args, import_archive(Workspace.open(args.workspace), args.file), "imported")


def _tell(args: argparse.Namespace, archived: Archived, word: str) -> int:
    for line in archived.left_out:
        progress(f"left out: {line}")
    if args.json:
        emit(asdict(archived))
    else:
        print(
            f"{word}: " + ", ".join(f"{len(names)} {kind}" for kind, names in archived.added.items() if names)
            if any(archived.added.values())
            else f"nothing {word}"
        )
    return 0
