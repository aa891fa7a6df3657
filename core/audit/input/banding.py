"""Numeric attributes as bands of values, and a limit on the number of groups of any attribute."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from core.audit.input.predictions import Attribute, AuditFinding, Predictions
from core.audit.options import AuditOptions
from core.errors import UserError, option
from core.tables.numbers import parse_numbers

MAX_SINGLE_VALUES = 10
"""A numeric attribute with more distinct values is banded; with as many or fewer, each value is a group."""
MAX_GROUPS = 100
"""More groups than this in one attribute are a mistake: an identifier, a date, a code."""
QUANTILE_BANDS = 4
SHOWN_VALUES = 3

Floats = NDArray[np.float64]

_BOUND = re.compile(r"(?:(?P<sign>[<>]=?)\s*)?(?P<number>-?[0-9][0-9.eE+-]*?)(?P<plus>\+)?")
_CODE = re.compile(r"-?0[0-9]+")
_DATE = re.compile(r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}.*|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}.*")
_ID_WORDS = frozenset({"id", "ids", "patient", "subject", "mrn", "record", "accession", "index", "key", "number", "nr", "no"})
_PLACE_WORDS = frozenset({"zip", "zipcode", "postcode", "postal", "postalcode", "plz"})


def banded(predictions: Predictions, options: AuditOptions) -> Predictions:
    """The predictions with every numeric attribute of many values as bands, each said in a finding.

    A numeric attribute is banded at `options.bands` where these name it, and otherwise, when it has more
    than ten distinct values, at its quartiles. Bands stand in the order of their edges. Applying this to
    its own result changes nothing.

    Raises
    ------
    UserError
        For bands of an attribute that is unknown or not numeric, and for an attribute with more than
        `MAX_GROUPS` groups, with the way out.
    """
    unknown = [name for name in options.bands if name not in predictions.attributes]
    if unknown:
        raise UserError(
            f"{predictions.source}: bands are given for '{unknown[0]}', which is not an attribute of this audit; there are {', '.join(predictions.attributes)}"
        )
    attributes, findings = {}, []
    for name, attribute in predictions.attributes.items():
        if not attribute.edges:
            attribute, found = _banded(name, attribute, options.bands.get(name, ()), predictions.source)
            findings += found
        _limit(name, attribute, predictions.source)
        attributes[name] = attribute
    return replace(predictions, attributes=attributes).with_findings(*findings)


def _banded(name: str, attribute: Attribute, given: tuple[float, ...], source: str) -> tuple[Attribute, list[AuditFinding]]:
    values = numbers(attribute.names)
    if given:
        if values is None:
            odd = next(text for text in attribute.names if numbers([text]) is None)
            raise UserError(f"{source}: bands are given for '{name}', which holds '{odd}': only numbers can be banded")
        return _at(name, attribute, values, given, "as asked for")
    if values is None or _is_code(name, attribute, values):
        return attribute, []
    if len(attribute.names) <= MAX_SINGLE_VALUES:
        return _in_order(attribute, values), []
    return _at(name, attribute, values, quantile_edges(values[attribute.codes[attribute.codes >= 0]]), "at quantiles, for groups of about equal size")


def _at(name: str, attribute: Attribute, values: Floats, edges: Sequence[float], cut: str) -> tuple[Attribute, list[AuditFinding]]:
    """The attribute in bands, and the finding that says so."""
    labels = band_labels(edges)
    code = np.append(np.searchsorted(np.asarray(edges), values, side="right"), -1)
    result = Attribute(labels, code[attribute.codes], tuple(float(edge) for edge in edges)).take(slice(None))
    message = f"{name} is a number with {len(attribute.names)} different values: it is compared in bands ({', '.join(result.names)}), {cut}"
    edges_text = ",".join(_short(edge) for edge in edges)
    remedy = f"choose other edges, for example {option('--bins', f'{name}={edges_text}')}"
    found = [AuditFinding("banded", "info", message, int(np.count_nonzero(attribute.codes >= 0)), remedy)]
    if len(attribute.names) == int(np.count_nonzero(attribute.codes >= 0)) and _whole(values):
        message = f"{name} has another whole number in every row: if it is an identifier, its bands mean nothing"
        found.append(AuditFinding("looks_like_id", "warning", message, len(attribute.names), "leave it out of the attributes if it is one"))
    return result, found


def _in_order(attribute: Attribute, values: Floats) -> Attribute:
    """Groups that are single numbers in the order of these: 2 before 10."""
    order = np.argsort(values, kind="stable")
    place = np.append(np.argsort(order, kind="stable"), -1)
    return replace(attribute, names=tuple(attribute.names[i] for i in order), codes=place[attribute.codes])


def numbers(texts: Sequence[str]) -> Floats | None:
    """Group names as numbers (n,), None unless all are.

    Values beyond a limit ("> 89", "90+", "<0.5") count as just beyond it; codes with leading zeros are no numbers.
    """
    try:
        values = np.array([_number(text) for text in texts], dtype=np.float64)
    except ValueError:
        # Written with units, thousands or a decimal comma; a few such words are groups of their own.
        read = parse_numbers((np.arange(len(texts)), list(texts))) if len(texts) > MAX_SINGLE_VALUES else None
        if read is None:
            return None
        values = read.values
    return values if values.size and np.isfinite(values).all() else None


def _number(text: str) -> float:
    if _CODE.fullmatch(text):
        raise ValueError(text)
    try:
        return float(text)
    except ValueError:
        bound = _BOUND.fullmatch(text.strip())
        if bound is None:
            raise
    value, sign = float(bound["number"]), bound["sign"]
    return float(np.nextafter(value, np.inf if sign == ">" else -np.inf)) if sign in ("<", ">") else value


def quantile_edges(values: Floats, bands: int = QUANTILE_BANDS) -> tuple[float, ...]:
    """Edges between `bands` groups of about equal size: quantiles of `values` (n,), rounded to three digits of their range.

    Fewer where values repeat so often that quantiles coincide; at least one where there are two different values.
    """
    low, high = float(values.min()), float(values.max())
    quantiles = np.quantile(values, np.arange(1, bands) / bands)
    digits = 0 if _whole(values) else int(2 - np.floor(np.log10(max(high - low, 1e-300))))
    edges = sorted({float(edge) for edge in np.round(quantiles, digits) if low < edge <= high})
    return tuple(edges) or (float(values[values > low].min()),)


def band_labels(edges: Sequence[float]) -> tuple[str, ...]:
    """Names of the bands between increasing edges; a band holds its lower edge and not its upper one.

    >>> band_labels((18, 40, 65.5))
    ('<18', '18 to <40', '40 to <65.5', '65.5+')
    """
    texts = [_short(edge) for edge in edges]
    inner = [f"{low} to <{high}" for low, high in pairwise(texts)]
    return (f"<{texts[0]}", *inner, f"{texts[-1]}+")


def _whole(values: Floats) -> bool:
    """Whole numbers all, but for the hair's breadth by which "> 89" is more than 89."""
    return bool(np.all(np.abs(values - np.round(values)) < 1e-9))


def _short(edge: float) -> str:
    return str(int(edge)) if float(edge).is_integer() and abs(edge) < 1e15 else repr(float(edge))


def _words(name: str) -> set[str]:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return set(re.split(r"[^a-z]+", parted.lower()))


def _is_code(name: str, attribute: Attribute, values: Floats) -> bool:
    """Whole numbers that name something rather than measure it: identifiers, postcodes, dates without separators."""
    if not _whole(values):
        return False
    each_its_own = len(attribute.names) == int(np.count_nonzero(attribute.codes >= 0))
    return bool(_words(name) & _PLACE_WORDS) or (each_its_own and bool(_words(name) & _ID_WORDS)) or _is_compact_date(values)


def _is_compact_date(values: Floats) -> bool:
    year, month, day = values // 10_000, values // 100 % 100, values % 100
    return bool(np.all((year >= 1850) & (year <= 2150) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)))


def _limit(name: str, attribute: Attribute, source: str) -> None:
    count = len(attribute.names)
    if count <= MAX_GROUPS:
        return
    shown = ", ".join(f"'{text}'" for text in attribute.names[:SHOWN_VALUES])
    raise UserError(
        f"{source}: the attribute '{name}' has {count:,} different values ({shown}, ...), more than the {MAX_GROUPS} groups that can be "
        f"compared; {_way_out(name, attribute)}"
    )


def _way_out(name: str, attribute: Attribute) -> str:
    values = numbers(attribute.names)
    if all(_DATE.fullmatch(text) for text in attribute.names[:100]) or (values is not None and _is_compact_date(values)):
        return "these look like dates: give an age or a year as a number instead, or leave the column out"
    if _words(name) & _PLACE_WORDS:
        return "these look like postcodes: give a region or a deprivation index instead, or leave the column out"
    if 2 * len(attribute.names) > int(np.count_nonzero(attribute.codes >= 0)) or _words(name) & _ID_WORDS:
        return "these look like identifiers: leave the column out of the attributes (patients belong to --patient, samples to --id)"
    return "merge rare values into larger groups, or leave the column out"


def check_names(predictions: Predictions, options: AuditOptions) -> None:
    """Every attribute and group that the options name exists.

    Raises
    ------
    UserError
        For the first one that does not, with those that do.
    """
    names: Mapping[str, Attribute] = predictions.attributes
    for role, asked in (("primary", options.primary_attributes), ("reference", tuple(options.reference))):
        for name in asked:
            if name not in names:
                raise UserError(f"{predictions.source}: the {role} attribute '{name}' is not an attribute of this audit; there are {', '.join(names)}")
    for name, group in options.reference.items():
        if group not in names[name].names:
            raise UserError(f"{predictions.source}: the reference '{group}' is not a group of '{name}'; there are {', '.join(names[name].names)}")
