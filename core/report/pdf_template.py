"""The page that a printed report is set in: typst markup that reads everything it shows from `report.json`, as text and never as markup."""

PAGE = r"""
#let d = json("report.json")
#let soft = luma(32%)
#let line-colour = luma(70%)
#set document(title: d.title, author: "multifair " + d.version, description: d.subtitle,
  date: datetime(year: d.date.at(0), month: d.date.at(1), day: d.date.at(2), hour: d.date.at(3), minute: d.date.at(4), second: 0))
#set page(
  paper: "a4", margin: (x: 1.6cm, top: 1.9cm, bottom: 1.8cm),
  header: context { if counter(page).get().first() > 1 { set text(7.5pt, fill: soft); box(width: 100%, clip: true, height: 1em, d.title) } },
  footer: context { set text(7.5pt, fill: soft); grid(columns: (1fr, auto), d.footer, [#counter(page).display() / #counter(page).final().first()]) },
)
#set text(font: d.fonts, size: 9pt, lang: "en", hyphenate: false)
#set par(leading: 0.55em, spacing: 0.8em, linebreaks: "optimized")
#set heading(numbering: none)
#show heading.where(level: 1): it => block(above: 1.8em, below: 0.7em, sticky: true, width: 100%)[#line(length: 100%,
  stroke: 0.5pt + line-colour) #v(0.35em) #text(13pt, weight: "bold", it.body)]
#show heading.where(level: 2): it => block(above: 1.2em, below: 0.6em, sticky: true, text(9.5pt, weight: "bold", it.body))
#set table.cell(breakable: false)
#set table(stroke: (x, y) => (bottom: 0.4pt + line-colour), inset: (x: 3pt, y: 2.6pt))

#let drawing(part) = {
  if part.heading != "" { text(8pt, fill: soft, weight: "bold", part.heading); linebreak() }
  image(bytes(part.svg), format: "svg", width: part.width * 1pt, alt: part.alt)
}

#let chart(b) = {
  heading(level: 2, outlined: false, b.title)
  for row in b.parts.chunks(b.columns) {
    block(breakable: false, width: 100%, sticky: b.caption != "" and row == b.parts.chunks(b.columns).last(),
      grid(columns: (1fr,) * b.columns, gutter: 8pt, ..row.map(drawing)))
  }
  if b.caption != "" { par(text(8pt, fill: soft, b.caption)) }
  v(0.4em)
}

#let cells(p) = table(
  columns: p.widths.map(w => w * 1pt), align: p.numbers.map(n => if n { right + top } else { left + top }),
  table.header(..p.header.map(name => text(7.2pt, weight: "bold", fill: soft, name))),
  ..p.rows.flatten().map(cell => text(7.6pt, weight: if cell.bold { "bold" } else { "regular" }, cell.text)),
)

#let tabular(b) = {
  heading(level: 2, outlined: false, b.title)
  if b.caption != "" { block(sticky: true, text(8pt, fill: soft, b.caption)) }
  for p in b.parts { block(below: 0.9em, cells(p)) }
  if b.more != "" { par(text(8pt, fill: soft, b.more)) }
}

#let written(s) = {
  heading(level: 1, s.title)
  if s.tag != "" { block(above: 0.2em, below: 0.6em, sticky: true,
    box(stroke: 0.6pt + soft, radius: 6pt, inset: (x: 5pt, y: 2.4pt), text(8pt, weight: "bold", s.tag))) }
  if s.sentence != "" { block(sticky: s.blocks.len() > 0, text(10pt, s.sentence)) }
  for b in s.blocks { if b.kind == "chart" { chart(b) } else { tabular(b) } }
  for n in s.notes { par(text(fill: soft, n)) }
}

#text(19pt, weight: "bold", d.title)
#v(-0.3em)
#text(fill: soft, d.subtitle)

#if d.facts.len() > 0 {
  block(fill: luma(96%), inset: 8pt, radius: 3pt, width: 100%, grid(
    columns: (1fr,) * 3, gutter: 8pt,
    ..d.facts.map(f => [#text(7.5pt, fill: soft, f.at(0)) \ #text(weight: "bold", f.at(1))])
  ))
}

#for s in d.sections { if s.first { written(s) } }

#if d.sections.len() > 2 { outline(title: "Contents", depth: 1) }

#for s in d.sections { if not s.first { written(s) } }

#if d.note != "" { par(text(8pt, fill: soft, d.note)) }
"""
