"""Advice that names flags of the command line, in the words of the page."""

from __future__ import annotations

import re

CONTROLS = {
    "label": "the role 'label'", "patient": "the role 'patient id'", "id": "the role 'sample id'", "split": "the role 'split'", "drop": "the role 'not used'",
    "image": "the role 'image file'", "volume": "the role 'volume file'", "text": "the role 'text'", "tabular": "the role 'table value'",
    "attribute": "the box 'sensitive'",
    "positive": "the choice of the positive value", "uncertain": "the choice beside the positive value", "blank": "the choice beside the positive value",
    "join": "'A further table, joined by an id'", "metadata": "'Attributes in another file'", "on": "'Id that both files have'",
    "classes": "the box for classes", "cross": "'Compare combinations as well'",
    "merge": "the groups to merge, below the roles",
    "bins": "the bands below the roles",
    "folds": "the folds for cross-validation", "fold": "the folds for cross-validation",
    "site": "the choice of what is kept together", "images": "the upload of images", "sheet": "the choice of the sheet",
    "encoding": "the choice of the encoding",
    "prediction": "'Predicted label'", "score": "'Score'", "model": "'Name of the model'", "attributes": "'Sensitive attributes'",
    "weights": "'Sampling weights'",
}  # fmt: skip
"""Flag -> the control of the Cohort page that does the same."""
OF_AUDIT = {
    "label": "'True label'", "patient": "'Patient id'", "id": "'Sample id'", "split": "'Split'", "drop": "'Sensitive attributes'",
    "positive": "'Value that means positive'", "attribute": "'Sensitive attributes'", "bins": "the bands below the columns",
    "merge": "the groups to merge, below the columns", "target": "'Predicted positive at'", "threshold": "'Predicted positive at'",
    "tolerance": "'Tolerance'", "bootstrap": "'Bootstrap replicates'", "intersections": "'Intersections up to'", "missing": "'Missing attribute values'",
    "gap": "'Plan for a gap of'",
}  # fmt: skip
"""Flag -> the control of the Audit page, where it is another."""
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
    (r"--target sensitivity=\.9 or --target selection_rate=\.1, or --threshold X", "'Predicted positive at': a sensitivity, a share selected, or a threshold"),
    (r"--threshold X or --target sensitivity=\.9", "'Predicted positive at': a threshold, or a sensitivity"),
)


def on_page(text: str, *, audit: bool = False) -> str:
    """The text with controls of the page in place of flags: those of the Cohort page, or with `audit` of the Audit page."""
    for pattern, words in _SENTENCES:
        text = re.sub(pattern, words, text)
    controls = CONTROLS | OF_AUDIT if audit else CONTROLS
    said = re.sub(rf"--({'|'.join(sorted(controls, key=len, reverse=True))})\b{_ARGUMENT}", lambda m: controls[m[1]], text)
    return said.replace("below the roles", "below the columns") if audit else said
