"""What is here, what was found, and what to do next."""

from __future__ import annotations

from dashboard.components import page_title

page_title("What do we know so far?")
