"""`multifair study ...`: simulation studies of the tool itself."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import common, emit, progress

if TYPE_CHECKING:
    import pandas as pd

    from core.cohort import Cohort
    from core.study.comparison import Plan
    from core.workspace import Workspace


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("study", help="simulation studies: do the methods and the audit keep their promises?")
    studies = parser.add_subparsers(dest="study", metavar="STUDY", required=True)
    audit = studies.add_parser("audit", help="coverage, size, false verdicts and power of the audit")
    common(audit)
    audit.add_argument("--repetitions", type=int, default=1000, metavar="N", help="simulated audits per setting (default 1000)")
    audit.add_argument("--seed", type=int, default=0, metavar="N")
    audit.add_argument("--parts", nargs="+", metavar="PART", help="claims, pairs, intervals, trainings, equivalence, power (default: all)")
    audit.add_argument("--only", default="", metavar="TEXT", help="settings whose name has this in it (default: all)")
    audit.add_argument("--journal", metavar="FILE", help="keep every finished setting here, and go on from it when started again")
    audit.add_argument("--check", action="store_true", help="exit with 1 when a promise is broken")
    audit.set_defaults(run=run_audit)
    _add_comparison(studies)


def run_audit(args: argparse.Namespace) -> int:
    from core.errors import UserError
    from core.study.audit_simulation import PARTS, simulate
    from core.study.audit_table import head, row

    parts = tuple(args.parts or PARTS)
    if args.repetitions < 10 or args.seed < 0:
        raise UserError("a simulation needs 10 repetitions or more, and a seed of 0 or more")
    if unknown := [name for name in parts if name not in PARTS]:
        raise UserError(f"unknown part '{unknown[0]}': one or more of {', '.join(PARTS)}")
    lines = []
    if not args.json:
        print(head(args.seed, args.repetitions, parts, args.only))
    for found in simulate(args.seed, args.repetitions, parts, args.only, Path(args.journal) if args.journal else None, progress):
        lines.append(found)
        if not args.json:
            print(row(found), flush=True)
    if not lines:
        raise UserError(f"no setting has '{args.only}' in its name")
    if args.json:
        emit([found.to_dict() for found in lines])
    broken = sum(found.broken for found in lines)
    progress(f"{len(lines)} promises, {broken} broken")
    return 1 if args.check and broken else 0


def _add_comparison(studies: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    planted = studies.add_parser("planted", help="all methods on a cohort with a known bias, with equal tuning budgets")
    real = studies.add_parser("cohort", help="all methods on a saved cohort, with equal tuning budgets")
    for parser in (planted, real):
        common(parser)
        parser.add_argument("--seeds", default="5", metavar="N | A,B,C", help="a number N means the seeds 1 to N (default 5)")
        parser.add_argument("--methods", nargs="+", metavar="NAME", help="default: all; see multifair methods")
        parser.add_argument("--budget", type=int, default=3, metavar="N", help="trainings per method for its tuning, the same for all (default 3)")
        parser.add_argument("--out", metavar="DIR", help="folder for the tables (default: sample_data/results in this directory)")
        parser.add_argument("--fresh", action="store_true", help="train again what was trained before")
    planted.add_argument("--scenario", default="default", metavar="NAME", help="see multifair simulate (default: default)")
    planted.add_argument(
        "--draw",
        type=int,
        metavar="N",
        help="seed of the cohort itself (default: the one that the published table was made on); another one confirms a result on new patients",
    )
    planted.set_defaults(run=run_planted)
    draws = studies.add_parser("draws", help="the planted study's differences over all its draws but the one it was designed on")
    common(draws)
    draws.add_argument("--out", metavar="DIR", help="folder with the tables of the draws (default: sample_data/results in this directory)")
    draws.set_defaults(run=run_draws)
    real.add_argument("--cohort", required=True, metavar="ID_OR_NAME")
    real.add_argument("--attribute", metavar="NAME", help="sensitive attribute (default: the cohort's first)")
    real.add_argument("--preset", default="quick", choices=("quick", "standard", "paper"))
    real.set_defaults(run=run_cohort)
    _add_contest(studies)


def _add_contest(studies: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    contest = studies.add_parser(
        "contest", help="methods and rivals on several planted draws, under both protocols and optimizers; goes on where it was stopped"
    )
    common(contest)
    contest.add_argument("--scenarios", nargs="+", default=["default"], metavar="NAME", help="see multifair simulate (default: default)")
    contest.add_argument("--draws", nargs="+", type=int, default=[505, 606], metavar="N", help="seeds of the cohorts (default: 505 606)")
    contest.add_argument("--seeds", default="1", metavar="N | A,B,C", help="a number N means the seeds 1 to N (default 1)")
    contest.add_argument("--methods", nargs="+", default=[], metavar="NAME", help="default: all; see multifair methods")
    contest.add_argument(
        "--protocols", nargs="+", default=["a", "b"], metavar="a|b", help="a: fits may use validation; b: validation only selects (default: both)"
    )
    contest.add_argument("--optimizers", nargs="+", default=["adamw"], metavar="adamw|sgd")
    contest.add_argument("--selection", default="auc", metavar="RULE", help="how the kept epoch is chosen: auc, worst_group, es_auc, minimax_pareto, no_harm")
    contest.add_argument("--budget", type=int, default=1, metavar="N", help="trainings per row for its tuning (default 1: the defaults)")
    contest.add_argument(
        "--tuned", default="all", metavar="all|rates", help="what is tuned: learning rates and a method's own settings, or the rates alone (default all)"
    )
    contest.add_argument("--main-rows", action="store_true", help="one row per method, without the further ones that its file names for studies")
    contest.add_argument("--challenger", default="", metavar="NAME", help="the method that is compared with every other row (default: this project's own)")
    contest.add_argument("--name", default="", metavar="NAME", help="in the tables' names, contest_NAME_runs.csv (default: contest_runs.csv)")
    contest.add_argument(
        "--all", action="store_true", help="all contests that this project ships, one after the other; the options above but --out do not count"
    )
    contest.add_argument("--out", metavar="DIR", help="folder for the tables (default: sample_data/results in this directory)")
    contest.set_defaults(run=run_contest)
    splits = studies.add_parser("splits", help="methods on a cohort that is divided anew several times, patients kept whole")
    common(splits)
    splits.add_argument("--source", metavar="FILE", help="a table or folder as multifair ingest takes it (default: the sample cohort)")
    splits.add_argument("--splits", type=int, default=5, metavar="N", help="divisions (default 5)")
    splits.add_argument("--methods", nargs="+", metavar="NAME", help="default: all; see multifair methods")
    splits.add_argument("--attribute", metavar="NAME", help="sensitive attribute (default: the cohort's first)")
    splits.add_argument("--preset", default="quick", choices=("quick", "standard", "paper"))
    splits.add_argument("--out", metavar="DIR", help="folder for the tables (default: sample_data/results in this directory)")
    splits.set_defaults(run=run_splits)
    report = studies.add_parser("report", help="STUDIES.md, and the short table of the README beside it, from the tables of the studies")
    common(report)
    report.add_argument("--out", metavar="DIR", help="folder with the tables (default: sample_data/results in this directory)")
    report.add_argument("--to", default="STUDIES.md", metavar="FILE", help="default: STUDIES.md in this directory")
    report.set_defaults(run=run_report)
    statistics = studies.add_parser("statistics", help="STATISTICS.md from the table of the study of the audit")
    common(statistics)
    statistics.add_argument("--table", default="sample_data/results/study_audit.txt", metavar="FILE", help="written by multifair study audit")
    statistics.add_argument("--to", default="STATISTICS.md", metavar="FILE", help="default: STATISTICS.md in this directory")
    statistics.set_defaults(run=run_statistics)


def run_statistics(args: argparse.Namespace) -> int:
    from core.study.audit_table import read_table
    from core.study.statistics import document
    from core.workspace import write_atomic

    table = Path(args.table)
    source = table.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    text = document(read_table(table), source)
    write_atomic(Path(args.to), text)
    progress(f"written: {args.to}")
    if args.json:
        emit({"file": args.to, "characters": len(text)})
    return 0


def run_report(args: argparse.Namespace) -> int:
    from core.study.short_table import START, filled
    from core.study.studies import document
    from core.workspace import write_atomic

    text = document(_out(args))
    write_atomic(Path(args.to), text)
    progress(f"written: {args.to}")
    readme = Path(args.to).with_name("README.md")
    if readme.is_file() and START in (before := readme.read_text(encoding="utf-8")):
        write_atomic(readme, filled(before, _out(args)))
        progress(f"its short table: {readme}")
    if args.json:
        emit({"file": args.to, "characters": len(text)})
    return 0


def run_contest(args: argparse.Namespace) -> int:
    import torch

    from core.study.contest import Contest, run
    from core.study.programme import planned
    from core.workspace import Workspace

    torch.set_num_threads(1)
    given = (
        tuple(args.scenarios), tuple(args.draws), _seeds(args), tuple(args.methods), tuple(args.protocols), tuple(args.optimizers),
        args.selection, args.budget, args.tuned, not args.main_rows, args.challenger, args.name,
    )  # fmt: skip
    contests = [one.contest for one in planned()] if args.all else [Contest(*given)]
    out, workspace = _out(args), Workspace.open(args.workspace)
    for contest in contests:
        run(workspace, contest, out, progress)
        progress(f"tables: {out / contest.stem}_runs.csv, _trials.csv, _draws.csv, _differences.csv, {contest.stem}.md")
    if args.json:
        import pandas as pd

        emit([line for contest in contests for line in records(pd.read_csv(out / f"{contest.stem}_differences.csv"))])
    else:
        for contest in contests:
            print((out / f"{contest.stem}.md").read_text(encoding="utf-8"))
    return 0


def run_splits(args: argparse.Namespace) -> int:
    import torch

    from core.cohort.sample import sample_folder
    from core.study.splits import STEM, Repeated, run
    from core.workspace import Workspace

    torch.set_num_threads(1)
    source = Path(args.source) if args.source else sample_folder()
    out = _out(args)
    run(Workspace.open(args.workspace), Repeated(source, _methods(args), args.splits, args.attribute, args.preset), out, progress)
    progress(f"tables: {out / STEM}_runs.csv, _differences.csv, .md")
    if args.json:
        import pandas as pd

        emit(records(pd.read_csv(out / f"{STEM}_differences.csv")))
    else:
        print((out / f"{STEM}.md").read_text(encoding="utf-8"))
    return 0


def run_planted(args: argparse.Namespace) -> int:
    from core.study.planted import SEED, planted_cohort, planted_plan
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    progress("making the planted cohort")
    draw = SEED if args.draw is None else args.draw
    cohort = planted_cohort(workspace, args.scenario, draw)
    plan = planted_plan(workspace, _methods(args), _seeds(args), args.budget, args.scenario, draw)
    named = ("" if args.scenario == "default" else f"_{args.scenario}") + ("" if draw == SEED else f"_draw{draw}")
    return _compare(args, cohort, plan, workspace, "study_planted" + named)


def run_draws(args: argparse.Namespace) -> int:
    from core.study.draws import STEM, summarise

    out = _out(args)
    result = summarise(out)
    progress(f"tables: {out / STEM}.csv, {STEM}.md")
    if args.json:
        emit(records(result.table))
    else:
        print(result.markdown)
    return 0


def run_cohort(args: argparse.Namespace) -> int:
    from core import cohort as cohorts
    from core.study.real import cohort_plan
    from core.workspace import Workspace

    workspace = Workspace.open(args.workspace)
    cohort = cohorts.load(workspace, args.cohort)
    plan = cohort_plan(cohort, args.attribute, args.preset, _methods(args), _seeds(args), args.budget)
    return _compare(args, cohort, plan, workspace, f"study_{cohort.cohort_id}")


def _out(args: argparse.Namespace) -> Path:
    return Path(args.out) if args.out else Path("sample_data") / "results"


def _methods(args: argparse.Namespace) -> tuple[str, ...]:
    from core.methods import names

    return tuple(args.methods) if args.methods else names()


def _seeds(args: argparse.Namespace) -> tuple[int, ...]:
    from core.cli.train import parse_seeds

    return tuple(parse_seeds(args.seeds))


def _compare(args: argparse.Namespace, cohort: Cohort, plan: Plan, workspace: Workspace, stem: str) -> int:
    import torch

    from core.study.comparison import study

    torch.set_num_threads(1)
    out = _out(args)
    result = study(cohort, plan, workspace.cache / "study", out, stem, progress, args.fresh)
    progress(f"tables: {out / stem}.csv, {stem}_differences.csv, {stem}.md")
    if args.json:
        emit({"rows": records(result.table), "differences": records(result.differences)})
    else:
        print(result.markdown)
    return 0


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: what is not a number is null."""
    return [{str(k): None if isinstance(v, float) and v != v else v for k, v in row.items()} for row in frame.to_dict("records")]
