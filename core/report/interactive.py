"""Charts that answer the pointer, inside a page that fetches nothing: the library once, every specification packed, and our own few lines that start them.

A page without script, an older browser and a print show the drawing that is there anyway. The policy of the page lets these
two scripts run and no other, by their hashes, and lets none of them make code of text: expressions are interpreted (`ast`).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import platformdirs
import vl_convert

from core.report.svg import VERSION
from core.workspace import write_atomic

EXPORT = "window.multifairEmbed = vegaEmbed;"

START = r"""
"use strict";
(async () => {
  const packed = document.getElementById("drawings");
  if (!packed || !window.multifairEmbed || !window.DecompressionStream || !window.IntersectionObserver) return;
  const bytes = Uint8Array.from(atob(packed.textContent.trim()), letter => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const specs = JSON.parse(await new Response(stream).text());
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const said = value => value === null || value === undefined ? "\u2013" : typeof value === "object" ? JSON.stringify(value) : String(value);
  const tell = (handler, event, item, value) => {
    tip.hidden = value === null || value === undefined || value === "";
    if (tip.hidden) return;
    const rows = typeof value === "object" ? Object.entries(value).filter(([, text]) => text !== "") : [["", value]];
    tip.replaceChildren(...rows.map(([name, text]) => {
      const row = document.createElement("div");
      const label = document.createElement("span");
      label.textContent = name;
      row.append(label, said(text));
      return row;
    }));
    const room = document.documentElement;
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, room.clientWidth - tip.offsetWidth - 4)) + "px";
    tip.style.top = Math.max(4, Math.min(event.clientY + 14, room.clientHeight - tip.offsetHeight - 4)) + "px";
  };
  window.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
  const loader = { load: () => Promise.reject(new Error("nothing is fetched")) };
  const options = { ast: true, actions: false, renderer: "svg", defaultStyle: false, tooltip: tell, loader };
  const seen = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      const live = document.createElement("div");
      live.className = "live";
      live.setAttribute("aria-hidden", "true");
      target.append(live);
      window.multifairEmbed(live, specs[target.dataset.drawing], options).then(
        () => target.classList.add("drawn"), error => { live.remove(); console.error(error); });
    }
  }, { rootMargin: "300px" });
  document.querySelectorAll("[data-drawing]").forEach(place => seen.observe(place));
})();
"""


@lru_cache(maxsize=1)
def library() -> str:
    """The drawing library as one script. Bundling it takes seconds, so it is kept in the user's cache; where nothing can be kept, it is bundled again.

    Raises
    ------
    ValueError
        When it could not stand inside a page.
    """
    name = hashlib.sha256(f"{version('vl-convert-python')} {VERSION} {EXPORT}".encode()).hexdigest()[:16]
    kept = Path(platformdirs.user_cache_dir("multifair")) / f"charts-{name}.js"
    if kept.is_file():
        return kept.read_text(encoding="utf-8")
    script = str(vl_convert.javascript_bundle(EXPORT, vl_version=VERSION))
    if any(end in script.lower() for end in ("</script", "<!--", "<script")):
        raise ValueError("the drawing library holds the end of a script")
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(kept, script)
    return script


def packed(specs: Mapping[str, Mapping[str, Any]]) -> str:
    """Specifications by the name of their place, as letters that cannot end a script whatever text is in them; the same give the same."""
    text = json.dumps(specs, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def policy(*scripts: str) -> str:
    """Content-Security-Policy of a page that runs these scripts, draws, and does nothing else."""
    allowed = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed or chr(39) + 'none' + chr(39)}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
