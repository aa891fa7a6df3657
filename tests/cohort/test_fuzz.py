"""Two thousand mutated tables, pictures, archives and manifests: a cohort, or one clear message; never a traceback."""

from __future__ import annotations

import gzip
import io
import resource
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from core.cohort.ingest import ingest
from core.cohort.manifest import read_manifest, write_manifest
from core.cohort.sources import Unreadable, ZipSource
from core.cohort.volumes import decode_volume
from core.errors import UserError
from core.tables import read
from core.workspace import Workspace
from tests.cohort.helpers import png, roles, write_cohort

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits are set as on Linux")
SECONDS, BYTES = 20, 2 << 30
EACH = 100
"""Inputs per kind and start."""
TABLE = "patient_id,sex,age,crp,path,label\n" + "".join(f"P{i:03d},{'FM'[i % 2]},{20 + i % 60},{i * 0.7:.1f},pictures/{i}.png,{i % 2}\n" for i in range(40))
HOSTILE = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b'"',
    b"\n\n",
    b";",
    b"\t",
    b"|",
    b",,,",
    b"\r",
    b"=1+1",
    b"../../etc/passwd",
    b"-999",
    b"1e999",
    b"nan",
    b"\xc3\x28",
    "男".encode("gbk"),
    b"'" * 3,
    b"A" * 5000,
)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, a part cut out, doubled or replaced."""
    raw = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        if not raw:
            break
        at = int(rng.integers(0, len(raw)))
        length = int(rng.integers(1, max(2, len(raw) // 8)))
        match int(rng.integers(0, 5)):
            case 0:
                raw[at] = int(rng.integers(0, 256))
            case 1:
                del raw[at : at + length]
            case 2:
                raw[at:at] = raw[at : at + length]
            case 3:
                raw[at:at] = HOSTILE[int(rng.integers(0, len(HOSTILE)))]
            case _:
                raw[at : at + length] = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
    return bytes(raw)


class TookTooLong(Exception):
    """An input kept the processor for longer than any input may."""


@contextmanager
def limited() -> Iterator[None]:
    """At most `SECONDS` of the processor and `BYTES` of further memory: by the limits of the system, so that a busy machine changes nothing."""

    def stop(*_: object) -> None:
        raise TookTooLong(f"more than {SECONDS} s of the processor")

    memory, processor = resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CPU)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    spent = resource.getrusage(resource.RUSAGE_SELF)
    before = signal.signal(signal.SIGPROF, stop)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (used + BYTES, memory[1]))
        # Code that never comes back to Python is ended, and the test with it.
        resource.setrlimit(resource.RLIMIT_CPU, (int(spent.ru_utime + spent.ru_stime) + 60, processor[1]))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, memory)
        resource.setrlimit(resource.RLIMIT_CPU, processor)


def tried(act: Callable[[], object]) -> None:
    """Run it within the limits; only errors that a user can mend are allowed, in one line."""
    try:
        with limited():
            act()
    except (UserError, Unreadable) as error:
        assert str(error) and "\n" not in str(error) and len(str(error)) < 2000


def table_bytes(kind: str) -> bytes:
    text = TABLE.encode()
    return {
        "csv": text,
        "csv.gz": gzip.compress(text),
        "tsv": text.replace(b",", b"\t"),
        "utf16": TABLE.encode("utf-16"),
        "gbk": TABLE.replace("F", "女").encode("gbk"),
    }[kind]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "utf16", "gbk"])
def test_tables(kind: str, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    path = tmp_path / f"t.{kind if kind in ('csv', 'csv.gz', 'tsv') else 'csv'}"
    for _ in range(EACH):
        path.write_bytes(mutated(table_bytes(kind), rng))
        tried(lambda: read(path).frame)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_whole_cohorts(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    path = write_cohort(tmp_path / "clinic", 40, size=8)
    whole = path.read_bytes()
    workspace = Workspace.open(tmp_path / "home")
    for _ in range(EACH):
        path.write_bytes(mutated(whole, rng))
        tried(lambda: ingest(workspace, path))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["xlsx", "parquet", "dta"])
def test_workbooks_and_other_programs_files(kind: str, tmp_path: Path) -> None:
    import pandas as pd

    from tests.tables.test_reader import workbook

    frame = pd.read_csv(io.StringIO(TABLE))
    path = tmp_path / f"t.{kind}"
    {"xlsx": lambda: workbook(path, a=frame, b=frame), "parquet": lambda: frame.to_parquet(path), "dta": lambda: frame.to_stata(path, write_index=False)}[
        kind
    ]()
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(EACH):
        path.write_bytes(mutated(whole, rng))
        tried(lambda: read(path).frame)


@pytest.mark.slow
def test_archives(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(6):
            archive.writestr(f"pictures/{i}.png", png(i, (8, 8)))
    path = tmp_path / "a.zip"
    rng = np.random.default_rng(0)

    def look() -> None:
        source = ZipSource(path)
        for name in source.names():
            tried(lambda name=name: source.read(name))

    for _ in range(3 * EACH):
        path.write_bytes(mutated(buffer.getvalue(), rng))
        tried(look)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["npy", "npz", "nifti"])
def test_volumes(kind: str) -> None:
    values = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4)
    buffer = io.BytesIO()
    if kind == "nifti":
        nibabel = pytest.importorskip("nibabel")
        whole = nibabel.Nifti1Image(values, np.eye(4)).to_bytes()
    else:
        np.save(buffer, values) if kind == "npy" else np.savez_compressed(buffer, scan=values)
        whole = buffer.getvalue()
    rng = np.random.default_rng(0)
    for _ in range(2 * EACH):
        data = mutated(whole, rng)
        tried(lambda data=data: decode_volume(data, size=8))


@pytest.mark.slow
def test_manifests(tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    write_manifest(path, roles(merge=("sex=F:f",), bins=("age=18,65",)), "clinic")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(2 * EACH):
        path.write_bytes(mutated(whole, rng))
        tried(lambda: read_manifest(path))


def test_the_limits_stop_what_goes_beyond_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MemoryError):
        tried(lambda: bytearray(BYTES + (64 << 20)))
    monkeypatch.setattr("tests.cohort.test_fuzz.SECONDS", 0.05)

    def spin() -> None:
        while True:
            pass

    with pytest.raises(TookTooLong):
        tried(spin)
    tried(lambda: sum(range(1000)))
