"""Groups that look like one are proposed as one; nothing is changed by it."""

from __future__ import annotations

import pandas as pd
import pytest

from core.errors import UserError
from core.tables import groups
from core.tables.groups import group_findings, merge_text, merged, parse_merges, propose_groups


def proposals(column: str, *values: str) -> dict[str | None, set[str]]:
    """Name -> members, for one row of each value."""
    return {p.name: set(p.members) for p in propose_groups(pd.Series(list(values), dtype=object), column)}


@pytest.mark.parametrize(
    ("column", "values", "name", "members"),
    [
        ("sex", ["F", "F", "f", "Female", "female", "M"], "F", {"F", "f", "Female", "female"}),
        ("sex", ["weiblich", "weiblich", "femme", "mann", "女"], "weiblich", {"weiblich", "femme", "女"}),
        ("race", ["White", "White", "White or Caucasian", "Black"], "White", {"White", "White or Caucasian"}),
        ("race", ["Black", "Black", "Black or African American", "W"], "Black", {"Black", "Black or African American"}),
        ("site", ["St. Mary", "St. Mary", "st mary ", "ST-MARY", "other"], "St. Mary", {"St. Mary", "st mary ", "ST-MARY"}),
        ("skin", ["1", "1", "1.0", "01", "2"], "1", {"1", "1.0", "01"}),
        ("race", ["Métis", "Métis", "MÃ©tis", "Noir"], "Métis", {"Métis", "MÃ©tis"}),
        ("race", ["Métis", "Métis", "Metis", "Noir"], "Métis", {"Métis", "Metis"}),
        ("age", ["20-29", "Oct-19", "30-49"], "10-19", {"Oct-19"}),
        ("age", ["20-29", "9-May", "30-49"], "5-9", {"9-May"}),
        ("age", ["20-29", "2019-10-01", "30-49"], "10-19", {"2019-10-01"}),
        ("age", ["20-29", "10月19日"], "10-19", {"10月19日"}),
        ("fitzpatrick", ["1", "2", "3", "4", "5", "6", "-1"], None, {"-1"}),
        ("sex", ["1", "2", "9"], None, {"9"}),
        ("race", ["white", "black", "Patient declined to answer", "unknown"], None, {"Patient declined to answer", "unknown"}),
    ],
)
def test_proposed(column: str, values: list[str], name: str | None, members: set[str]):
    assert proposals(column, *values)[name] == members


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("sex", ["F", "M"]),
        ("race", ["W", "B", "A"]),
        ("bands", ["<40", "40-59", "60+"]),
        ("blood", ["A+", "A-", "B+"]),
        ("skin", ["1", "2", "3", "4"]),
        ("age", [str(v) for v in range(20, 100)]),
        ("grade", ["Grade I", "Grade II"]),
        ("ethnicity", ["hispanic", "not hispanic"]),
    ],
)
def test_different_groups_stay_different(column: str, values: list[str]):
    assert proposals(column, *values) == {}


def test_a_code_among_many_numbers_is_named():
    ages = {str(v): 3 for v in range(20, 80)} | {"-999": 4}
    (finding,) = group_findings(ages, "age")
    assert finding.code == "unknown-as-group" and finding.rows == 4 and "--merge 'age=:-999'" in finding.remedy


def test_a_finding_says_how_to_merge_and_the_merge_does_it():
    values = pd.Series(["F", "F", "f", "M", "unknown"], dtype=object)
    findings = group_findings(values, "sex")
    assert {f.code for f in findings} == {"similar-groups", "unknown-as-group"}
    texts = [merge_text("sex", p) for p in propose_groups(values, "sex")]
    assert all(any(text in f.remedy for f in findings) for text in texts)
    changes = parse_merges(texts, {"sex": list(values.unique())})
    assert merged(values, changes["sex"]).tolist() == ["F", "F", "F", "M", None]
    assert values.tolist() == ["F", "F", "f", "M", "unknown"]


@pytest.mark.parametrize(
    ("text", "message"), [("sex", "write COLUMN=new:old"), ("sex=F", "write COLUMN=new:old"), ("age=a:b", "no column 'age'"), ("sex=F:x", "never holds 'x'")]
)
def test_merges_that_do_not_fit(text: str, message: str):
    with pytest.raises(UserError, match=message):
        parse_merges([text], {"sex": ["F", "f"]})


@pytest.mark.parametrize(
    ("values", "column", "together"),
    [
        (["Female", "Femal", "Male", "Mael"], "gender", [{"Female", "Femal"}, {"Male", "Mael"}]),
        (["Caucasian", "Caucasion", "Asian"], "race", [{"Caucasian", "Caucasion"}]),
        (["I", "II", "1", "2"], "fitzpatrick", [{"I", "1"}, {"II", "2"}]),
        (["Homme", "Femme", "H", "F"], "sexe", [{"Homme", "H"}, {"Femme", "F"}]),
        (["H", "M", "Hombre", "Mujer"], "sexo", [{"H", "Hombre"}, {"M", "Mujer"}]),
        (["Hospital A", "Hospital B"], "site", []),
        (["Type I", "Type II"], "skin_type", []),
        (["Medicare", "Medicaid"], "insurance", []),
        (["male", "female"], "sex", []),
    ],
)
def test_misspelt_and_otherwise_numbered_groups(values: list[str], column: str, together: list[set[str]]) -> None:
    found = [set(p.members) for p in propose_groups(dict.fromkeys(values, 10), column) if len(p.members) > 1]
    assert sorted(map(sorted, found)) == sorted(map(sorted, together))


def test_a_lone_code_among_words_and_numbers_beside_words() -> None:
    assert [p.members for p in propose_groups({"F": 9, "M": 9, "9": 3}, "sex") if p.name is None] == [("9",)]
    assert [f.code for f in group_findings({"F": 9, "M": 9, "0": 3, "1": 3}, "sex")] == ["codes-beside-words"]


@pytest.mark.parametrize(("date", "band"), [("43739", "10-19"), ("01.05.2024", "1-5"), ("2020-01-05 00:00:00", "1-5")])
def test_more_forms_of_a_spreadsheets_dates(date: str, band: str) -> None:
    found = {p.members: p.name for p in propose_groups({"20-29": 9, "30-49": 9, date: 5}, "age_group")}
    assert found[(date,)] == band


def test_what_is_unknown_is_looked_for_once_however_many_values_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    known = groups._unknown
    monkeypatch.setattr(groups, "_unknown", lambda counts: calls.append(len(counts)) or known(counts))
    assert groups.codes_beside_words({f"{value}.5": 1 for value in range(300)}) is None and calls == [300]


@pytest.mark.parametrize(
    ("column", "values", "together"),
    [
        ("nem", ["nő", "férfi", "N", "F"], [{"nő", "N"}, {"férfi", "F"}]),
        ("sex", ["nő", "férfi", "F", "M"], [{"nő", "F"}, {"férfi", "M"}]),
        ("Pohlaví", ["žena", "muž", "Z", "M"], [{"žena", "Z"}, {"muž", "M"}]),
        ("lytis", ["moteris", "vyras", "M", "V"], [{"moteris", "M"}, {"vyras", "V"}]),
        ("jenis_kelamin", ["perempuan", "laki-laki", "P", "L"], [{"perempuan", "P"}, {"laki-laki", "L"}]),
        ("sukupuoli", ["nainen", "mies", "N", "M"], [{"nainen", "N"}, {"mies", "M"}]),
        ("sex", ["femeie", "bărbat", "female"], [{"femeie", "female"}]),
        ("sex", ["महिला", "पुरुष", "male"], [{"पुरुष", "male"}]),
        ("smoker", ["igen", "nem", "yes", "no"], [{"igen", "yes"}, {"nem", "no"}]),
        ("race", ["White", "Black", "W", "B", "A"], [{"White", "W"}, {"Black", "B"}]),
        ("race", ["White", "Wai", "W"], []),
        ("site", ["Site 1", "site1", "Site 2"], [{"Site 1", "site1"}]),
        ("age_band", ["20-29", "20 to 29", "20–29 years", "30-39"], [{"20-29", "20 to 29", "20–29 years"}]),
        ("age_band", ["65+", "≥65", "65 and over", "<65"], [{"65+", "≥65", "65 and over"}]),
        ("age_band", ["<18", "under 18", "18-39"], [{"<18", "under 18"}]),
    ],
)
def test_one_group_in_many_languages_and_ways_of_writing(column: str, values: list[str], together: list[set[str]]) -> None:
    found = [set(p.members) for p in propose_groups(dict.fromkeys(values, 10), column) if len(p.members) > 1]
    assert sorted(map(sorted, found)) == sorted(map(sorted, together))


def test_a_letter_of_two_readings_is_asked_about_and_never_taken() -> None:
    counts = {"nő": 9, "férfi": 9, "F": 5}
    assert propose_groups(counts, "sex") == []
    (finding,) = group_findings(counts, "sex")
    assert finding.code == "codes-beside-words" and "letters ('F') stand beside words" in finding.message


@pytest.mark.parametrize(
    ("values", "unknown"),
    [
        (["1", "2", "3", "7", "9"], {"7", "9"}),
        (["1", "2", "3", "8", "9"], {"8", "9"}),
        (["1", "2", "3", "4", "5", "6", "7"], set()),
        (["F", "M", "Prefer not to disclose", "don’t know", "Not asked", "#N/A"], {"Prefer not to disclose", "don’t know", "Not asked", "#N/A"}),
        (["White", "Black", "Patient Declined", "nem ismert", "okänd"], {"Patient Declined", "nem ismert", "okänd"}),
        (["no known disease", "missing tooth", "refused treatment"], set()),
    ],
)
def test_codes_and_sentences_that_say_that_nothing_is_known(values: list[str], unknown: set[str]) -> None:
    assert {m for p in propose_groups(dict.fromkeys(values, 10), "answers") if p.name is None for m in p.members} == unknown


def test_long_numbers_are_names_by_their_digits():
    from core.tables.group_words import plain
    from core.tables.identifiers import same_ids

    assert plain("007.0") == "7" and plain("-0") == "0" and plain("-07") == "-7" and plain("٣") == "3" and plain("+5.") == "5"
    assert plain("9" * 6000) == "9" * 6000
    assert plain("12345678901234567891") != plain("12345678901234567890")
    assert len(set(same_ids(["9" * 6000, "0" + "9" * 6000, "9" * 5999]).values())) == 2
