"""The command line over all rooms: `multifair COMMAND`.

Each module of this package named in `COMMANDS` offers `add_parser(subparsers)`,
which sets `run=function(args) -> int` as a default.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from typing import Any

from core import __version__
from core.errors import UserError, storage_problem

COMMANDS: tuple[str, ...] = (
    "app",
    "audit",
    "bench",
    "cancel",
    "cohorts",
    "completion",
    "delete",
    "doctor",
    "export",
    "ingest",
    "ingest_fairvision",
    "methods",
    "plan_audit",
    "plan_splits",
    "query",
    "queue",
    "report",
    "results",
    "retry",
    "runs",
    "sample",
    "schema",
    "simulate",
    "store",
    "study",
    "torture",
    "train",
    "trash",
    "tune",
)


def common(parser: argparse.ArgumentParser) -> None:
    """Flags that every command takes."""
    parser.add_argument(
        "--workspace", metavar="DIR", help="where cohorts, runs and results are kept (default: $MULTIFAIR_HOME, then the user's data directory)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")


def emit(value: Any) -> None:
    """One JSON document to stdout; undefined values must already be null."""
    json.dump(value, sys.stdout, indent=1, allow_nan=False, ensure_ascii=False)
    sys.stdout.write("\n")


def progress(message: str) -> None:
    """A line on stderr: stdout is for results."""
    print(message, file=sys.stderr, flush=True)


class _Parser(argparse.ArgumentParser):
    """Options are written out: `--to` for `--tolerance` would take a file name for a number."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})


def build_parser() -> argparse.ArgumentParser:
    """The parser of `multifair` with every command of COMMANDS."""
    parser = _Parser(prog="multifair", description="Train, audit and compare multimodal medical classifiers for fairness. Nothing leaves this machine.")
    parser.add_argument("--version", action="version", version=f"multifair {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"core.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 1 found what was asked about or failed, 2 wrong arguments)."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args))
    except BrokenPipeError:
        return 0
    except UserError as error:
        print(f"multifair: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        problem = storage_problem(error)
        if problem is None:
            raise
        print(f"multifair: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("multifair: interrupted", file=sys.stderr)
        return 130
