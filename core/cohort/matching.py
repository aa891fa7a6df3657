"""Which file each row of a column means, without ever giving a row another row's file."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.cohort import images, volumes
from core.cohort.schema import Finding
from core.cohort.sources import ImageSource, Resolved, loose_parts, safe_name
from core.errors import UserError
from core.tables.finding import counted, listed

MEDIA = (*images.SUFFIXES, *volumes.VOLUME_SUFFIXES)
_ENDING = rf"(?:{'|'.join(re.escape(s) for s in MEDIA)})"
_SEVERAL = re.compile(rf"{_ENDING}[\"'\]]*(?:\s*[;,|+&，、；]\s*|\s+)[\[\"']*\S.*{_ENDING}", re.IGNORECASE)
_FILE_AS_FOLDER = re.compile(rf"{_ENDING}\s*[/\\]+\s*[^/\\].*{_ENDING}$", re.IGNORECASE)
"""`front.png//side.png`: a file whose name stands where a folder's would."""
_WEB = re.compile(r"^(?!file:)\w+://", re.IGNORECASE)
UNREAD = (
    ".nhdr",
    ".mha",
    ".mhd",
    ".img",
    ".hdr",
    ".mgz",
    ".svs",
    ".ndpi",
    ".mrxs",
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".j2k",
    ".mp4",
    ".avi",
    ".mov",
    ".pdf",
    ".h5",
    ".hdf5",
    ".mat",
    ".pkl",
    ".pt",
    ".edf",
    ".wav",
)
"""Endings of files of pictures, volumes and signals that are not read."""


NOT_FOUND = "file not found"
SEVERAL_FILES = "names several files: make one row, or one column, for each"


@dataclass(frozen=True)
class Matches:
    """Per reference the file it means or why there is none, and what a reader must know about it."""

    files: list[Resolved]
    findings: tuple[Finding, ...] = ()


def match_files(source: ImageSource, references: Sequence[str | None], column: str, *, folders: bool = False, hints: bool = True) -> Matches:
    """Match every reference of a column to a file of the source.

    A file fits when its whole relative path ends the reference, or the reference, whole, ends the
    path of exactly one file. Folders that all references of the column begin with, and that the
    source does not have, say nothing about a row: they are left out, with a finding. A file that
    the references of several rows would fit belongs to the one that names it in full, else to none.
    `hints`: names that nearly fit are looked for and said.
    """
    files = [Resolved(None) if r is None else _one(source, r) for r in references]
    if folders:
        files = [_or_folder(source, r, found) for r, found in zip(references, files, strict=True)]
    other = _with_other_ending(source, references, files)
    files = [other.get(place, found) for place, found in enumerate(files)]
    prefix = _common_folders([r for r in references if r is not None])
    shortened = 0
    if prefix:
        for place, (reference, found) in enumerate(zip(references, files, strict=True)):
            if reference is None or found.name is not None or _SEVERAL.search(reference):
                continue
            again = source.resolve("/".join((loose_parts(reference) or [""])[prefix:]))
            if again.name is not None:
                files[place], shortened = again, shortened + 1
    files = _unclaimed(references, files)
    findings = [*_shared(files, column), *_endings_differ(references, files, other, column), *(_alike(source, references, files, column) if hints else ())]
    if shortened:
        common = "/".join((loose_parts(next(r for r in references if r)) or [])[:prefix])
        findings.append(
            Finding(
                "paths-shortened",
                "info",
                f"{column}: all paths begin with '{common}', which the files' folder does not have; it is left out",
                shortened,
                "Nothing to do when the files lie below the folder that was named.",
                (column,),
            )
        )
    return Matches(files, tuple(findings))


def names_several(reference: str) -> bool:
    """Whether one cell names several files (`front.png;side.png`)."""
    return bool(_SEVERAL.search(reference))


def is_web_address(reference: str) -> bool:
    """Whether a cell names a page of the web in place of a file."""
    return bool(_WEB.match(reference.strip()))


def unread_format(references: Sequence[str]) -> str | None:
    """The ending of files that most references name and that is not read; None where they name others, or none."""
    unread = [text for reference in references if (text := reference.lower()).endswith(UNREAD)]
    if len(unread) <= 0.5 * max(len(references), 1):
        return None
    return max((ending for ending in UNREAD if unread[0].endswith(ending)), key=len)


def share_found(source: ImageSource, references: Sequence[str]) -> tuple[float, str | None]:
    """The share of the references that mean a file of pictures or volumes, and such a file's name."""
    found = [r.name for r in match_files(source, references, "", hints=False).files if r.name and r.name.lower().endswith(MEDIA)]
    return len(found) / max(len(references), 1), found[0] if found else None


def unused_files(source: ImageSource, used: Iterable[str | None], *, named: bool) -> list[Finding]:
    """A finding when the source holds pictures or volumes that no row uses. `named`: the user pointed at the source."""
    try:
        there = [name for name in source.names() if name.lower().endswith(MEDIA)]
    except UserError:
        return []
    taken = {volumes.split_key(name)[0] for name in used if name is not None}
    unused = [name for name in there if name not in taken]
    if not unused or (taken and not named):
        return []
    what = "no row uses any of them" if len(unused) == len(there) else f"{len(unused)} of them are used by no row"
    message = f"{counted(len(there), 'file')} of pictures or volumes: {what} ({listed(unused, 3)})"
    return [
        Finding(
            "unused-files",
            "warning" if not taken else "info",
            message,
            0,
            "If they belong to the rows, name the column that says which file is whose (--image NAME=COL or --volume NAME=COL).",
        )
    ]


def _one(source: ImageSource, reference: str) -> Resolved:
    if is_web_address(reference):
        return Resolved(None, "a web address, not a file; nothing is downloaded")
    found = source.resolve(reference)
    if _FILE_AS_FOLDER.search(reference.strip()) and found.name != safe_name(reference):
        return Resolved(None, SEVERAL_FILES)
    if found.name is None and (names_several(reference) or _parts_are_files(source, reference)):
        return Resolved(None, SEVERAL_FILES)
    return found


def _or_folder(source: ImageSource, reference: str | None, found: Resolved) -> Resolved:
    """The folder that the reference names, as a volume of the files in it, where it names no file; its name ends in "/"."""
    if reference is None or found.name is not None or found.problem != NOT_FOUND:
        return found
    folder = source.folder(reference)
    return Resolved(f"{folder}/") if folder is not None else found


def _parts_are_files(source: ImageSource, reference: str) -> bool:
    """Whether signs divide the cell into two or more names of files without their endings (`IM001;IM002`)."""
    parts = [p.strip(" []'\"") for p in re.split(r"[;,|+&\n，、；]", reference)]
    return len(parts) > 1 and all(parts) and all(source.resolve(p).name is not None for p in parts)


def _ending_of(name: str) -> tuple[str, tuple[str, ...]]:
    """The ending of a picture's or volume's name and the endings of its kind; empty for others."""
    for kind in (images.SUFFIXES, volumes.VOLUME_SUFFIXES):
        ending = max((s for s in kind if name.lower().endswith(s)), key=len, default="")
        if ending:
            return ending, kind
    return "", ()


def _with_other_ending(source: ImageSource, references: Sequence[str | None], files: Sequence[Resolved]) -> dict[int, Resolved]:
    """Row -> the one file of the same kind that has the name but another ending (`L1.png` in the table, `L1.jpg` on disk)."""
    found: dict[int, Resolved] = {}
    for place, (reference, file) in enumerate(zip(references, files, strict=True)):
        if reference is None or file.problem != NOT_FOUND:
            continue
        ending, kind = _ending_of(reference.strip())
        other = source.resolve(reference.strip()[: -len(ending)]) if ending else Resolved(None)
        if other.name is not None and other.name.lower().endswith(kind):
            found[place] = other
    return found


def _endings_differ(references: Sequence[str | None], files: Sequence[Resolved], other: dict[int, Resolved], column: str) -> list[Finding]:
    places = [p for p, found in other.items() if files[p].name == found.name]
    if not places:
        return []
    example = f"'{references[places[0]]}' as '{files[places[0]].name}'"
    message = f"{column}: {counted(len(places), 'file')} found under another ending than the table's ({example})"
    return [Finding("ending-differs", "warning", message, len(places), "Fine when they were converted; otherwise correct the names.", (column,))]


def _alike(source: ImageSource, references: Sequence[str | None], files: Sequence[Resolved], column: str) -> list[Finding]:
    """A hint where names that fit no file fit one but for signs, zeros and case (`P-0` and `p00.png`)."""
    lost = [str(r) for r, f in zip(references, files, strict=True) if r is not None and f.problem == NOT_FOUND]
    if not lost:
        return []
    try:
        names = source.names()
    except UserError:
        return []
    there: dict[str, str | None] = {}
    for name in names:
        key = loose_key(name)
        there[key] = None if there.get(key, name) != name else name
    near = [(r, found) for r in lost if (found := there.get(loose_key(r)))]
    if not near:
        return []
    message = f"{column}: {counted(len(near), 'name')} fit no file, but one that is written a little otherwise ('{near[0][0]}' and '{near[0][1]}')"
    return [Finding("names-alike", "warning", message, len(near), "If they are the same, write the names in the table as the files are called.", (column,))]


def loose_key(name: str) -> str:
    """The last part of a path without its ending, signs, case and zeros before numbers."""
    last = re.sub(rf"{_ENDING}$", "", name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].strip(), flags=re.IGNORECASE)
    return "|".join(str(int(p)) if p.isdecimal() else p for p in re.findall(r"[^\W\d_]+|\d+", last.casefold()))


def _common_folders(references: Sequence[str]) -> int:
    """How many folders all references begin with; 0 when some have none."""
    distinct = list(dict.fromkeys(references))
    if len(distinct) < 2:
        return 0
    parts = [loose_parts(r) for r in distinct]
    known = [p[:-1] for p in parts if p is not None]
    return sum(1 for _ in itertools.takewhile(lambda level: len(set(level)) == 1, zip(*known, strict=False))) if len(known) > 1 else 0


def _unclaimed(references: Sequence[str | None], files: list[Resolved]) -> list[Resolved]:
    """No file for two different references: the one that names it in full keeps it."""
    claims: dict[str, set[str]] = defaultdict(set)
    for reference, found in zip(references, files, strict=True):
        if reference is not None and found.name is not None:
            claims[found.name].add(reference.strip())
    contested = {name: wanted for name, wanted in claims.items() if len(wanted) > 1}
    if not contested:
        return files
    kept = list(files)
    for place, (reference, found) in enumerate(zip(references, files, strict=True)):
        if reference is None or found.name not in contested or safe_name(reference) == found.name:
            continue
        in_full = [r for r in contested[found.name] if safe_name(r) == found.name]
        other = in_full or sorted(contested[found.name] - {reference.strip()})
        kept[place] = Resolved(None, f"the file that fits is named by another row as well ('{other[0][:80]}')")
    return kept


def _shared(files: Sequence[Resolved], column: str) -> list[Finding]:
    rows: dict[str, int] = defaultdict(int)
    for found in files:
        if found.name is not None:
            rows[found.name] += 1
    shared = [name for name, n in rows.items() if n > 1]
    if not shared:
        return []
    count = sum(rows[name] for name in shared)
    return [
        Finding(
            "shared-file",
            "warning",
            f"{column}: {counted(len(shared), 'file')} named by several rows ({listed(shared, 3)})",
            count,
            "Fine when rows describe parts of one picture; else one of them names another's file. Rows of one picture should have one patient.",
            (column,),
        )
    ]
