"""The page that a report is written into: markup and look, nothing fetched."""

STYLE = """
:root { --ink:#1c2430; --soft:#5a6472; --line:#dfe3e8; --paper:#fff; --wash:#f6f7f9; --accent:#0b5cad; --worse:#b35900; --better:#0b5cad; }
* { box-sizing:border-box }
html { -webkit-text-size-adjust:100% }
body { margin:0; color:var(--ink); background:var(--paper); font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif }
main { max-width:960px; margin:0 auto; padding:2.5rem 1.25rem 5rem }
h1 { font-size:1.9rem; line-height:1.2; margin:0 0 .3rem; letter-spacing:-.01em }
h2 { font-size:1.3rem; line-height:1.3; margin:3rem 0 .4rem; padding-top:1.1rem; border-top:1px solid var(--line) }
h3 { font-size:1rem; margin:1.6rem 0 .4rem }
p { margin:.4rem 0 .8rem; max-width:46rem } h1, h2, h3, h4, p, li, summary, figcaption { overflow-wrap:anywhere }
.soft, figcaption, .caption { color:var(--soft); font-size:.9rem }
.answer { font-size:1.08rem }
.facts { display:grid; grid-template-columns:repeat(auto-fit,minmax(11rem,1fr)); gap:.8rem 1.5rem; margin:1.4rem 0; padding:1rem 1.2rem; \
background:var(--wash); border-radius:8px }
.facts dt { color:var(--soft); font-size:.8rem } .facts dd { margin:0; font-weight:600; overflow-wrap:anywhere }
.tag { display:inline-block; font-size:.78rem; font-weight:600; padding:.1rem .55rem; border-radius:99px; border:1px solid currentColor; \
vertical-align:.15em; margin-left:.4rem; color:var(--soft) }
.tag.disparity { color:var(--worse) } .tag.none { color:var(--better) }
figure { margin:1rem 0 1.8rem } figure svg { max-width:100%; height:auto; display:block }
.parts { display:grid; gap:1rem 1.5rem; grid-template-columns:1fr } .parts > div { min-width:0 } h4 { font-size:.88rem; margin:.2rem 0; color:var(--soft) }
@media (min-width:700px) { .parts.c2 { grid-template-columns:1fr 1fr } .parts.c3 { grid-template-columns:1fr 1fr 1fr } }
.scroll { overflow-x:auto; margin:.4rem 0 1rem }
table { border-collapse:collapse; font-size:.88rem; font-variant-numeric:tabular-nums; min-width:60% }
th,td { text-align:left; padding:.35rem .8rem .35rem 0; border-bottom:1px solid var(--line); vertical-align:top; white-space:nowrap } td.long { \
white-space:normal; min-width:18rem }
th { color:var(--soft); font-weight:600; white-space:nowrap } td.number, th.number { text-align:right; white-space:nowrap }
details { margin:.8rem 0 } summary { cursor:pointer; color:var(--accent) }
nav ol { padding-left:1.2rem; columns:2; font-size:.92rem } nav a { color:var(--accent); text-decoration:none } nav a:hover { text-decoration:underline }
pre { background:var(--wash); padding:1rem; border-radius:8px; overflow-x:auto; font-size:.8rem }
footer { margin-top:4rem; color:var(--soft); font-size:.85rem; border-top:1px solid var(--line); padding-top:1rem }
@media (max-width:600px) { td.long { min-width:11rem } th,td { padding-right:.5rem } nav ol { columns:1 } main { padding:1.4rem 1rem 3rem } h1 { \
font-size:1.5rem } }
.live svg { overflow:visible } .tip { position:fixed; z-index:9; max-width:22rem; padding:.45rem .65rem; background:var(--paper); border:1px solid \
var(--line); border-radius:6px; box-shadow:0 2px 10px #0002; font-size:.82rem; line-height:1.4; pointer-events:none; overflow-wrap:anywhere } .tip[hidden] { \
display:none } .tip span { color:var(--soft); margin-right:.5rem }
@media screen { .drawn > svg { display:none } } @media print { .live, .tip { display:none } }
@page { size:A4; margin:1.5cm }
@media print { main { max-width:none; padding:0 } h1, h2, h3, h4, summary { break-after:avoid; break-inside:avoid } .parts > div, tr, dl { \
break-inside:avoid } .scroll { overflow:visible } h2 { margin-top:1.6rem } .facts { background:none; border:1px solid var(--line) }
table { width:100%; font-size:.74rem } th, td, td.number, th.number, td.long { white-space:normal; min-width:0; padding-right:.4rem; \
overflow-wrap:break-word } td.whole { overflow-wrap:anywhere } .wide table { font-size:.6rem } .wide th, .wide td { overflow-wrap:anywhere; hyphens:auto }
details:not([open]) > summary::after { content:" (folded: open it before printing)"; color:var(--soft) } pre { white-space:pre-wrap; overflow-wrap:anywhere } }
"""

PAGE = """{% macro written(section, number) %}
<section id="s{{ number }}">
<h2>{{ section.title }}{% if section.tag %} <span class="tag {{ tag_class(section.tag) }}">{{ section.tag }}</span>{% endif %}</h2>
{% if section.sentence %}<p class="answer">{{ section.sentence }}</p>{% endif %}
{% for block in section.blocks %}
{% if is_chart(block) %}
<figure>
<h3>{{ block.title }}</h3>
<div class="parts c{{ block.columns }}" role="img" aria-label="{{ block.alt_text }}">
{% for part in block.drawings %}<div data-drawing="{{ place(block, loop.index0) }}">{% if part.heading %}<h4>{{ part.heading }}</h4>{% endif %}{{ \
drawing(block, loop.index0) }}</div>
{% endfor %}</div>
{% if block.caption %}<figcaption>{{ block.caption }}</figcaption>{% endif %}
</figure>
{% else %}
{% if block.folded %}<details><summary>{{ block.title }}</summary>{% else %}<h3>{{ block.title }}</h3>{% endif %}
{% if block.caption %}<p class="caption">{{ block.caption }}</p>{% endif %}
<div class="scroll{% if columns(block)|length > 9 %} wide{% endif %}" tabindex="0" role="group" aria-label="{{ block.title }}"><table>
<thead><tr>{% for name, number in columns(block) %}<th scope="col"{% if number %} class="number"{% endif %}>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in rows(block) %}<tr>{% for cell, number, bold in row %}<td{% if number %} class="number"{% elif is_whole(cell) %} class="whole{% if \
is_long(cell) %} long{% endif %}"{% elif is_long(cell) %} class="long"{% endif %}>{% if bold %}\
<strong>{{ cell }}</strong>{% else %}{{ cell }}{% endif %}</td>{% endfor %}</tr>
{% endfor %}</tbody>
</table></div>
{% if block.folded %}</details>{% endif %}
{% endif %}
{% endfor %}
{% for note in section.notes %}<p class="soft">{{ note }}</p>{% endfor %}
</section>
{% endmacro %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="generator" content="multifair {{ version }}">
<title>{{ report.title }}</title>
<style>{{ style }}</style>
</head>
<body><main>
<header>
<h1>{{ report.title }}</h1>
<p class="soft">{{ report.subtitle }}</p>
{% if report.facts %}<dl class="facts">{% for label, value in report.facts %}<div><dt>{{ label }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>{% endif %}
</header>
{% for section in report.sections if section.first %}{{ written(section, 0) }}{% endfor %}
{% if report.sections|length > 2 %}<nav aria-label="Contents"><ol>{% for section in report.sections if not section.first %}<li><a href="#s{{ loop.index \
}}">{{ section.title }}</a></li>{% endfor %}</ol></nav>{% endif %}
{% for section in report.sections if not section.first %}{{ written(section, loop.index) }}{% endfor %}
{% if report.provenance %}<section id="provenance"><h2>How these numbers were made</h2>
<details><summary>Settings, seeds and versions, enough to make them again</summary><pre>{{ provenance }}</pre></details></section>{% endif %}
<footer>Made {{ report.created }} UTC by multifair {{ version }}, on this machine; this file needs no network.</footer>
</main>
{% if scripts %}<script type="application/octet-stream" id="drawings">{{ packed }}</script>{% endif %}
{% for script in scripts %}<script>{{ script }}</script>
{% endfor %}
</body>
</html>
"""
