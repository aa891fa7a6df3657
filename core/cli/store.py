"""`multifair store rebuild`: read every run folder into the results cache again."""

from __future__ import annotations

import argparse
import time
from typing import Any

from core.cli import common, emit


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "store",
        help="rebuild the results cache",
        description="The results cache (store.duckdb) is made from the run folders and can be made again at any time; no result is in it alone.",
    )
    common(parser)
    parser.add_argument("action", choices=("rebuild",))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.store import Store
    from core.workspace import Workspace

    begun = time.monotonic()
    with Store.open(Workspace.open(args.workspace)) as store:
        runs = store.rebuild()
        answer = {"runs": runs, "cohorts": len(store.cohorts()), "seconds": round(time.monotonic() - begun, 2), "file": store.database.name}
    if args.json:
        emit(answer)
    else:
        print(f"{answer['runs']} runs and {answer['cohorts']} cohorts read into {answer['file']} in {answer['seconds']} s")
    return 0
