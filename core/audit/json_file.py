"""The one way in which a user's JSON file is read: what is wrong with it in one line, with the way to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import UserError
from core.json_reading import read_json


def read_json_file(path: Path, remedy: str) -> Any:
    """The value in a JSON file of a user. Raises UserError, ending in `remedy` where it is no JSON."""
    try:
        return read_json(path)
    except OSError as error:
        raise UserError(f"{path.name}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"{path.name}: not JSON ({error}); {remedy}") from error
