"""The browser's address: what it says of the choice, and what counts as one step of its history.

The address is read when a session begins and when the reader goes back or forward. Otherwise the widgets
lead and the address follows, in one message at the end of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

CHOICE = ("cohort", "attribute", "runs")
"""Parameters that every analysis page understands."""

_ARRIVED, _BEGUN, _BY_LINK, _SHOWN, _PENDING = "_arrived", "_begun", "_by_link", "_view", "_address"

HISTORY = """
<script>
(() => {
  if (window.multifairHistory) return;
  window.multifairHistory = true;
  const push = history.pushState.bind(history), replace = history.replaceState.bind(history);
  const at = (url) => new URL(url, location.href);
  const entered = at(performance.getEntriesByType('navigation')[0].name);
  let acted = false;
  // The first message about the address may have come before this script.
  let early = entered.href !== location.href && entered.pathname === location.pathname;
  for (const kind of ['pointerdown', 'keydown']) addEventListener(kind, () => { acted = true; }, true);
  addEventListener('popstate', (event) => {
    acted = false;
    if (!early || location.href !== entered.href) return;
    early = false;
    event.stopImmediatePropagation();
    history.back();
  }, true);
  const steps = ['cohort', 'attribute', 'runs', 'audit', 'model', 'by', 'metric', 'file', 'draft', 'tour'];
  const sameView = (url) => {
    const now = at(location.href).searchParams, next = at(url).searchParams;
    return at(url).pathname === location.pathname && steps.every((name) => !now.has(name) || now.get(name) === next.get(name));
  };
  history.pushState = (state, unused, url) => {
    if (!acted || sameView(url)) return replace(state, unused, url);
    acted = false;
    return push(state, unused, url);
  };
})();
</script>
"""
"""One act of the reader is one step of the history, and only where it changes what `steps` name. Streamlit makes a
step of every message about the address, and a page that opens writes its choice there after it has opened."""


def read() -> None:
    """Take up what the link names, where the reader came by a link, or went back or forward."""
    context = get_script_run_ctx()
    by_link = not st.session_state.get(_BEGUN) or (context is not None and context.is_history_navigation)
    st.session_state.update({_BEGUN: True, _BY_LINK: by_link})
    if by_link:
        named = {name: st.query_params[name] for name in CHOICE if st.query_params.get(name)}
        st.session_state.setdefault(_ARRIVED, {}).update(named)


def linked(name: str) -> str | None:
    """What the link names, in the run in which the reader came by it; for a page's own parameters."""
    return st.query_params.get(name) if st.session_state.get(_BY_LINK) else None


def seed(key: str, name: str, options: Sequence[str]) -> None:
    """Give the widget `key` its value: what the link names, else what it holds, else the first option."""
    wanted = (linked(name), st.session_state.get(key), st.query_params.get(name), options[0])
    st.session_state[key] = next(value for value in wanted if value in options)


def arrived(name: str) -> str | None:
    """What the link named, once; None when the reader did not come by a link, or it names none."""
    value: str | None = st.session_state.get(_ARRIVED, {}).pop(name, None)
    return value


def waiting(name: str) -> str | None:
    """What the link named and no bar has shown yet."""
    value: str | None = st.session_state.get(_ARRIVED, {}).get(name)
    return value


def shown(name: str) -> str | None:
    """What the bar last showed on any page."""
    value: str | None = st.session_state.get(_SHOWN, {}).get(name)
    return value


def name_in_link(**choice: str) -> None:
    """Name a page's own choice in the address, at once: fragments do not reach the end of a run."""
    changed = {name: value for name, value in choice.items() if st.query_params.get(name) != value}
    if changed:
        st.query_params.update(changed)


def record(choice: Mapping[str, str]) -> None:
    """The bar shows `choice`; the address says so at the end of the run."""
    st.session_state.setdefault(_SHOWN, {}).update(choice)
    st.session_state.setdefault(_PENDING, {}).update(choice)


def choose(choice: Mapping[str, str]) -> None:
    """Show `choice` from the next run on, whatever the bar holds now. An empty value: what is usual."""
    record(choice)
    for name in choice:
        st.session_state.pop(f"view_{name}", None)


def write() -> None:
    """Bring the address up to date, in one message."""
    st.session_state[_BY_LINK] = False
    pending = st.session_state.pop(_PENDING, {})
    changed = {name: value for name, value in pending.items() if value and st.query_params.get(name) != value}
    if changed:
        st.query_params.update(changed)


def path() -> str:
    """The page's path, such as `/groups`; empty where there is no browser."""
    return urlsplit(st.context.url or "").path
