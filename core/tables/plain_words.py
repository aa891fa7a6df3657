"""A word of a table without what does not change its meaning: case, accents, signs, a wrong encoding."""

from __future__ import annotations

import re
import unicodedata
from functools import cache


@cache
def plain(value: str) -> str:
    """A group's name without case, accents, punctuation and doubled spaces; whole numbers without zeros."""
    text = unicodedata.normalize("NFKC", repaired(value)).casefold().strip()
    text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    if re.fullmatch(r"[-+]?\d+([.]0*)?", text):
        # By its digits: a number loses those beyond the sixteenth, and there are none of 400.
        digits = "".join(str(unicodedata.digit(c)) for c in text.partition(".")[0] if c.isdigit()).lstrip("0") or "0"
        return f"-{digits}" if text.startswith("-") and digits != "0" else digits
    text = text.replace("ı", "i")
    squeezed = re.sub(r"(?:[\s_/\\]|(?<=\w)-(?=\w)|(?<!\d)\.(?!\d))+", " ", text).strip(" .:;,*\"'()")
    # A sign that is the whole name, or that ends it (A+, 60+), is its meaning.
    return squeezed or text


def repaired(value: str) -> str:
    """A word whose UTF-8 bytes were read as Windows-1252 (`MÃ©tis`), as it was written; others as they are."""
    if not re.search(r"[ÃÂâÐÑÅÄ][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ¡-¿]", value):
        return value
    try:
        return value.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return value
