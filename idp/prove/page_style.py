"""The style of the report's page: the product's colours, light, dark and on paper."""

STYLE = """
:root { color-scheme: light dark; --surface: #f5f6f8; --raised: #fff; --text: #14171d; --muted: #565e6c; \
--line: #e0e3e9; --danger: #b3261e; --danger-soft: #fdf0ef; --ok: #0b6b45; --ok-soft: #e8f6ef; --warn: #7d4e00; \
--warn-soft: #fdf4e0; --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (prefers-color-scheme: dark) { :root { --surface: #0d1015; --raised: #161a21; --text: #eceef3; \
--muted: #a2aab8; --line: #2a303b; --danger: #ff9b93; --danger-soft: #351b1b; --ok: #6fd6a6; --ok-soft: #12291f; \
--warn: #f1c069; --warn-soft: #2f2512; } }
*, *::before, *::after { box-sizing: border-box; }
body { margin: 0; color: var(--text); background: var(--surface); overflow-wrap: break-word; \
font: 400 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1, h2, h3, p, dl, dd, ol, ul { margin: 0; padding: 0; }
h1 { font-size: 2.25rem; line-height: 1.15; font-weight: 680; letter-spacing: -.025em; text-wrap: balance; }
h2 { font-size: 1.25rem; line-height: 1.3; font-weight: 650; letter-spacing: -.01em; }
h3 { font-size: 1rem; line-height: 1.4; font-weight: 600; text-wrap: pretty; }
code { font: .8125rem/1.5 var(--mono); overflow-wrap: anywhere; }
section { margin-top: 3rem; }
.muted, .how { color: var(--muted); }
.top { padding: 2rem; background: var(--raised); border: 1px solid var(--line); border-radius: 14px; \
border-top: 6px solid var(--ok); box-shadow: 0 1px 2px rgb(16 22 35 / .05), 0 16px 40px rgb(16 22 35 / .06); }
.top.bad { border-top-color: var(--danger); }
.kicker { margin-bottom: .5rem; color: var(--ok); font-size: .875rem; font-weight: 650; }
.bad .kicker, .top.bad h1 { color: var(--danger); }
.lead { max-width: 46rem; margin-top: .75rem; color: var(--muted); text-wrap: pretty; }
.stats { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1.5rem; margin-top: 2rem; }
.stats dt, .facts dt, .seal dt { color: var(--muted); font-size: .875rem; }
.stats dd { font-size: 1.75rem; line-height: 1.2; font-weight: 650; letter-spacing: -.02em; \
font-variant-numeric: tabular-nums; }
.stats small { color: var(--muted); font-size: 1rem; font-weight: 400; letter-spacing: 0; }
.facts { margin-top: 1.5rem; padding: 0 2rem; }
.facts dl { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; }
.facts dd { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.promises { margin-top: 1rem; list-style: none; background: var(--raised); border: 1px solid var(--line); \
border-radius: 14px; }
.promise { display: grid; grid-template-columns: 6rem 1fr 10rem; gap: 0 1rem; padding: 1rem 1.25rem; \
break-inside: avoid; }
.promise + .promise { border-top: 1px solid var(--line); }
.verdict { justify-self: start; align-self: start; padding: .0625rem .625rem; border-radius: 99px; color: var(--ok); \
background: var(--ok-soft); font-size: .875rem; font-weight: 600; white-space: nowrap; }
.bad .verdict { color: var(--danger); background: var(--danger-soft); }
.how { margin-top: .125rem; font-size: .875rem; }
.count { color: var(--muted); font-size: .875rem; text-align: right; font-variant-numeric: tabular-nums; }
.count b { color: var(--text); font-weight: 600; }
.count code { font-size: .75rem; }
.found, .notes { margin-top: .625rem; padding: .625rem .875rem .625rem 1.875rem; border-radius: 8px; \
font-size: .875rem; }
.found { color: var(--danger); background: var(--danger-soft); }
.notes { color: var(--warn); background: var(--warn-soft); }
table { width: 100%; margin-top: 1rem; border-spacing: 0; background: var(--raised); border: 1px solid var(--line); \
border-radius: 14px; font-size: .875rem; }
th, td { padding: .5rem 1.25rem; text-align: left; vertical-align: top; font-weight: 400; }
thead th { color: var(--muted); }
tbody th { width: 45%; font-weight: 500; }
tbody th, tbody td { border-top: 1px solid var(--line); }
tbody td { color: var(--muted); font-family: var(--mono); font-size: .75rem; line-height: 1.75; \
overflow-wrap: anywhere; }
tbody .bad th, tbody .bad td { color: var(--danger); background: var(--danger-soft); }
.seal dl { display: grid; gap: .5rem; margin-top: 1rem; }
.seal p { max-width: 46rem; }
@media (max-width: 40rem) { main { padding: 1rem 1rem 3rem; } .top { padding: 1.5rem 1.25rem; } \
.facts { padding: 0 .25rem; } h1 { font-size: 1.75rem; } .promise { grid-template-columns: 1fr; gap: .5rem; } \
.count { text-align: left; } .count br { display: none; } .count code::before { content: " · "; } }
@media print { :root { color-scheme: light; } body { background: #fff; } main { max-width: none; padding: 0; } \
.top, .promises, table { box-shadow: none; break-inside: auto; } tr { break-inside: avoid; } }
@media (prefers-contrast: more) { :root { --muted: var(--text); --line: var(--text); } }
"""
