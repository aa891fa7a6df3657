"""JSON as a user or another program left it: its value, or in a few words why it has none."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

LARGEST_NUMBER = 2**63 - 1
LONGEST_NUMBER = 20


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises FileNotFoundError, other OSErrors, and ValueError with the reason in a few words
    for anything that is no JSON (NaN and nesting beyond reason included) or no regular file,
    and for numbers and texts that no table or page could hold.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("is no regular file")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not text (UTF-8)") from None
    return json_value(text)


def json_value(text: str) -> Any:
    """The value that a JSON text spells. Raises ValueError with the reason in a few words, as `read_json` does."""
    if not text.strip():
        raise ValueError("is empty")
    try:
        value = json.loads(text, parse_constant=_refuse, parse_int=_whole_number, parse_float=_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON ({error.msg} in line {error.lineno})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if "\\u" in text and not writable_texts(value):
        raise ValueError("holds characters that cannot be written")
    return value


def writable_texts(value: Any) -> bool:
    """Whether every text in a JSON value can be written: half a surrogate pair, which JSON can spell, cannot."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(word: str) -> Any:
    raise ValueError(f"holds {word}, which JSON does not know")


def _whole_number(digits: str) -> int:
    # Longer ones fit no column of a table; Python would refuse those of 5,000 digits in words of its own.
    if len(digits) <= LONGEST_NUMBER and abs(number := int(digits)) <= LARGEST_NUMBER:
        return number
    raise ValueError(f"holds a number beyond {LARGEST_NUMBER}")


def _number(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"holds {digits[:20]}, which is too large for a number")
    return number
