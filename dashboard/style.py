"""The little style sheet on top of the theme in .streamlit/config.toml. Static text only."""

STYLE = """
.stMainBlockContainer { max-width: 1240px; }
.st-key-context-bar { padding-bottom: .9rem; border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); margin-bottom: .4rem; }
.st-key-answer { padding: .2rem 0 .6rem 0; max-width: 62rem; }
.st-key-answer [data-testid="stMarkdownContainer"] p { font-size: 1.15rem; line-height: 1.5; }
.st-key-answer [data-testid="stCaptionContainer"] p { font-size: .92rem; }
.st-key-brand p { font-size: .85rem; line-height: 1.4; opacity: .75; }
[class*="st-key-below-"] { margin-top: -.6rem; }
[class*="st-key-block-"] h4 { padding: .9rem 0 .15rem 0; font-size: 1.12rem; line-height: 1.35; }
[class*="st-key-block-"] [data-testid="stVegaLiteChart"] { overflow: visible; }
#vg-tooltip-element table tr td.key { opacity: .7; font-weight: 400; }
.st-key-threshold, .st-key-epochs { max-width: 36rem; }
[data-testid="stPopoverBody"]:has([data-testid="stDataFrame"]) { width: min(46rem, calc(100vw - 2rem)); max-width: none; }
[class*="st-key-state-"] { padding-top: 1rem; }
@media (min-width: 641px) { [class*="st-key-below-"] { flex-wrap: nowrap !important; } }
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 1rem; padding-right: 1rem; }
  .st-key-context-bar > div { width: 100% !important; flex: 1 1 100% !important; }
  h1 { font-size: 1.45rem !important; }
}
"""
