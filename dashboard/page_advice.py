"""Advice that names flags of the command line, in the words of the page."""

from __future__ import annotations

import re

CONTROLS = {
    "label": "the role 'label'", "patient": "the role 'patient id'", "id": "the role 'sample id'", "split": "the role 'split'", "drop": "the role 'not used'",
    "image": "the role 'image file'", "volume": "the role 'volume file'", "text": "the role 'text'", "tabular": "the role 'table value'",
    "attribute": "the box 'sensitive'",
    "positive": "the choice of the positive value", "uncertain": "the choice beside the positive value", "blank": "the choice beside the positive value",
    "join": "'A further table, joined by an id'", "metadata": "'Attributes in another file'", "on": "'Id that both files have'",
    "classes": "the box for classes",
    "merge": "the groups to merge, below the roles",
    "bins": "the bands below the roles",
    "folds": "the folds for cross-validation", "fold": "the folds for cross-validation",
    "site": "the choice of what is kept together", "images": "the upload of images", "sheet": "the choice of the sheet",
    "encoding": "the choice of the encoding",
    "prediction": "'Predicted label'", "score": "'Score'", "model": "'Name of the model'", "attributes": "'Sensitive attributes'",
    "weights": "'Sampling weights'",
}  # fmt: skip
"""Flag -> the control that does the same."""
_ARGUMENT = r"(?:[ =](?:'(?:[^']|'\"'\"')*'|\"[^\"]*\"|[A-Z][A-Z_|=,]+\b|\S+=\S+|(?:exclude|negative|positive)(?:, negative)?(?: or (?:negative|positive))?))?"
_WORD = r"(?:'(?:[^']|'\"'\"')*'|[^\s']+?)"
"""A value as `core.errors.option` prints it."""
_SENTENCES: tuple[tuple[str, str], ...] = (
    (r"Say so with --label COL; the table has: .*", "Give its column the role 'label'."),
    (
        r"[Ss]ay(?: so)?(?: for example)?(?: from which on)? with --positive[ =]" + _WORD + r"(?:, or name one value \([^)]*\))?(?: \([^)]*\))?",
        "Choose it below",
    ),
    (rf"For example --merge[ =]{_WORD}\.(?=\s|$)", "They can be merged below the roles."),
    (rf"cut it into bands with --bins[ =]{_WORD}, or at other edges", "tick it as sensitive: its bands are chosen below the roles"),
    (rf"--merge[ =]{_WORD} (makes them one|gives the group its name back|counts them as missing)", r"Ticking it below the roles \1"),
    (rf"--(drop|split)[ =](?=[\w'])(?!COL\b){_WORD}(?=[\s);,.]|$)", r"--\1"),
    (r"; with --strict such a cohort is refused", ""),
)


def on_page(text: str) -> str:
    """The text with controls of the page in place of flags."""
    for pattern, words in _SENTENCES:
        text = re.sub(pattern, words, text)
    return re.sub(rf"--({'|'.join(sorted(CONTROLS, key=len, reverse=True))})\b{_ARGUMENT}", lambda m: CONTROLS[m[1]], text)
