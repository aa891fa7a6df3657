"""`multifair completion SHELL`: a script that completes commands, options and their choices in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DESCRIPTION = """\
Print a script that completes commands, options and their choices, made from this very version.

  bash   multifair completion bash >> ~/.bash_completion
  zsh    multifair completion zsh > "${fpath[1]}/_multifair"
  fish   multifair completion fish > ~/.config/fish/completions/multifair.fish"""


@dataclass(frozen=True)
class Level:
    """A command, or the program itself.

    path : words that lead to it. words : commands or choices that come next, with their help.
    options : flag -> (help, choices; None where a value is free, () where there is none).
    """

    path: tuple[str, ...]
    words: dict[str, str]
    options: dict[str, tuple[str, tuple[str, ...] | None]]


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "completion",
        help="print a script that completes this program in a shell",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=tuple(WRITERS), help="shell to complete in")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from core.cli import build_parser

    print(WRITERS[args.shell](list(levels(build_parser()))), end="")
    return 0


def levels(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[Level]:
    """The parser and all below it."""
    words: dict[str, str] = {}
    options: dict[str, tuple[str, tuple[str, ...] | None]] = {}
    below: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        help_text = "" if action.help in (None, argparse.SUPPRESS) else str(action.help).replace("%%", "%")
        if isinstance(action, argparse._SubParsersAction):
            below |= action.choices
            told = {choice.dest: choice.help or "" for choice in action._choices_actions}
            words |= {name: told.get(name, "") for name in action.choices}
        elif action.option_strings:
            choices = tuple(map(str, action.choices)) if action.choices else () if action.nargs == 0 else None
            options |= {flag: (help_text, choices) for flag in action.option_strings if action.help != argparse.SUPPRESS}
        elif action.choices:
            words |= {str(choice): "" for choice in action.choices}
    yield Level(path, words, options)
    for name, one in below.items():
        yield from levels(one, (*path, name))


def _quoted(text: str) -> str:
    """Between single quotes, as bash and zsh read it."""
    return "'" + text.replace("'", "'\\''") + "'"


def _cases(found: list[Level], chosen: str) -> Iterator[str]:
    """Lines of a shell's `case`: what may follow an option, then what may follow a command."""
    for level in found:
        at = " ".join(level.path)
        for flag, (_, choices) in level.options.items():
            if choices is None or choices:
                yield f"    {_quoted(f'{at}|{flag}')}) {chosen}={_quoted(' '.join(choices or ()))}; return;;"
    yield "  esac"
    yield '  case "$path" in'
    for level in found:
        yield f"    {_quoted(' '.join(level.path))}) {chosen}={_quoted(' '.join([*level.words, *level.options]))};;"


WALK = """\
# Sets {chosen} to the words that may come next; empty: the name of a file.
_multifair_words() {{
  local path="" word
  for word in "${{@:1:$#-1}}"; do
    case " {paths} " in *" ${{path:+$path/}}$word "*) path="${{path:+$path/}}$word";; esac
  done
  path="${{path//\\// }}"
  case "$path|${{@: -1}}" in
{cases}
  esac
}}
"""


def _walk(found: list[Level]) -> str:
    paths = " ".join("/".join(level.path) for level in found if level.path)
    return WALK.format(chosen="_multifair_next", paths=paths, cases="\n".join(_cases(found, "_multifair_next")))


def bash(found: list[Level]) -> str:
    """For bash 4 or newer."""
    return f"""{_walk(found)}
_multifair() {{
  local _multifair_next=""
  COMPREPLY=()
  _multifair_words "${{COMP_WORDS[@]:1:COMP_CWORD-1}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
  [ -n "$_multifair_next" ] && mapfile -t COMPREPLY < <(compgen -W "$_multifair_next" -- "${{COMP_WORDS[COMP_CWORD]}}")
}}
complete -o default -F _multifair multifair
"""


def zsh(found: list[Level]) -> str:
    return f"""#compdef multifair
{_walk(found)}
_multifair() {{
  local _multifair_next=""
  _multifair_words "${{(@)words[2,CURRENT-1]}}" "${{words[CURRENT-1]}}"
  if [[ -n "$_multifair_next" ]]; then compadd -- ${{=_multifair_next}}; else _files; fi
}}
compdef _multifair multifair
"""


def fish(found: list[Level]) -> str:
    lines = ["complete -c multifair -f -n __fish_use_subcommand"]
    for level in found:
        at = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in level.path) or "__fish_use_subcommand"
        inner = " ".join(level.words)
        first = f"{at}; and not __fish_seen_subcommand_from {inner}" if level.path and inner else at
        lines += [f"complete -c multifair -f -n {_fished(first)} -a {word} -d {_fished(help_text)}" for word, help_text in level.words.items()]
        for flag, (help_text, choices) in level.options.items():
            name = f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
            value = "" if choices == () else f" -x -a {_fished(' '.join(choices))}" if choices else " -r -F"
            lines.append(f"complete -c multifair -n {_fished(at)} {name}{value} -d {_fished(help_text)}")
    return "\n".join(lines) + "\n"


def _fished(text: str) -> str:
    """Between single quotes, as fish reads it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", " ") + "'"


WRITERS = {"bash": bash, "zsh": zsh, "fish": fish}
