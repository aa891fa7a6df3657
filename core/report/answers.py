"""What only people can say about an audit: the questions of the form, and their answers as a file beside the audit or the cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.audit.json_file import read_json_file
from core.errors import UserError
from core.workspace import write_json

FILE = "answers.json"
LONGEST = 4000
"""Letters of one answer."""


@dataclass(frozen=True)
class Question:
    """One field of the form. key : in the file. label : what is asked. hint : what a good answer names."""

    key: str
    label: str
    hint: str


QUESTIONS = (
    Question("intended_use", "What is the model for?", "The decision it supports, and what it must not be used for."),
    Question("users", "Who will use it?", "Profession, training, who sees the result."),
    Question("population", "For which patients?", "Age, condition, setting; who is excluded."),
    Question("care_path", "Where in the care path?", "What comes before and after, and what happens without the model."),
    Question("inequalities", "Which inequalities are known in this care?", "Between which groups, from which source."),
    Question("sites", "Where and when was the data collected?", "Sites, dates, how patients came into it."),
    Question("devices", "With which devices and software?", "Maker, model, settings that differ between sites."),
    Question("attributes", "How were the sensitive attributes recorded?", "By patient or staff, when, in which categories."),
    Question("label_assessment", "How was the outcome assessed?", "By whom, how, blind to the model or not, the same in every group or not."),
    Question("metric_reason", "Why these metrics, this tolerance and this operating point?", "What an error costs, and whom."),
    Question("sample_size", "How was the number of patients decided?", "A calculation, or what was available."),
    Question("prespecified", "What was fixed before the data was seen?", "Protocol, registration, date."),
    Question("limitations", "What else limits the findings?", "Beyond what is computed."),
    Question("monitoring", "How is the model watched in use?", "What is measured, how often, who acts."),
    Question("involvement", "How were patients and the public involved?", "Or that they were not."),
    Question("ethics", "Which body approved the work?", "Name, number, consent or waiver."),
    Question("funding", "Who paid, and who has an interest?", "Funders and their part; conflicts of interest."),
    Question("availability", "Where are protocol, data and code?", "Or why they are not available."),
    Question("developer", "Who made the model?", "Organisation, version, licence."),
    Question("contact", "Who answers questions about it?", "Name or office, address."),
)
KEYS = tuple(question.key for question in QUESTIONS)


def checked(value: Any, source: str) -> dict[str, str]:
    """Answers by key, without empty ones.

    Raises
    ------
    UserError
        For what is no object of texts, an unknown key, or an answer that is too long.
    """
    if not isinstance(value, Mapping):
        raise UserError(f"{source}: answers are one JSON object of key and text; the keys are {', '.join(KEYS)}")
    for key, text in value.items():
        if key not in KEYS:
            raise UserError(f"{source}: '{key}' is not one of the questions; the keys are {', '.join(KEYS)}")
        if not isinstance(text, str):
            raise UserError(f"{source}: the answer to '{key}' is {type(text).__name__}; write a text in quotation marks")
        if len(text) > LONGEST:
            raise UserError(f"{source}: the answer to '{key}' has {len(text)} letters; {LONGEST} are read at most")
    return {key: value[key].strip() for key in KEYS if key in value and value[key].strip()}


def read_answers(path: Path) -> dict[str, str]:
    """Answers from a file.

    Raises
    ------
    UserError
        When it cannot be read or is not as `checked` wants it.
    """
    return checked(read_json_file(path, "write one object of key and text"), path.name)


def saved_answers(folder: Path) -> dict[str, str]:
    """The answers kept in the folder of an audit or a cohort; none where nobody has answered yet."""
    return read_answers(folder / FILE) if (folder / FILE).exists() else {}


def save_answers(folder: Path, answers: Mapping[str, str]) -> None:
    """Keep the answers in the folder of an audit or a cohort.

    Raises
    ------
    UserError
        See `checked`.
    """
    write_json(folder / FILE, checked(answers, "the form"))
