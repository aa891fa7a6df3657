"""Commands that print a table, and pages that do not train, import neither torch nor what they do not use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import fake_workspace

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "pandas", "numpy", "duckdb", "pyarrow", "scipy", "sklearn", "altair", "PIL", "streamlit")
RUN = """
import contextlib, io, json, sys
from core.cli import main
code = 0
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    try:
        code = main(sys.argv[1:])
    except SystemExit as end:
        code = end.code
print(json.dumps([code, [name for name in %r if name in sys.modules]]))
"""
PAGES = """
import json, sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file(sys.argv[1], default_timeout=90)
app.run()
found = {}
for page in sys.argv[2:]:
    app.switch_page(page).run()
    found[page] = [len(app.exception), "torch" in sys.modules]
print(json.dumps([found]))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_workspace(tmp_path_factory.mktemp("imports") / "workspace", runs=3, patients=80, epochs=2).workspace.root


def answer(code: str, *words: str, home: Path) -> list[object]:
    import os

    environment = {**os.environ, "MULTIFAIR_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=99, env=environment)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("words", [["--help"], ["runs"], ["methods"], ["cohorts"], ["queue"], ["trash"], ["train", "--help"]], ids=" ".join)
def test_commands_that_print_a_table_import_nothing_heavy(words: list[str], root: Path) -> None:
    assert answer(RUN % (HEAVY,), *words, home=root) == [0, []]


def test_an_audit_imports_neither_torch_nor_the_database(root: Path, tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i % 2},{(i * 37 % 100) / 100},{'ab'[i % 3 == 0]}" for i in range(200))
    (tmp_path / "p.csv").write_text(f"id,y,score,group\n{rows}\n", encoding="utf-8")
    words = ["audit", str(tmp_path / "p.csv"), "--label", "y", "--score", "score", "--attributes", "group"]
    code, loaded = answer(RUN % (HEAVY,), *words, home=root)
    assert code == 0 and isinstance(loaded, list) and not {"torch", "duckdb", "altair", "PIL", "streamlit", "sklearn"} & set(loaded)


def test_pages_that_do_not_train_never_import_torch(root: Path) -> None:
    pages = [str(ROOT / "pages" / f"{page}.py") for page in ("overview", "cohort", "groups", "compare", "modalities", "gradients", "audit", "reports")]
    assert answer(PAGES, str(ROOT / "dashboard" / "script.py"), *pages, home=root) == [{page: [0, False] for page in pages}]
