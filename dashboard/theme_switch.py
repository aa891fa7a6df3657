"""The choice between the light theme, the dark one and the system's, in the sidebar where a reader looks for it."""

from __future__ import annotations

import json

import streamlit as st

from dashboard.navigation import GROUPS

CHOICES = ("System", "Light", "Dark")

_SCRIPT = """
(() => {
  if (window.multifairTheme) return;
  window.multifairTheme = true;
  const pages = PAGES, key = /^stActiveTheme-(.*)-v(\\d+)$/, root = document.documentElement;
  const stored = () => Object.keys(localStorage).filter((name) => key.test(name));
  const now = () => { const found = stored()[0]; return found ? JSON.parse(localStorage.getItem(found)) : 'System'; };
  const say = (theme) => {
    root.dataset.chosenTheme = theme;
    for (const button of document.querySelectorAll('[data-theme-choice]')) button.setAttribute('aria-pressed', String(button.dataset.themeChoice === theme));
  };
  // The theme is Streamlit's own: its menu sets it, and keeps it for the page that the browser opened only.
  const everywhere = (theme) => {
    const versions = stored().map((name) => Number(key.exec(name)[2]));
    const base = location.pathname.replace(/[^/]*$/, '');
    for (const page of pages) localStorage.setItem(`stActiveTheme-${base}${page}-v${Math.max(2, ...versions)}`, JSON.stringify(theme));
  };
  const item = (theme) => document.querySelector(`[data-testid="stMainMenuItem-theme-${theme}"]`);
  const choose = (theme, tries = 40) => {
    if (tries === 40) {
      root.dataset.choosingTheme = '';
      document.querySelector('[data-testid="stMainMenuButton"], [data-testid="stMainMenu"] button')?.click();
    }
    const found = item(theme);
    if (!found && tries > 0) return requestAnimationFrame(() => choose(theme, tries - 1));
    found?.click();
    if (item(theme)) document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
    everywhere(theme);
    say(theme);
    setTimeout(() => { delete root.dataset.choosingTheme; }, 300);
  };
  document.addEventListener('click', (event) => {
    const button = event.target.closest?.('[data-theme-choice]');
    if (button) choose(button.dataset.themeChoice);
  });
  for (const kind of ['focusin', 'pointerover']) document.addEventListener(kind, (event) => { if (event.target.closest?.('.theme-switch')) say(now()); });
  say(now());
})();
"""


def theme_switch() -> None:
    """Three buttons; the script presses the entry of Streamlit's own menu. Static text, no user's."""
    pages = ["", *(name for group in GROUPS.values() for name, _, _ in group)]
    buttons = "".join(f'<button type="button" data-theme-choice="{theme}" aria-pressed="false">{theme}</button>' for theme in CHOICES)
    script = _SCRIPT.replace("PAGES", json.dumps(pages))
    st.html(f'<div class="theme-switch" role="group" aria-label="Theme">{buttons}</div><script>{script}</script>', unsafe_allow_javascript=True)
