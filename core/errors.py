"""Errors that a user can mend."""

from __future__ import annotations

import errno
import re
import shlex
from pathlib import Path

_STORAGE = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "your disk quota is used up; free some space and try again",
    errno.EROFS: "the file system is read-only; choose another workspace with --workspace",
    errno.EACCES: "permission is denied; choose a place that you may write to",
    errno.EPERM: "permission is denied; choose a place that you may write to",
    errno.EIO: "the disk or network share does not answer; check it and try again",
    errno.ESTALE: "the network share was lost; mount it again and try again",
    errno.ENOTCONN: "the network share was lost; mount it again and try again",
}
_STORAGE_WORDS = (("no space left", errno.ENOSPC), ("disk quota", errno.EDQUOT), ("read-only file system", errno.EROFS), ("file write failed", errno.ENOSPC))
"""What libraries say that raise errors of their own: DuckDB, Arrow, PyTorch's archive writer."""


def storage_problem(error: BaseException) -> str | None:
    """One line for an error that comes from the storage (full, read-only, lost); None for any other error."""
    number = error.errno if isinstance(error, OSError) else None
    if (number not in _STORAGE and isinstance(error, (OSError, RuntimeError))) or type(error).__module__.startswith(("duckdb", "_duckdb")):
        said = str(error).lower()
        number = next((code for words, code in _STORAGE_WORDS if words in said), number)
    if number not in _STORAGE:
        return None
    name = getattr(error, "filename", None)
    return f"{f'{name}: ' if name else ''}{_STORAGE[number]}"


_PLAIN = re.compile(r"\w[\w.]*", re.ASCII)


def command(*words: str, name: str | None = None) -> str:
    """A multifair command as a remedy to print: words that came from users are quoted for the shell.

    `name`: what it is done to; one that begins as an option does is marked as a name.
    """
    named = () if name is None else ("--", name) if name.startswith("-") else (name,)
    return shlex.join(("multifair", *words, *named))


def option(flag: str, value: object) -> str:
    """A flag with a value that holds words of a user's data, as a remedy to print: quoted for the shell unless it is one plain word."""
    text = str(value)
    if _PLAIN.fullmatch(text):
        return f"{flag} {text}"
    quoted = shlex.quote(text)
    # A value that begins as a flag does would be taken for one.
    return f"{flag}{'=' if text.startswith('-') else ' '}{quoted if quoted != text else repr(text)}"


class UserError(Exception):
    """Unusable input or arguments.

    The message names the file, the row or column, and the way to mend it. The
    command line prints it as one line and exits with 2; pages show it in place.
    """


class DamagedFile(UserError):
    """A file of the workspace is empty, cut off or not what its name says.

    The message names whose file it is, what is wrong with it, and what to do.
    """

    def __init__(self, owner: str, file: str, why: str, remedy: str) -> None:
        super().__init__(f"{owner} is damaged: {file} {why}; {remedy}")
        self.owner, self.file, self.why, self.remedy = owner, file, why, remedy


def known_as(error: UserError, file: Path, name: str) -> UserError:
    """The error with the file's name as its user knows it, not as it lies on the server."""
    return UserError(str(error).replace(str(file), name).replace(file.name, name))
