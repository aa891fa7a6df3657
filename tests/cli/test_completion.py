"""Completion offers what the parser takes, in the shells that are here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from core.cli import COMMANDS, build_parser, main
from core.cli.completion import WRITERS, levels

ASK = 'source "$1"; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _multifair; printf "%s\\n" "${{COMPREPLY[@]}}"'


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "bash"
    path.write_text(WRITERS["bash"](list(levels(build_parser()))), encoding="utf-8")
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("multifair aud", {"audit"}),
        ("multifair audit --fail-on ''", {"disparity"}),
        ("multifair audit x.csv --tol", {"--tolerance"}),
        ("multifair store r", {"rebuild"}),
        ("multifair report --out x --sup", {"--suppress"}),
        ("multifair completion ''", {"bash", "zsh", "fish", "-h", "--help"}),
    ],
)
def test_bash_completes(script: Path, words: str, found: set[str]) -> None:
    said = subprocess.run(["bash", "-c", ASK.format(words=words), "bash", str(script)], capture_output=True, text=True, check=True)
    assert set(said.stdout.split()) == found and said.stderr == ""


@pytest.mark.parametrize("shell", WRITERS)
def test_every_command_is_in_every_script(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert (all(name.replace("_", "-") in said for name in COMMANDS) and "--suppress" in said) or "-l suppress" in said
    if shutil.which(shell):
        (tmp_path / "script").write_text(said, encoding="utf-8")
        assert subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True, check=False).returncode == 0


def test_an_unknown_shell_is_refused() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["completion", "tcsh"])
