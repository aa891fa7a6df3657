"""`multifair plan-audit`: declare what an audit will answer, before looking."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.cli import common, emit, progress

EPILOG = """examples:
  multifair plan-audit --attributes sex,race --metrics auc,tpr --tolerance .05 --out plan.json
  multifair audit predictions.csv --label y --score p --attributes sex,race,age --plan plan.json --json > audit.json

The hash shows that the file was not changed; that it existed on its date is shown by whoever received it or its hash on that day."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "plan-audit", help="declare what an audit will answer, before looking",
        description="Write a dated, hashed file that declares attributes, metrics, tolerance and operating point of an audit to come.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    common(parser)
    parser.add_argument("--attributes", "--attribute", metavar="A,B", action="append", required=True, help="sensitive attributes that the audit is to answer")
    parser.add_argument("--metrics", metavar="M,M", action="append", help="metrics that it is to answer (default: auc)")
    parser.add_argument(
        "--tolerance",
        metavar="[METRIC=]X[,METRIC=X]",
        action="append",
        help="largest acceptable difference between groups (default .05), for all or single metrics",
    )
    parser.add_argument("--threshold", type=float, metavar="X", help="a prediction is positive from this score on (default .5)")
    parser.add_argument("--target", metavar="KIND=VALUE", help="choose the threshold: sensitivity=.9, specificity=.9, selection_rate=.2 or youden")
    parser.add_argument("--note", default="", metavar="TEXT", help="why these, in words")
    parser.add_argument("--out", default="plan.json", metavar="FILE.json", help="where to write (default plan.json); an existing file is not replaced")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.audit.plan import HASH, declare
    from core.cli.audit import names, tolerances
    from core.errors import UserError
    from core.workspace import write_json

    common_tolerance, single = tolerances(args.tolerance)
    plan = declare(
        attributes=names(args.attributes), metrics=names(args.metrics) or ("auc",), tolerance=common_tolerance, tolerances=single,
        threshold=args.threshold, target=args.target, note=args.note,
    ).to_dict()  # fmt: skip
    path = Path(args.out).expanduser()
    if path.exists():
        raise UserError(f"{path} exists already; a declaration is not replaced: name another --out file")
    try:
        write_json(path, plan)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name another --out file") from error
    if args.json:
        emit(plan)
    else:
        progress(f"{path}: declared {plan['declared']}")
        print(plan[HASH])
    return 0
