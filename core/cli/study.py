"""`multifair study ...`: simulation studies of the tool itself."""

from __future__ import annotations

import argparse

from core.cli import common, emit, progress


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("study", help="simulation studies: do the methods and the audit keep their promises?")
    studies = parser.add_subparsers(dest="study", metavar="STUDY", required=True)
    audit = studies.add_parser("audit", help="coverage, size, false verdicts and power of the audit")
    common(audit)
    audit.add_argument("--repetitions", type=int, default=2000, metavar="N", help="simulated estimates and tests per setting (default 2000)")
    audit.add_argument("--cohorts", type=int, default=400, metavar="N", help="whole audits per setting (default 400)")
    audit.add_argument("--seed", type=int, default=0, metavar="N")
    audit.add_argument("--check", action="store_true", help="exit with 1 when a promise is broken")
    audit.set_defaults(run=run_audit)


def run_audit(args: argparse.Namespace) -> int:
    from core.errors import UserError
    from core.study.audit_simulation import simulate

    if args.repetitions < 10 or args.cohorts < 10 or args.seed < 0:
        raise UserError("a simulation needs 10 repetitions and 10 cohorts or more, and a seed of 0 or more")
    lines = simulate(args.seed, args.repetitions, args.cohorts, progress)
    if args.json:
        emit([found.to_dict() for found in lines])
    else:
        for found in lines:
            verdict = {True: "kept", False: "BROKEN", None: ""}[found.kept]
            bounds = f"{'' if found.low is None else f'{found.low:.2f}'}..{'' if found.high is None else f'{found.high:.2f}'}"
            print(f"{found.part:<52} {found.setting:<48} {found.share:.3f} +- {found.error:.3f}  {bounds:<10} {verdict}")
    return 1 if args.check and any(found.kept is False for found in lines) else 0
