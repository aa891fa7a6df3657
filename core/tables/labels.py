"""From a label column to positive, negative and neither: one rule for cohorts, audits and pages.

A label is understood by itself only when its values are a known pair of words (0 and 1, benign and
malignant). Everything else is asked for: which values are positive, from which grade on, or which
finding a list of findings must contain; and what an uncertain mark (-1) and a blank mean.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.errors import UserError, option
from core.tables.finding import Finding, counted, listed
from core.tables.group_words import ANSWERS, is_unknown, plain

Meaning = Literal["exclude", "negative", "positive"]
MEANINGS: tuple[str, ...] = get_args(Meaning)
PAIRS: tuple[tuple[str, str], ...] = (
    ("0", "1"), ("-1", "1"), ("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"), ("negative", "positive"), ("neg", "pos"), ("-", "+"),
    ("control", "case"), ("controls", "cases"), ("absent", "present"), ("absence", "presence"), ("healthy", "diseased"), ("healthy", "disease"),
    ("healthy", "sick"), ("healthy", "ill"), ("healthy", "patient"),
    ("no disease", "disease"), ("normal", "abnormal"), ("normal", "disease"), ("normal", "diseased"), ("normal", "pathological"), ("benign", "malignant"),
    ("benign", "cancer"),
    ("non-malignant", "malignant"), ("nonmalignant", "malignant"), ("no cancer", "cancer"), ("normal", "cancer"), ("alive", "dead"), ("alive", "died"),
    ("alive", "deceased"), ("survived", "died"),
    ("survivor", "non-survivor"), ("no event", "event"), ("non-event", "event"), ("censored", "event"), ("unaffected", "affected"),
    ("non-glaucoma", "glaucoma"), ("no glaucoma", "glaucoma"),
    ("normal", "glaucoma"), ("healthy", "glaucoma"), ("normal", "pneumonia"), ("no finding", "finding"), ("not readmitted", "readmitted"),
    ("uninfected", "infected"), ("not infected", "infected"),
    ("nein", "ja"), ("negativ", "positiv"), ("gesund", "krank"), ("gutartig", "bösartig"), ("non", "oui"), ("négatif", "positif"), ("sain", "malade"),
    ("bénin", "malin"), ("no", "sí"), ("no", "si"),
    ("negativo", "positivo"), ("sano", "enfermo"), ("benigno", "maligno"), ("não", "sim"), ("nao", "sim"), ("nie", "tak"), ("нет", "да"), ("hayır", "evet"),
    ("否", "是"), ("无", "有"), ("阴性", "阳性"), ("良性", "恶性"), ("陰性", "陽性"), ("음성", "양성"), ("negatív", "pozitív"), ("negativní", "pozitivní"),
    ("ujemny", "dodatni"), ("отрицательный", "положительный"), ("αρνητικό", "θετικό"), ("negatif", "pozitif"), ("jóindulatú", "rosszindulatú"),
    ("łagodny", "złośliwy"), ("доброкачественный", "злокачественный"), ("goedaardig", "kwaadaardig"), ("godartad", "elakartad"), ("benigna", "maligna"),
    ("nenhum", "algum"), *ANSWERS,
)  # fmt: skip
"""(negative, positive); the only pairs that are understood without asking."""
NEGATIVE = (
    "normal", "healthy", "control", "controls", "healthy control", "healthy controls", "none", "no finding", "no findings", "no disease", "negative",
    "benign", "absent", "disease free", "well", "alive", "unaffected",
    "gesund", "kontrolle", "unauffällig", "lebend", "lebt", "keine", "sain", "témoin", "normale", "vivant", "aucun", "sano", "sana", "vivo", "viva",
    "ninguno", "saudável", "controle", "nenhum", "sano/a", "gezond", "zdrowy", "здоров", "норма", "健康", "正常", "対照", "정상",
    "ctrl", "ctl", "healthy volunteer", "healthy volunteers", "egészséges", "zdravý", "zdravá", "zdrav", "frisk", "rask", "terve",
    "sağlıklı", "здоровый", "здорова", "здоровий", "sănătos", "υγιής", "sehat", "khỏe mạnh", "健常", "未患病", "건강", "sem doença", "sin enfermedad",
)  # fmt: skip
"""Words that say by themselves that there is no disease or event; the other one of two values is then positive."""
UNCERTAIN = (
    "-1", "uncertain", "equivocal", "indeterminate", "inconclusive", "borderline", "possible", "doubtful", "ambiguous", "maybe", "unclear", "unsure",
    "suspect", "suspected", "suspicious", "glaucoma suspect",
    "probable", "unklar", "fraglich", "grenzwertig", "verdacht", "incertain", "douteux", "incierto", "dudoso", "indeterminado", "sospechoso", "incerto",
    "dubbio", "不确定", "可疑", "疑い",
)  # fmt: skip
"""Values that say that the label is not certain; -1 only beside both 0 and 1."""
SEPARATORS = "|;,\n、，；+/&\\#"
_IN_NAMES = "+/&\\#"
_FRAME = " []'\""
_READING = {"exclude": "the rows are set aside", "negative": "they count as negative", "positive": "they count as positive"}
_NO_FINDING = ("no finding", "no findings", "normal", "none", "healthy", "nofinding")


@dataclass(frozen=True)
class LabelRule:
    """What the values of a label column mean.

    positive : values that are positive ("1", or several).
    at_least : instead, numbers from this one on are positive.
    contains : instead, a list of findings in which this one stands is positive.
    uncertain, blank : what values of `UNCERTAIN` and empty cells mean; rows excluded are set aside.
    """

    positive: tuple[str, ...] = ()
    at_least: float | None = None
    contains: str | None = None
    uncertain: Meaning = "exclude"
    blank: Meaning = "exclude"

    def __post_init__(self) -> None:
        for name, value in (("uncertain", self.uncertain), ("blank", self.blank)):
            if value not in MEANINGS:
                raise UserError(f"what {name} labels mean must be one of {', '.join(MEANINGS)}, not '{value}'")

    def __str__(self) -> str:
        if self.at_least is not None:
            return f">={self.at_least:g}"
        return f"contains {self.contains}" if self.contains is not None else "|".join(self.positive)

    def of(self, value: str) -> float:
        """1 positive, 0 negative, NaN for a value that is set aside."""
        if self.at_least is not None:
            number = _number(value)
            return _as_number(self.uncertain if is_uncertain(value) else self.blank) if number is None else float(number >= self.at_least)
        if self.contains is not None:
            # A sign that is part of the finding's own name divides nothing.
            between = "".join(s for s in SEPARATORS if s not in self.contains)
            return float(same_value(value, self.contains) or any(same_value(part, self.contains) for part in parts(value, between)))
        if any(same_value(value, p) for p in self.positive):
            return 1.0
        return 0.0


def rule_for(values: Iterable[Any], column: str, source: str, positive: str | None = None, uncertain: str = "exclude", blank: str = "exclude") -> LabelRule:
    """The rule that `positive` states, or the one that the values state by themselves.

    Parameters
    ----------
    values : the distinct values of the column (missing ones are passed over).
    column, source : for messages.
    positive : a value; several joined by `|`; `>=2`; `contains Effusion`; None to go by known words.
    uncertain, blank : `exclude`, `negative` or `positive`.

    Raises
    ------
    UserError
        When the values are no known pair and `positive` is None (the message shows how to say it),
        or when `positive` fits no value.
    """
    present = distinct(values)
    meanings: dict[str, Any] = {"uncertain": uncertain, "blank": blank}
    if not present:
        raise UserError(f"{source}: column '{column}' is empty")
    if positive is not None:
        return _stated(present, column, source, positive.strip(), meanings)
    guessed = known_positive(present)
    if guessed is None:
        raise UserError(f"{source}: {question(present, column)}")
    return LabelRule((guessed,), **meanings)


def known_positive(values: Iterable[Any]) -> str | None:
    """The positive one among values that hold a known pair, apart from uncertain marks; None where it must be asked."""
    present = distinct(values)
    certain = [v for v in present if not (_uncertain_among(v, present) or ((is_unknown(v) or _code_among(v, present)) and len(present) > 2))]
    found = {plain(v): v for v in certain}
    for low, high in PAIRS:
        a, b = plain(low), plain(high)
        if found and set(found) <= {a, b}:
            # A column of nothing but zeros is legitimate: it has no positive.
            return found.get(b, high)
    opposite = _opposite(list(found.values())) or _beside_negative(found)
    if opposite is not None:
        return opposite
    # A third word beside a pair of words (benign, malignant, non-neoplastic) is negative, and said; a third number is asked about.
    between = {found[plain(high)] for low, high in PAIRS if _number(high) is None and {plain(low), plain(high)} <= set(found)}
    return between.pop() if len(between) == 1 else None


_NOT = (
    "no", "non", "not", "without", "absence of", "absent", "ohne", "kein", "keine", "nicht", "sin", "sans", "sem", "senza", "geen", "niet", "nie", "ne", "nem",
    "bez", "без", "не", "utan", "uten", "uden", "ei", "не",
)  # fmt: skip
_NOT_BEFORE = ("non", "未", "无", "非", "無", "不", "비")
"""Signs of "no" that are written together with the word (NonGlaucoma, 未患病)."""
_GOOD = frozenset(
    {
        "recovered", "recovery", "cured", "cure", "controlled", "stable", "intact", "survived", "survivor", "survival", "improved", "improvement", "discharged",
        "responder", "response", "responded", "remission", "compliant", "adherent", "adherence", "eligible", "viable", "successful", "success", "resolved",
        "clear", "progression free", "event free", "pcr", "complete response", "vaccinated", "independent",
    }
)  # fmt: skip
"""What one hopes for: whether it, or its absence, is the outcome is asked."""


def _opposite(values: Sequence[str]) -> str | None:
    """X among `X` and `no X`, `with X` among `with X` and `without X`, `X positive` among `X positive` and `X negative`; None for others.

    Of `normal` and `not normal` the second; of what one hopes for (remission) neither.
    """
    if len(values) != 2:
        return None
    for first, second in itertools.permutations(values):
        high, low = plain(first), plain(second)
        bare = high.removeprefix("with ")
        if low not in {*(f"{word} {bare}" for word in _NOT), *(f"{word}{bare}" for word in _NOT_BEFORE)}:
            if high.endswith((" positive", " present")) and low in (f"{high[:-9]} negative", f"{high[:-8]} absent"):
                return first
            continue
        known = {plain(word) for word in NEGATIVE}
        return None if bare in _GOOD else second if bare in known else first
    return None


def _beside_negative(found: Mapping[str, str]) -> str | None:
    """The other one of two words of which one says "no disease" (Normal and COVID-19); None for others, and for numbers."""
    known = {plain(word) for word in NEGATIVE}
    others = [word for word in found if word not in known]
    lone = len(found) == 2 and len(others) == 1 and _number(others[0]) is None and not is_unknown(others[0])
    return found[others[0]] if lone else None


def question(values: Sequence[str], column: str) -> str:
    """What to ask about a label that is not understood by itself, with the form of the answer."""
    shown = f"{len(values)} values ({listed(values)})" if len(values) > 1 else f"the single value '{values[0]}'"
    ask = f"column '{column}' holds {shown}; which value is positive?"
    joined = joined_findings(values)
    if joined:
        return f"{ask} Its cells list several findings: say for example {option('--positive', f'contains {joined[0]}')}"
    graded = grades(values)
    apart = ", or tell all values apart with --classes all" if len(certain_values(values)) > 2 else ""
    if graded is not None:
        return f"{ask} It is a grade: say from which on with --positive '>={graded[1]:g}', or name one value ({option('--positive', values[-1])}){apart}"
    return f"{ask} Say so with --positive VALUE (several values: --positive 'A|B'){apart}"


def apply_rule(values: pd.Series | Sequence[str | None], rule: LabelRule) -> NDArray[np.float64]:
    """1.0 positive, 0.0 negative, NaN set aside: float64 (n,)."""
    codes, uniques = pd.factorize(pd.Series(values, dtype=object), use_na_sentinel=True)
    present = [str(v) for v in uniques]
    meant = [
        _as_number(rule.uncertain) if counts_uncertain(v, present, rule) else _as_number(rule.blank) if counts_blank(v, present, rule) else rule.of(v)
        for v in present
    ]
    return np.array([*meant, _as_number(rule.blank)], dtype=np.float64)[codes]


def label_findings(values: pd.Series | Sequence[str | None], rule: LabelRule, column: str) -> list[Finding]:
    """What a reader must know about how this column became a label: third values, uncertain ones, several findings in a cell."""
    series = pd.Series(values, dtype=object)
    counts = series.value_counts()
    present = [str(v) for v in counts.index]
    y = apply_rule(series, rule)
    found: list[Finding] = []
    unsure = [v for v in present if counts_uncertain(v, present, rule)]
    plain_values = [v for v in present if v not in unsure]
    if len({plain(v) for v in present}) > 2:
        neither = [v for v in plain_values if counts_blank(v, present, rule)]
        others = [v for v in plain_values if v not in neither and rule.of(v) == 0]
        shown = f"{column} has {len(present)} values ({listed(present)}); {rule_in_words(rule)} positive" + (
            f", {listed(others)} as negative" if others else ""
        )
        if neither:
            shown += f"; {listed(neither)} {'says' if len(neither) == 1 else 'say'} that the label is not known: " + _READING[rule.blank]
        found.append(
            Finding("label-not-binary", "warning", shown, len(series), "Check that all other values mean negative; drop rows that mean neither.", (column,))
        )
    if unsure:
        rows = int(counts[unsure].sum())
        reading = _READING[rule.uncertain]
        found.append(
            Finding(
                "label-uncertain",
                "warning",
                f"{column}: {counted(rows, 'row')} with {listed(unsure)}, read as uncertain: {reading}",
                rows,
                "Say what uncertain means with --uncertain exclude, negative or positive.",
                (column,),
            )
        )
    blank = int(series.isna().sum()) + int(sum(counts[v] for v in present if v not in unsure and counts_blank(v, present, rule)))
    if blank and rule.blank != "exclude":
        found.append(
            Finding(
                "label-blank",
                "warning",
                f"{column}: {counted(blank, 'row')} without a value: counted as {rule.blank}",
                blank,
                "Check that a blank means that.",
                (column,),
            )
        )
    if rule.contains is None and rule.at_least is None and joined_findings(present):
        finding = rule.positive[0] if rule.positive else ""
        found.append(
            Finding(
                "label-lists",
                "warning",
                f"{column} lists several findings in a cell; only cells that are exactly {listed(rule.positive)} count as positive "
                f"({counted(int(np.nansum(y)), 'row')})",
                int(np.nansum(y)),
                f"If every row with it should count, say {option('--positive', f'contains {finding}')}.",
                (column,),
            )
        )
    return found


def rule_in_words(rule: LabelRule) -> str:
    """`'1' counts as`, `2 and more count as`."""
    if rule.at_least is not None:
        return f"{rule.at_least:g} and more count as"
    if rule.contains is not None:
        return f"cells that contain '{rule.contains}' count as"
    return f"{listed(rule.positive)} {'counts' if len(rule.positive) == 1 else 'count'} as"


def positive_choices(values: Sequence[str]) -> list[str]:
    """What a person may choose as positive, each as `rule_for` reads it: single values, grades from one on, findings of lists."""
    joined = joined_findings(values)
    if joined:
        return [f"contains {finding}" for finding in joined]
    graded = grades(values)
    return [*values, *(f">={grade:g}" for grade in graded[1:])] if graded else list(values)


def distinct(values: Iterable[Any]) -> list[str]:
    """Distinct values as text, in order, numbers by size; missing ones passed over."""
    texts = {str(v).strip() for v in values if not (v is None or v is pd.NaT or (isinstance(v, float) and np.isnan(v)))}
    return sorted((t for t in texts if t), key=lambda t: (0, n, t) if (n := _number(t)) is not None else (1, 0.0, t))


def same_value(value: str, positive: str) -> bool:
    """Whether a label's text means the same value: "1" and "1.0", "True" and "true" are one."""
    return value.strip().lower() == positive.strip().lower() or (_number(value) is not None and _number(value) == _number(positive))


def is_uncertain(value: str) -> bool:
    """Whether a word says that the label is not certain (a bare -1 does so only beside 0 and 1, see `counts_uncertain`)."""
    return plain(value) in UNCERTAIN


def counts_uncertain(value: str, present: Sequence[str], rule: LabelRule) -> bool:
    """Whether this value is an uncertain mark under the rule: never one that the rule names."""
    named = rule.contains is not None or any(same_value(value, p) for p in rule.positive)
    return not named and _uncertain_among(value, present)


def counts_blank(value: str, present: Sequence[str], rule: LabelRule) -> bool:
    """Whether this word says that the label is not known, beside two values that are labels."""
    named = rule.contains is not None or any(same_value(value, p) for p in rule.positive)
    return not named and len(present) > 2 and (_code_among(value, present) or (is_unknown(value) and plain(value) not in _NO_FINDING))


def certain_values(present: Sequence[str]) -> list[str]:
    """Values of a label without the words and marks that say that it is uncertain or not known."""
    nothing = LabelRule()
    return [v for v in present if not counts_uncertain(v, present, nothing) and not counts_blank(v, present, nothing)]


def grades(values: Sequence[str]) -> list[float] | None:
    """Three to ten consecutive small numbers, as grades are; None for anything else."""
    numbers = [_number(v) for v in values]
    known = [n for n in numbers if n is not None]
    if len(known) < len(numbers) or not 3 <= len(known) <= 10:
        return None
    ordered = sorted(known)
    return ordered if ordered[0] in (0, 1) and all(b - a == 1 for a, b in itertools.pairwise(ordered)) else None


def joined_findings(values: Sequence[str]) -> list[str]:
    """The single findings, the most frequent first, when cells list several of them; [] when they do not.

    Cells of one column may list with different signs. Grades such as 3+4 are no lists.
    """
    single = {v.strip(_FRAME) for v in values if not any(s in v for s in SEPARATORS)}
    inner: dict[str, int] = {}
    lists = 0
    for separator in SEPARATORS:
        listing = [found for v in values if (found := _split(v, separator)) is not None and any(_number(part) is None for part in found)]
        # A slash or plus may stand inside a name: it divides only where nothing else does, and often.
        repeated = _counts(listing)
        if separator in _IN_NAMES:
            whole = bool(listing) and all(part in single for found in listing for part in found)
            if lists or not (whole or (len(listing) > 1 and any(n > 1 or part in single for part, n in repeated.items()))):
                continue
        lists += len(listing)
        for part, n in repeated.items():
            inner[part] = inner.get(part, 0) + n
    known = [part for part, n in inner.items() if n > 1 or part in single]
    if not lists or not known or (len(known) < 2 and not any(part in single for part in known)) or len(inner) >= 2 * len(values):
        return []
    return sorted(known, key=lambda part: (-inner[part], part))


def parts(value: str, separators: str = SEPARATORS) -> list[str]:
    """The findings in one cell: `Effusion|Edema` as two."""
    return [p for p in (part.strip(_FRAME) for part in re.split(f"[{re.escape(separators)}]", value)) if p]


def _split(value: str, separator: str) -> list[str] | None:
    """The parts of a cell that the separator divides; None for one that it does not."""
    return [p for p in (part.strip(_FRAME) for part in value.split(separator)) if p] if separator in value else None


def _counts(lists: Iterable[Sequence[str]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in itertools.chain.from_iterable(lists):
        found[part] = found.get(part, 0) + 1
    return found


def _stated(present: Sequence[str], column: str, source: str, positive: str, meanings: Mapping[str, Any]) -> LabelRule:
    rule = stated_rule(positive, present, **meanings)
    if any(rule.of(v) == 1 for v in present):
        return rule
    if rule.contains is not None:
        raise UserError(f"{source}: no cell of column '{column}' contains '{rule.contains}'; it holds {listed(joined_findings(present) or present)}")
    if rule.at_least is not None:
        raise UserError(f"{source}: column '{column}' holds no number from {rule.at_least:g} on; it holds {listed(present)}")
    raise UserError(f"{source}: column '{column}' never holds '{positive}'; it holds {len(present)} values ({listed(present)})")


def stated_rule(positive: str, present: Sequence[str], uncertain: Meaning = "exclude", blank: Meaning = "exclude") -> LabelRule:
    """The rule in words as a rule; `present` are the column's values, by which a bare word is a value or one of several joined ones."""
    wanted = positive.strip()
    exact = [v for v in present if v == wanted] or [v for v in present if same_value(v, wanted)]
    contains = re.fullmatch(r"contains\s+(.+)", wanted, re.IGNORECASE)
    if contains and not exact:
        return LabelRule(contains=contains[1].strip(" '\""), uncertain=uncertain, blank=blank)
    if any(same_value(p, wanted) for p in joined_findings(present)):
        return LabelRule(contains=wanted, uncertain=uncertain, blank=blank)
    if exact:
        return LabelRule(tuple(exact), uncertain=uncertain, blank=blank)
    grade = re.fullmatch(r"(>=|≥|>)\s*([-+]?\d+(?:\.\d+)?)", wanted)
    if grade:
        limit = float(grade[2])
        # "more than" a limit is "from the next value on", so that a rule is always "at least".
        above = [n for v in present if (n := _number(v)) is not None and n > limit]
        return LabelRule(at_least=(min(above) if above else np.nextafter(limit, np.inf)) if grade[1] == ">" else limit, uncertain=uncertain, blank=blank)
    several = [p.strip() for p in re.split(r"[|,]", wanted) if p.strip()]
    if len(several) > 1 and all(any(same_value(v, p) for v in present) for p in several):
        return LabelRule(tuple(v for v in present if any(same_value(v, p) for p in several)), uncertain=uncertain, blank=blank)
    return LabelRule((wanted,), uncertain=uncertain, blank=blank)


def _uncertain_among(value: str, present: Sequence[str]) -> bool:
    if _number(value) == -1:
        return {0.0, 1.0} <= {_number(v) for v in present}
    return is_uncertain(value)


_CODES = frozenset({9, 99, 999, 9999, 88, 77, 98, 97, -9, -99, -999})


def _code_among(value: str, present: Sequence[str]) -> bool:
    """Whether a number such as 9 or -99 stands for "not known" beside 0 and 1, where nothing else is written."""
    numbers = {_number(v) for v in present}
    return _number(value) in _CODES and {0.0, 1.0} <= numbers and numbers <= {0.0, 1.0, -1.0, *map(float, _CODES)}


def _as_number(meaning: str) -> float:
    return {"exclude": np.nan, "negative": 0.0, "positive": 1.0}[meaning]


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if np.isfinite(number) else None
