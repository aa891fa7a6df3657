"""What reading a cohort costs: ingestion beside bare decoding, an epoch from the cache beside decoding it again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from core import cohort as cohorts
from core.study.audit_speed import Measured
from core.workspace import Workspace

IMAGES, PIXELS, KEPT = 1000, 512, 128
BATCH = 32
REPETITIONS = 3
CHEAPER_THAN_DECODING = 20.0
INGEST_OVER_DECODING = 1.3


def measure(images: int = IMAGES) -> Iterator[Measured]:
    """Ratios of processor time, of the same JPEG files, taken in turns; images of 512 pixels are kept at 128."""
    with tempfile.TemporaryDirectory(prefix="multifair-bench-") as name:
        folder = Path(name)
        files = _write(folder / "files", images)
        # Libraries are loaded once per process, whatever the number of images.
        _ingest(Workspace.open(folder / "first"), _write(folder / "few", 20)[0].parent)
        decoding, ingesting, reading = [], [], []
        for turn in range(REPETITIONS):
            decoding.append(_spent(lambda: _decode(files)))
            workspace = Workspace.open(folder / f"workspace-{turn}")
            ingesting.append(_spent(lambda: _ingest(workspace, folder / "files")))  # noqa: B023 -- called at once
            cohort = cohorts.load(workspace, "Bench")
            reading.append(_spent(lambda: _epoch(cohort)))  # noqa: B023 -- called at once
        yield Measured(
            f"an epoch of {images} images: decoding over reading the cache",
            median(d / r for d, r in zip(decoding, reading, strict=True)),
            "times",
            CHEAPER_THAN_DECODING,
            at_least=True,
        )
        yield Measured(
            f"ingesting {images} images over bare decoding", median(i / d for i, d in zip(ingesting, decoding, strict=True)), "times", INGEST_OVER_DECODING
        )


def _write(folder: Path, images: int) -> list[Path]:
    """Photographs of noise that is smooth enough to compress as photographs do, and their table."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    rows = ["id,patient,label,sex,photo"]
    files = []
    for number in range(images):
        small = Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8))
        path = folder / f"{number:05d}.jpg"
        small.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC).save(path, quality=90)
        files.append(path)
        rows.append(f"s{number},p{number},{number % 2},{'female' if number % 3 else 'male'},{path.name}")
    (folder / "cohort.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return files


def _decode(files: list[Path]) -> None:
    for file in files:
        with Image.open(file) as image:
            np.asarray(image.convert("RGB").resize((KEPT, KEPT), Image.Resampling.LANCZOS))


def _ingest(workspace: Workspace, folder: Path) -> None:
    cohorts.ingest(workspace, folder / "cohort.csv", images=folder, name="Bench", size=KEPT)


def _epoch(cohort: cohorts.Cohort) -> None:
    """Every row once in random order, in batches, as training reads them."""
    pixels = cohort.array(cohort.modality_names[0])
    order = np.random.default_rng(2).permutation(cohort.n)
    for start in range(0, cohort.n, BATCH):
        _ = pixels[order[start : start + BATCH]]


def _spent(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun
