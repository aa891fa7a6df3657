"""Well-known cohorts by the columns of their official tables: which column is the label, what is known to mislead, whose data it is.

Nothing of these data sets is part of this project, and nothing is downloaded. Licences are named as
their owners publish them; what counts is the agreement under which a copy was obtained.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import UserError
from core.tables.column_names import tidy
from core.tables.finding import Finding


@dataclass(frozen=True)
class Layout:
    """An official table. Column names are compared without regard to case and signs.

    columns : those by which it is recognised. label : the usual label, None where there are several.
    repeats : columns that say the label in other words, or were known only after it: no inputs unless a modality names them.
    repeated : the label that they repeat where that is not the usual one; with neither, any label.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    label: str | None
    licence: str
    traps: str
    repeats: tuple[str, ...] = ()
    repeated: str | None = None

    def is_usual(self, label: str) -> bool:
        """Whether `repeats` say this label in other words."""
        usual = self.repeated or self.label
        return usual is None or tidy(usual) == tidy(label)

    def fits(self, columns: Iterable[str]) -> bool:
        there = {tidy(c) for c in columns}
        return all(tidy(c) in there for c in self.columns)


LAYOUTS = (
    Layout("chexpert", "CheXpert", ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA"), None, "Stanford University Dataset Research Use Agreement",
           "labels are read from reports by a program: -1 is uncertain, a blank means not mentioned; patients are named in the paths only; race is in a "
           "table of its own"),
    Layout("mimic-cxr", "MIMIC-CXR-JPG", ("dicom_id", "subject_id", "study_id"), None, "PhysioNet Credentialed Health Data License",
           "labels are read from reports by a program: -1 is uncertain, a blank means not mentioned; sex, age and race are in MIMIC-IV (--join "
           "FILE:subject_id); the official split calls validation 'validate'"),
    Layout("nih", "NIH ChestX-ray14", ("Image Index", "Finding Labels", "Patient ID"), "Finding Labels",
           "free to use, with acknowledgement of the NIH Clinical Center",
           "labels are read from reports by a program, several in a cell; some ages are above 120"),
    Layout("isic", "ISIC 2020", ("image_name", "patient_id", "target"), "target", "CC BY-NC 4.0",
           "diagnosis and benign_malignant say the label in other words; some pictures occur twice", ("diagnosis", "benign_malignant")),
    Layout("ham10000", "HAM10000", ("lesion_id", "image_id", "dx", "dx_type"), "dx", "CC BY-NC 4.0",
           "there are several pictures of many lesions, and patients are not named; dx_type depends on the diagnosis: only benign ones were followed up",
           ("dx_type",)),
    Layout("pad-ufes", "PAD-UFES-20", ("patient_id", "lesion_id", "img_id", "diagnostic"), "diagnostic", "CC BY 4.0",
           "all cancers were biopsied, so biopsed tells the label; histories are missing where nothing was operated on", ("biopsed",)),
    Layout("fitzpatrick17k", "Fitzpatrick17k", ("md5hash", "fitzpatrick_scale", "three_partition_label"), "three_partition_label",
           "annotations CC BY-NC-SA 3.0, pictures belong to the atlases",
           "-1 is an unknown skin type; label and nine_partition_label say the label in other words; some pictures occur twice",
           ("label", "nine_partition_label")),
    Layout("papila", "PAPILA", ("ID", "Age", "Gender", "Diagnosis"), "Diagnosis", "CC BY 4.0",
           "one table for each eye (--join FILE:ID); diagnosis 2 is suspect, neither healthy nor glaucoma"),
    Layout("odir", "ODIR-5K", ("ID", "Patient Age", "Patient Sex", "Left-Fundus"), None, "for research, by the rules of its challenge",
           "N, D, G, C, A, H, M and O are labels of the patient, not of each eye; the keywords of the eyes say them in other words",
           ("Left-Diagnostic Keywords", "Right-Diagnostic Keywords")),
    Layout("brset", "BRSET", ("image_id", "patient_id", "exam_eye", "patient_sex"), None, "PhysioNet Credentialed Health Data License",
           "the ICDR and SDRG grades say diabetic_retinopathy in other words", ("DR_ICDR", "DR_SDRG"), "diabetic_retinopathy"),
    Layout("aptos", "APTOS 2019", ("id_code", "diagnosis"), "diagnosis", "by the rules of its Kaggle competition",
           "diagnosis is a grade from 0 to 4; there are no groups to compare and patients are not named; some pictures occur twice with different grades"),
    Layout("rsna", "RSNA Screening Mammography", ("patient_id", "image_id", "laterality", "cancer"), "cancer", "by the rules of its Kaggle competition",
           "biopsy, invasive, BIRADS and difficult_negative_case were known only after the diagnosis; cancer is one of a breast, and all its views carry it",
           ("biopsy", "invasive", "BIRADS", "difficult_negative_case")),
)  # fmt: skip
NAMES = (*(layout.name for layout in LAYOUTS), "fairvision", "fairvlmed")
FOLDERS = ("fairvision", "fairvlmed")
"""Layouts that are a folder of files instead of a table (`core.cohort.fairvision`)."""


def recognised(columns: Iterable[str]) -> Layout | None:
    """The layout that the columns are of, the one with the most columns first; None for any other table."""
    there = list(columns)
    fitting = [layout for layout in LAYOUTS if layout.fits(there)]
    return max(fitting, key=lambda layout: len(layout.columns), default=None)


def layout_named(name: str, columns: Iterable[str]) -> Layout:
    """The layout of that name. Raises UserError when the table lacks its columns."""
    if name in FOLDERS:
        raise UserError(f"--layout {name}: this layout is a folder of NPZ files; name the folder that holds Training, Validation and Test, not a table")
    layout = next((known for known in LAYOUTS if known.name == name), None)
    if layout is None:
        raise UserError(f"--layout {name}: known are {', '.join(NAMES)}")
    there = {tidy(c) for c in columns}
    missing = [c for c in layout.columns if tidy(c) not in there]
    if missing:
        raise UserError(f"--layout {name}: the table has no column {missing[0]!r}, as {layout.title} has; it has: {', '.join(list(columns)[:20])}")
    return layout


def named_like(column: str, columns: Iterable[str]) -> str | None:
    """The table's column of that name, whatever its case and signs."""
    return next((c for c in columns if tidy(c) == tidy(column)), None)


def layout_finding(columns: Iterable[str]) -> list[Finding]:
    """Whose data a well-known table is, and what is known to mislead in it."""
    there = list(columns)
    layout = recognised(there)
    if layout is None:
        return []
    repeats = [c for r in layout.repeats if (c := named_like(r, there)) is not None]
    remedy = f"No model is given {', '.join(repeats)} unless a modality names them." if repeats else "Nothing to do when you know these."
    return [Finding("known-layout", "info", f"the table has the columns of {layout.title} (licence: {layout.licence}). Known traps: {layout.traps}", 0, remedy)]
