"""Mutation testing: `python -m tests.mutation [--sample N] [--seed N] [--journal FILE] [--only TEXT] [--named] [--full]`.

1. The tests are run once, and for every function of the two rooms it is noted which tests run it (kept beside the journal).
2. The named changes (`named.py`: faults that tests once missed) are tried first, then a sample of all others: of each file in
   proportion to its changes, at least `LEAST`, drawn and put in order by the seed. Every change is one of `mutators.py`.
3. A change is imported in a process forked for it, where the tests that cover its function run, quickest first, until one fails.
   It dies of a failing test, of an import that fails, or of taking `PATIENCE` times as long; it survives where all pass.
   Without `--full` the tests are cut off after `ENOUGH` seconds of their usual time: a survivor is then one of the quick tests.

The table says how many die, with Wilson's 95 % interval for all changes, and lists survivors. The journal keeps every change that was
tried by its text, so that a later run goes on from it; changes whose function was rewritten are tried again,
as are named survivors, and with `--full` all. Exit code 1 with
`--check` where a named change survives, or fewer than `WANTED` of the others die once explained survivors (`explained.txt`) are set aside.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import json
import math
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from tests.mutation.coverage_map import CoverageMap
from tests.mutation.mutators import Mutant, mutants
from tests.mutation.named import NAMED, Named

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("core/metrics", "core/audit")
TESTS = ("tests/metrics", "tests/audit", "tests/study/test_audit_simulation.py", "tests/charts/test_text.py", "tests/report/test_plan.py")
EXPLAINED = Path(__file__).with_name("explained.txt")
LEAST = 1
ENOUGH = 12.0
PATIENCE, AT_LEAST = 10.0, 120.0
WANTED = 0.9
KILLED, SURVIVED, UNCOVERED = "killed", "survived", "no test"
# What pytest answers to an error of its own, to arguments that it cannot use, and where there is no test.
UNUSABLE = ("3", "4", "5")
# Warnings are let be: that a module is imported already, as it is in a forked child, would be an error of every run.
QUIET = ["-o", "filterwarnings=ignore", "-q", "--no-header", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line", "--disable-warnings"]


@dataclass(frozen=True)
class Covered:
    """From one run of all tests: which run each function, and for how long."""

    tests: dict[str, dict[str, object]]
    functions: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Covered:
        """From the map; tests that are not there any more are left out."""
        there = collected()
        found = cls({test: seen for test, seen in json.loads(path.read_text(encoding="utf-8")).items() if test in there})
        for test, seen in found.tests.items():
            for call in seen["calls"]:  # type: ignore[attr-defined]
                found.functions.setdefault(call, []).append(test)
        return found

    def seconds(self, test: str) -> float:
        return float(self.tests[test]["seconds"])  # type: ignore[arg-type]

    def of_function(self, file: str, name: str) -> list[str]:
        """Tests that run this function; all that run anything of the file where the change is outside of one. Quickest first."""
        found: set[str] = set()
        for call, tests in self.functions.items():
            where, _, called = call.rpartition(":")
            if where == file and name in ("", called):
                found |= set(tests)
        return sorted(found, key=lambda test: (self.seconds(test), test))


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from changed code instead of its file."""

    def __init__(self, file: str, code: CodeType) -> None:
        self.name, self.file, self.code = _module(file), file, code

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=str(ROOT / self.file), is_package=self.file.endswith("__init__.py"))

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(ROOT / self.file)
        exec(self.code, module.__dict__)


def files() -> list[str]:
    return sorted(str(p.relative_to(ROOT)) for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))


def drawn(seed: int, sample: int, only: str) -> list[Mutant]:
    """The sample: of each file in proportion to its changes, at least `LEAST`."""
    by_file = {file: mutants(file, (ROOT / file).read_text(encoding="utf-8")) for file in files()}
    total = sum(len(found) for found in by_file.values())
    chosen: list[Mutant] = []
    for file, found in by_file.items():
        if only not in file or not found:
            continue
        wanted = min(max(round(sample * len(found) / total), LEAST), len(found))
        chosen += sorted(random.Random(f"{seed}/{file}").sample(found, wanted), key=lambda m: m.number)
    print(f"{total:,} changes are possible in {len(by_file)} files; {len(chosen)} of them are drawn", file=sys.stderr)
    return chosen


def live_function(file: str, tree: ast.Module, line: int) -> tuple[FunctionType, CodeType] | None:
    """The imported function that starts at a line, and its changed code; None where the change is not in the code of a function."""
    module = sys.modules[_module(file)]
    wanted = [c for c in _codes(compile(tree, str(ROOT / file), "exec")) if c.co_firstlineno == line]
    found = [f for f in _functions(module) if f.__code__.co_firstlineno == line and f.__module__ == module.__name__]
    if len(wanted) != 1 or len(found) != 1 or wanted[0].co_freevars != found[0].__code__.co_freevars:
        return None
    return None if wanted[0] == found[0].__code__ else (found[0], wanted[0])


def _codes(code: CodeType) -> list[CodeType]:
    """Code of a module's functions and of its classes' methods."""
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return inner + [c for cls in inner if "<" not in cls.co_name for c in cls.co_consts if isinstance(c, CodeType)]


def _functions(module: ModuleType) -> list[FunctionType]:
    held: list[object] = list(vars(module).values())
    held += [member for cls in held if isinstance(cls, type) and cls.__module__ == module.__name__ for member in vars(cls).values()]
    bare = [getattr(h, "__func__", None) or getattr(h, "fget", None) or getattr(h, "func", None) or getattr(h, "__wrapped__", None) or h for h in held]
    return list({id(f): f for f in bare if isinstance(f, FunctionType)}.values())


def _module(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def outcome(file: str, tree: ast.Module, line: int, tests: Sequence[str], usual: float, control: bool = False) -> tuple[str, str]:
    """(`killed` or `survived`, by what) of one change, in a process of its own."""
    if not tests:
        return UNCOVERED, ""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _judge(file, tree, line, tests, writing)
    os.close(writing)
    limit = time.monotonic() + max(PATIENCE * usual, AT_LEAST)
    said = b""
    while (left := limit - time.monotonic()) > 0 and select.select([reading], [], [], left)[0]:
        if not (part := os.read(reading, 65536)):
            break
        said += part
    late = time.monotonic() >= limit
    if late:
        os.kill(child, 9)
    os.waitpid(child, 0)
    os.close(reading)
    if late:
        return KILLED, "takes too long"
    status, _, by = said.decode(errors="replace").partition("|")
    if status in UNUSABLE:
        # A change that lets a test's module fail at its import looks like this too: then the same tests run where nothing is changed.
        if control or outcome(file, ast.parse((ROOT / file).read_text(encoding="utf-8")), line, tests, usual, control=True)[0] != SURVIVED:
            sys.exit(f"{file}: the tests cannot be run ({status}): {' '.join(tests[:3])}")
        return KILLED, "import"
    return (SURVIVED, "") if status == "0" else (KILLED, by or "the process ended")


class _First:
    """Remembers the first test that fails."""

    name = "import"

    def pytest_runtest_logreport(self, report: object) -> None:
        if getattr(report, "failed", False) and self.name == "import":
            self.name = str(getattr(report, "nodeid", "?"))


def _judge(file: str, tree: ast.Module, line: int, tests: Sequence[str], writing: int) -> None:
    """In the child: change the function that is imported already, or import the changed module anew; run the tests; never returns."""
    import pytest

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    first, status = _First(), 1
    try:
        if found := live_function(file, tree, line):
            found[0].__code__ = found[1]
        else:
            for name in [n for n in sys.modules if n.partition(".")[0] in ("core", "tests") and n != "tests"]:
                del sys.modules[name]
            sys.meta_path.insert(0, _Changed(file, compile(tree, str(ROOT / file), "exec")))
        status = int(pytest.main([*QUIET, *tests], plugins=[first]))
    finally:
        os.write(writing, f"{status}|{first.name if status else ''}".encode())
        os._exit(0)


def collected() -> set[str]:
    """The tests that there are now, listed in a process of its own."""
    arguments = [sys.executable, "-m", "pytest", "--collect-only", "-o", "addopts=", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist", *TESTS]
    listed = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return {text.strip() for text in listed.splitlines() if "::" in text}


def cover(path: Path) -> None:
    """The map of tests, in a process of its own so that nothing of the project is imported here."""
    import pytest

    child = os.fork()
    if child == 0:
        status = int(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *TESTS], plugins=[CoverageMap(ROOT, FOLDERS, path)]))
        os._exit(status)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit("the tests fail without any change: nothing can be learnt from them")


def warm_up() -> None:
    """What every child would import again."""
    for name in ("hypothesis", "pytest", "scipy.stats", "sklearn.metrics", "sklearn.calibration", "statsmodels.api", *map(_module, files())):
        importlib.import_module(name)


def chosen_tests(covered: Covered, mutant: Mutant, full: bool) -> list[str]:
    tests = covered.of_function(mutant.file, mutant.name)
    if full:
        return tests
    kept, spent = [], 0.0
    for test in tests:
        spent += covered.seconds(test)
        if spent > ENOUGH and kept:
            break
        kept.append(test)
    return kept


def _first_line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


def wilson(k: int, n: int) -> tuple[float, float]:
    z, p = 1.959964, k / n
    centre, half = (p + z * z / (2 * n)) / (1 + z * z / n), z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return centre - half, centre + half


def explained() -> dict[str, str]:
    """Key of a surviving change -> why no test should fail."""
    if not EXPLAINED.exists():
        return {}
    rows = [text.split(" :: ") for text in EXPLAINED.read_text(encoding="utf-8").splitlines() if " :: " in text]
    return {key.strip(): why.strip() for key, why in rows}


@dataclass
class Journal:
    """Outcomes by the digest of a change."""

    path: Path | None
    known: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None) -> Journal:
        journal = cls(path)
        if path is not None and path.exists():
            for text in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(text)
                journal.known[entry["id"]] = [entry["outcome"], entry["by"]]
        return journal

    def add(self, key: str, name: str, found: tuple[str, str]) -> None:
        self.known[key] = list(found)
        if self.path is not None and found[0] != UNCOVERED:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"id": key, "change": name, "outcome": found[0], "by": found[1]}) + "\n")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def function_text(mutant: Mutant) -> str:
    """Source of the function that is changed, so that a change of a rewritten function is tried again."""
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and _first_line(node) == mutant.place:
            return ast.get_source_segment(source, node) or source
    return source


def try_named(change: Named, covered: Covered, journal: Journal, full: bool) -> tuple[str, str]:
    source = (ROOT / change.file).read_text(encoding="utf-8")
    if source.count(change.before) != 1:
        sys.exit(f"{change.file}: the text of the named change '{change.what}' is not there exactly once any more: state it anew")
    key = digest(f"named|{change.what}|{source}")
    if journal.known.get(key, [SURVIVED])[0] != KILLED:
        line = source[: source.index(change.before)].count("\n") + 1
        around = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef) and n.lineno <= line <= (n.end_lineno or 0)]
        node = min(around, key=lambda n: n.lineno)
        place = Mutant(change.file, 0, "named", line, _first_line(node), change.before, change.after, node.name, ast.parse(source))
        tests = chosen_tests(covered, place, full)
        tree = ast.parse(source.replace(change.before, change.after))
        journal.add(key, change.what, outcome(change.file, tree, place.place, tests, sum(map(covered.seconds, tests))))
    return journal.known[key][0], journal.known[key][1]


def try_mutant(mutant: Mutant, covered: Covered, journal: Journal, full: bool) -> tuple[str, str]:
    key = digest(f"{mutant.key}|{function_text(mutant)}")
    if key not in journal.known or (full and journal.known[key][0] == SURVIVED):
        tests = chosen_tests(covered, mutant, full)
        found = outcome(mutant.file, mutant.changed(), mutant.place, tests, sum(map(covered.seconds, tests)))
        journal.add(key, mutant.key, found)
    return journal.known[key][0], journal.known[key][1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=350, metavar="N", help="changes drawn of all (default 350; 0 for the named ones alone)")
    parser.add_argument("--seed", type=int, default=2711, metavar="N")
    parser.add_argument("--only", default="", metavar="TEXT", help="files whose path has this in it")
    parser.add_argument("--journal", metavar="FILE", help="keep every outcome here, and go on from it; the map of tests is kept beside it")
    parser.add_argument("--fresh-map", action="store_true", help="see again which tests run what (after tests were added)")
    parser.add_argument("--minutes", type=float, default=float("inf"), metavar="N", help="stop after so long: what was tried, in random order, is a sample too")
    parser.add_argument("--full", action="store_true", help="run all tests that cover a function, however long; survivors are tried again")
    parser.add_argument("--check", action="store_true", help="exit with 1 where too many survive")
    args = parser.parse_args()
    os.chdir(ROOT)
    start = time.monotonic()
    journal = Journal.open(Path(args.journal).resolve() if args.journal else None)
    path = Path(f"{args.journal or 'mutation'}.map.json").resolve()
    if args.fresh_map or not path.exists():
        cover(path)
    covered = Covered.of(path)
    warm_up()
    named = {}
    for change in (n for n in NAMED if args.only in n.file):
        named[change.what] = try_named(change, covered, journal, args.full)
        print(f"named: {change.what}: {' by '.join(p for p in named[change.what] if p)}", flush=True)
    tried: list[tuple[Mutant, str, str]] = []
    chosen = drawn(args.seed, args.sample, args.only) if args.sample else []
    random.Random(args.seed).shuffle(chosen)
    for mutant in chosen:
        if time.monotonic() - start > 60 * args.minutes:
            print(f"stopped after {args.minutes:g} minutes: {len(tried)} of {len(chosen)} changes, in random order", flush=True)
            break
        found = try_mutant(mutant, covered, journal, args.full)
        tried.append((mutant, *found))
        print(f"{mutant.file}:{mutant.line} {mutant.kind}: {mutant.before} -> {mutant.after}: {' by '.join(p for p in found if p)}", flush=True)
    return _table(named, tried, args.check)


def _table(named: dict[str, tuple[str, str]], tried: list[tuple[Mutant, str, str]], check: bool) -> int:
    alive = [name for name, (word, _) in named.items() if word != KILLED]
    print(f"\nnamed changes: {len(named) - len(alive)} of {len(named)} die{': ' + '; '.join(alive) + ' survive' if alive else ''}")
    if not tried:
        return int(check and bool(alive))
    reasons = explained()
    survivors = [mutant for mutant, word, _ in tried if word != KILLED]
    meant = [mutant for mutant in survivors if mutant.key not in reasons]
    equal = len(survivors) - len(meant)
    dead, counted = len(tried) - len(survivors), len(tried) - equal
    low, high = wilson(dead, counted)
    print(f"drawn changes: {dead} of {len(tried)} die; {equal} survivors change nothing that could be noticed (explained.txt)")
    print(f"of {counted} meaningful ones {dead / counted:.1%} die, 95 % interval {low:.1%} to {high:.1%}")
    for kind in sorted({m.kind for m, _, _ in tried}):
        of_kind = [word for m, word, _ in tried if m.kind == kind]
        print(f"  {kind}: {of_kind.count(KILLED)} of {len(of_kind)}")
    for mutant in survivors:
        why = f" :: {reasons[mutant.key]}" if mutant.key in reasons else ""
        print(f"survives: {mutant.key} (line {mutant.line}){why}")
    return int(check and (bool(alive) or dead < WANTED * counted))


if __name__ == "__main__":
    sys.exit(main())
