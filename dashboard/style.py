"""The little style sheet on top of the theme in .streamlit/config.toml. Static text only."""

NARROWEST, STEP, WIDEST = 300, 100, 1200
"""Pixels that a panel has on a telephone, and the widths to which a drawing that needs more is stretched there."""


def least_step(pixels: int) -> int:
    """The next of these widths."""
    return min(WIDEST, -(-pixels // STEP) * STEP)


LEAST = "".join(
    f'[class*="st-key-least-{wide}-"] [data-testid="stVegaLiteChart"] {{ min-width: {wide}px; }}\n' for wide in range(NARROWEST + STEP, WIDEST + 1, STEP)
)
STYLE = (
    """
.stMainBlockContainer { max-width: 1240px; padding-top: 2.4rem; }
/* The bar that holds the menu would keep an empty strip over every page. */
[data-testid="stHeader"] { background: transparent; pointer-events: none; }
[data-testid="stHeader"] button, [data-testid="stToolbar"] * { pointer-events: auto; }
.st-key-context-bar { padding-bottom: .9rem; border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); margin-bottom: .4rem; }
.st-key-answer { padding: .2rem 0 .6rem 0; max-width: 62rem; }
.st-key-answer [data-testid="stMarkdownContainer"] p { font-size: 1.15rem; line-height: 1.5; }
.st-key-answer [data-testid="stCaptionContainer"] p { font-size: .92rem; }
[data-testid="stCaptionContainer"] { opacity: .74 !important; }
.theme-switch { display: inline-flex; border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: .5rem; overflow: hidden; }
.theme-switch button { all: unset; cursor: pointer; padding: .2rem .6rem; font-size: .8rem; color: inherit; }
.theme-switch button:focus-visible { outline: 2px solid currentColor; outline-offset: -2px; }
:root[data-chosen-theme="System"] [data-theme-choice="System"], :root[data-chosen-theme="Light"] [data-theme-choice="Light"],
:root[data-chosen-theme="Dark"] [data-theme-choice="Dark"] { background: color-mix(in srgb, currentColor 14%, transparent); font-weight: 600; }
:root[data-choosing-theme] [data-testid="stMainMenuPopover"] { visibility: hidden; }
.st-key-brand p { font-size: .85rem; line-height: 1.4; opacity: .75; }
[class*="st-key-below-"] { margin-top: -.6rem; }
[class*="st-key-block-"] h2, [class*="st-key-block-"] h3, .st-key-tour h2, .st-key-report-contents h2 { padding: .9rem 0 .15rem 0; font-size: 1.12rem; \
line-height: 1.35; }
[class*="st-key-block-"] [data-testid="stVegaLiteChart"] { overflow: visible; }
/* The words that stand where no chart is: what follows would else begin on their last line. */
[class*="st-key-block-"]:not(:has([data-testid="stVegaLiteChart"])) { padding-bottom: 1rem; }
/* The slider's track, which begins half a thumb inside, from end to end of the plot below it: 40 pixels are the axis's. */
[class*="audit-slide"][class*="-over-chart"] { box-sizing: border-box; padding-left: 34px; overflow: visible; }
[class*="audit-slide"][class*="-over-chart"] [data-testid="stSlider"] { width: calc(100% + 5px) !important; max-width: none !important; }
.chart-key { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; font-size: .875rem; }
.chart-key span { display: inline-flex; align-items: center; gap: .4rem; }
.chart-key i { width: .7rem; height: .7rem; border-radius: 50%; }
#vg-tooltip-element table tr td.key { opacity: .7; font-weight: 400; }
.st-key-epochs { max-width: 36rem; }
[class*="st-key-method-"] label p { font-weight: 600; }
[data-testid="stMain"] a[aria-label="Link to heading"] { display: none; }
[data-testid="stSidebarNav"] a:focus-visible, [data-testid="stElementToolbar"] button:focus-visible { outline: 2px solid currentColor; outline-offset: -2px; }
/* A file leaves the machine with every small count: files come from Download below a chart and from Reports, which hide them. */
[data-testid="stElementToolbarButton"]:has(button[aria-label^="Download as "], button[aria-label^="Copy Vega-Lite spec"]) { display: none; }
[data-testid="stPopoverBody"]:has([data-testid="stDataFrame"]) { width: min(46rem, calc(100vw - 2rem)); max-width: none; }
/* The accent carries white text; as text itself on a dark page it must be lighter. */
button[data-selected="true"][role="radio"] p, button[data-selected="true"][data-variant] p, [data-testid="stTab"][aria-selected="true"] p, \
[data-testid="stSliderThumbValue"] { color: light-dark(#3549B8, #9AA8F2) !important; }
[class*="st-key-state-"] { padding-top: 1rem; }
@media (min-width: 641px) { [class*="st-key-below-"], [class*="st-key-failed-"] { flex-wrap: nowrap !important; } }
@media (max-width: 640px) {
  [class*="st-key-least-"] { overflow-x: auto; scrollbar-width: thin; }
"""
    + LEAST
    + """
  /* Panels of several runs are swiped: one below the other they are ten screens. The next one looks in at the edge. */
  [class*="st-key-block-"] [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) { flex-wrap: nowrap; overflow-x: auto; scroll-snap-type: x \
proximity; scrollbar-width: thin; }
  [class*="st-key-block-"] [data-testid="stHorizontalBlock"] > [data-testid="stColumn"] { flex: 0 0 88%; min-width: 0; scroll-snap-align: start; }
  [class*="st-key-block-"] [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:not(:has([data-testid="stElementContainer"])) { display: none; }
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
  .st-key-context-bar > div { width: 100% !important; flex: 1 1 100% !important; }
  .st-key-evidence [role="tablist"] { flex-wrap: wrap; overflow: visible; }
  [class*="st-key-below-"] > :first-child { width: 100% !important; flex: 1 1 100% !important; }
  h1 { font-size: 1.45rem !important; }
  /* A table of sentences is swiped: five columns of a telephone's width are a word wide each. */
  [data-testid="stTable"] { overflow-x: auto; }
  [data-testid="stTable"] table { min-width: 42rem; }
}
"""
)
