"""Which encoding a table came in: recognised, or said to be a guess."""

from __future__ import annotations

import pytest

from core.errors import UserError
from core.tables.encoding import decode


def table(words: list[str], encoding: str) -> bytes:
    return ("id,sex\n" + "".join(f"{i},{word}\n" for i, word in enumerate(words))).encode(encoding)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8", ["Métis", "男"]), ("utf-8-sig", ["Métis"]), ("utf-16", ["Métis"]), ("utf-16-le", ["F", "M"]), ("utf-32", ["Métis"]),
        ("cp1252", ["Jürgen", "Noir"]), ("cp1253", ["άνδρας", "γυναίκα"]), ("mac_roman", ["Métis"]), ("cp850", ["Müller"]),
    ],
)  # fmt: skip
def test_recognised_for_certain(encoding: str, words: list[str]):
    found = decode(table(words, encoding), "t.csv")
    assert found.finding is None
    assert found.utf8.removeprefix(b"\xef\xbb\xbf") == table(words, "utf-8")


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("gb18030", ["男", "女"]), ("gb18030", ["汉族", "高血压"]), ("big5", ["男", "女"]), ("cp932", ["男性", "女性"]), ("cp949", ["남", "여"]),
        ("cp1251", ["муж", "жен"]), ("koi8_r", ["мужской", "женский"]), ("cp1250", ["mężczyzna", "kobieta"]), ("cp1254", ["kadın", "erkek"]),
        ("cp1252", ["Très", "Noir"]),
    ],
)  # fmt: skip
def test_a_guess_is_right_and_said(encoding: str, words: list[str]):
    found = decode(table(words, encoding), "t.csv")
    assert found.utf8 == table(words, "utf-8")
    assert found.finding is not None and found.finding.severity == "warning"
    assert words[0] in found.finding.message and "--encoding" in found.finding.remedy


def test_what_the_user_says_counts():
    raw = table(["男", "女"], "gb18030")
    assert decode(raw, "t.csv", "big5").utf8 != decode(raw, "t.csv", "gb18030").utf8
    with pytest.raises(UserError, match="no encoding is called 'klingon'"):
        decode(raw, "t.csv", "klingon")
    with pytest.raises(UserError, match="row 2: not text in the encoding utf-8"):
        decode(raw, "t.csv", "utf-8")


def test_a_few_foreign_rows_in_a_utf8_file_are_named():
    raw = table(["Métis"] * 20, "utf-8") + "21,Métis\n".encode("cp1252")
    with pytest.raises(UserError, match="row 22: holds bytes that are not UTF-8"):
        decode(raw, "t.csv")


@pytest.mark.parametrize(
    ("raw", "what"),
    [(b"%PDF-1.7 x", "PDF"), (b"PAR1xx", "Parquet"), (b"\xd0\xcf\x11\xe0x", "Excel"), (b"SQLite format 3\x00", "SQLite"), (bytes(range(256)), "zero bytes")],
)
def test_what_is_no_text_is_named(raw: bytes, what: str):
    with pytest.raises(UserError, match=what):
        decode(raw, "t.csv")


def test_a_word_that_only_one_encoding_knows_decides():
    found = decode(table(["nő", "férfi"] * 30, "cp1250"), "p.csv")
    assert found.utf8.decode() == table(["nő", "férfi"] * 30, "utf-8").decode()
