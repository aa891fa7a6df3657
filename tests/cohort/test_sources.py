"""Nothing outside a source is ever opened, and nothing in it can hurt."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from core.cohort import sources
from core.cohort.sources import FilesSource, FolderSource, Unreadable, ZipSource, open_source, reopen, safe_name
from core.errors import UserError


def zipped(path: Path, entries: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "../a.png",
        "a/../../b.png",
        "/etc/passwd",
        "C:\\a.png",
        "c:/a.png",
        "..\\a.png",
        "~/a.png",
        ".hidden.png",
        "a/.git/x.png",
        "__MACOSX/a.png",
        "a\x00b.png",
        "x" * 300 + ".png",
        "\\\\host\\share\\a.png",
    ],
)
def test_references_that_leave_the_source_are_refused(reference: str):
    assert safe_name(reference) is None


@pytest.mark.parametrize(
    ("reference", "name"), [("a.png", "a.png"), ("./a//b.png", "a/b.png"), ("a\\b.png", "a/b.png"), (" a b.png ", "a b.png"), ("Ärzte/ü.png", "Ärzte/ü.png")]
)
def test_honest_references_are_normalised(reference: str, name: str):
    assert safe_name(reference) == name


class TestFolder:
    def test_reads_inside_and_refuses_outside(self, tmp_path: Path):
        (tmp_path / "secret.png").write_bytes(b"secret")
        root = tmp_path / "root"
        root.mkdir()
        (root / "a.png").write_bytes(b"a")
        source = FolderSource(root)
        assert source.read(str(source.resolve("a.png").name)) == b"a"
        assert source.resolve(str(root / "a.png")).name == "a.png"
        for reference in ("../secret.png", str(tmp_path / "secret.png")):
            resolved = source.resolve(reference)
            assert resolved.name is None and resolved.unsafe

    def test_links_that_lead_out_are_refused_in_every_way(self, tmp_path: Path):
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "secret.png").write_bytes(b"secret")
        root = tmp_path / "root"
        root.mkdir()
        (root / "link.png").symlink_to(tmp_path / "outside" / "secret.png")
        (root / "folder").symlink_to(tmp_path / "outside")
        source = FolderSource(root)
        assert source.names() == []
        for reference in ("link.png", "folder/secret.png"):
            assert source.resolve(reference).unsafe
            with pytest.raises(Unreadable, match="leads out"):
                source.read(reference)

    def test_hidden_files_are_not_listed(self, tmp_path: Path):
        for name in (".DS_Store", ".cache/a.png", "__MACOSX/a.png", "b.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        assert FolderSource(tmp_path).names() == ["b.png"]

    def test_a_pipe_is_not_read(self, tmp_path: Path):
        os.mkfifo(tmp_path / "pipe.png")
        assert FolderSource(tmp_path).resolve("pipe.png").name != "pipe.png" or stat.S_ISFIFO(os.stat(tmp_path / "pipe.png").st_mode)
        assert not FolderSource(tmp_path).has("pipe.png")

    def test_a_name_without_folder_or_extension_is_found_when_unique(self, tmp_path: Path):
        for name in ("x/one.PNG", "x/two.png", "y/two.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        source = FolderSource(tmp_path)
        assert source.resolve("one").name == "x/one.PNG"
        assert source.resolve("elsewhere/x/two.png").name == "x/two.png"
        assert source.resolve("two.png").problem == "several files fit this name"
        assert source.resolve("three.png").problem == "file not found"

    def test_a_file_over_the_limit_is_not_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(sources, "MAX_FILE_BYTES", 10)
        (tmp_path / "a.png").write_bytes(b"x" * 11)
        with pytest.raises(Unreadable, match="larger"):
            FolderSource(tmp_path).read("a.png")


class TestZip:
    def test_entries_whose_path_leaves_the_archive_are_left_out(self, tmp_path: Path):
        path = zipped(tmp_path / "a.zip", {"../evil.png": b"x", "/abs.png": b"x", "ok/a.png": b"good", ".hidden": b"x", "C:/w.png": b"x"})
        source = ZipSource(path)
        assert source.names() == ["ok/a.png"]
        assert set(source.refused) == {"../evil.png", "/abs.png", ".hidden", "C:/w.png"}
        assert source.read("ok/a.png") == b"good"
        assert source.resolve("../evil.png").unsafe
        assert list(tmp_path.iterdir()) == [path]

    def test_a_link_in_the_archive_is_left_out(self, tmp_path: Path):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo("link.png")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
        source = ZipSource(path)
        assert source.names() == []
        assert "link" in source.refused["link.png"]

    def test_a_bomb_is_left_out_without_unpacking(self, tmp_path: Path):
        path = zipped(tmp_path / "a.zip", {"bomb.png": bytes(64 << 20), "a.png": b"a"}, compression=zipfile.ZIP_DEFLATED)
        source = ZipSource(path)
        assert source.names() == ["a.png"]
        assert "unpacks" in source.refused["bomb.png"]

    def test_an_entry_that_lies_about_its_length_is_unreadable(self, tmp_path: Path):
        path = zipped(tmp_path / "a.zip", {"a.png": bytes(range(256)) * 400}, compression=zipfile.ZIP_DEFLATED)
        raw = bytearray(path.read_bytes())
        at = raw.index(b"PK\x01\x02")
        struct.pack_into("<I", raw, at + 24, 500)
        path.write_bytes(raw)
        with pytest.raises(Unreadable, match="damaged"):
            ZipSource(path).read("a.png")

    def test_a_damaged_entry_is_unreadable_and_the_others_are_not(self, tmp_path: Path):
        path = zipped(tmp_path / "a.zip", {"a.png": b"a" * 100, "b.png": b"b" * 100})
        raw = path.read_bytes().replace(b"a" * 100, b"a" * 99 + b"z")
        path.write_bytes(raw)
        source = ZipSource(path)
        with pytest.raises(Unreadable, match="damaged"):
            source.read("a.png")
        assert source.read("b.png") == b"b" * 100

    def test_an_encrypted_entry_is_left_out(self, tmp_path: Path):
        path = zipped(tmp_path / "a.zip", {"a.png": b"a"})
        raw = bytearray(path.read_bytes())
        raw[raw.index(b"PK\x01\x02") + 8] |= 1
        path.write_bytes(raw)
        assert ZipSource(path).refused == {"a.png": "encrypted"}

    def test_what_is_no_zip_is_said_plainly(self, tmp_path: Path):
        path = tmp_path / "a.zip"
        path.write_bytes(b"not a zip")
        with pytest.raises(UserError, match="not a readable zip"):
            open_source(path)
        with pytest.raises(UserError, match="no such folder"):
            open_source(tmp_path / "none")

    def test_reads_from_several_threads_at_once(self, tmp_path: Path):
        from concurrent.futures import ThreadPoolExecutor

        entries = {f"{i}.png": bytes([i]) * 5000 for i in range(60)}
        source = ZipSource(zipped(tmp_path / "a.zip", entries, compression=zipfile.ZIP_DEFLATED))
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(source.read, list(entries) * 5)) == list(entries.values()) * 5


def test_uploaded_files_keep_their_relative_names(tmp_path: Path):
    stored = tmp_path / "0.bin"
    stored.write_bytes(b"x")
    source = FilesSource({"photos/a.png": stored, "../evil.png": stored, "photos/.DS_Store": stored})
    assert source.names() == ["photos/a.png"]
    assert source.resolve("a.png").name == "photos/a.png"


def test_a_source_can_be_opened_again_from_its_description(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_bytes(b"x")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", b"x")
    (tmp_path / "a.zip").write_bytes(buffer.getvalue())
    for source in (open_source(tmp_path / "folder"), open_source(tmp_path / "a.zip"), open_source({"a.png": tmp_path / "folder" / "a.png"})):
        assert reopen(source.describe()).read("a.png") == b"x"
