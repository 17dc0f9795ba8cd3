"""The report as one self-contained page for an auditor: no script, no address of anybody else, fit for paper.

The page is made from the signed report alone and holds it, so that the same bytes can be made again from it.
"""

import base64
import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from idp.prove.page_style import STYLE
from idp.prove.promises import Group

_GROUPS = {
    Group.CATALOGUE: ("The catalogue", "What the database says of itself, read as the runtime role."),
    Group.RUNTIME_ROLE: ("The runtime role", "What statements of the role that the server uses can do."),
    Group.OUTSIDE: (
        "From outside",
        "What requests with one tenant's credentials get at the other's addresses.",
    ),
    Group.BETWEEN: ("In between", "Redis, memory, caches, hosts and background work."),
    Group.TOKENS: (
        "Forged tokens",
        "What every endpoint that verifies tokens does with ones that nobody issued.",
    ),
}
_REPORT = re.compile(r'<script type="application/json" id="report">(.*?)</script>', re.DOTALL)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '{{ style_hash }}'; base-uri 'none'; \
form-action 'none'">
<title>{{ title }} – proof of isolation</title>
<style>{{ style }}</style>
</head>
<body>
<main>
<header class="top {{ 'good' if report.holds else 'bad' }}">
  <p class="kicker">Proof of isolation</p>
  <h1>{{ title }}</h1>
  <p class="lead">{{ lead }}</p>
  <dl class="stats">
    <div><dt>Promises that hold</dt><dd>{{ kept }}<small> of {{ report.promises | length }}</small></dd></div>
    <div><dt>Attempts</dt><dd>{{ "{:,}".format(tried) }}</dd></div>
    {%- if report.mutants %}
    <div><dt>Broken walls noticed</dt><dd>{{ killed }}<small> of {{ report.mutants | length }}</small></dd></div>
    {%- endif %}
    <div><dt>Took</dt><dd>{{ "%.1f" | format(report.seconds) }}<small> s</small></dd></div>
  </dl>
</header>
<section class="facts" aria-label="What was proved, and when">
  <dl>
    <div><dt>Deployment</dt><dd>{{ report.base_url }}</dd></div>
    <div><dt>Begun</dt><dd><time datetime="{{ report.begun_at }}">{{ begun }}</time></dd></div>
    <div><dt>Version</dt><dd>{{ report.version }}</dd></div>
    <div><dt>Schema</dt><dd>{{ report.schema }}</dd></div>
    <div><dt>PostgreSQL</dt><dd>{{ report.postgres }}</dd></div>
  </dl>
</section>
{%- for name, words, promises in groups %}
<section>
  <h2>{{ name }}</h2>
  <p class="muted">{{ words }}</p>
  <ol class="promises">
  {%- for each in promises %}
    <li class="promise {{ 'good' if each.kept else 'bad' }}">
      <p class="verdict"><span aria-hidden="true">{{ '✓' if each.kept else '✕' }}</span> \
{{ 'Holds' if each.kept else 'Broken' }}</p>
      <div>
        <h3>{{ each.sentence }}</h3>
        <p class="how">{{ each.how }}</p>
        {%- if each.found %}
        <ul class="found">{% for sentence in each.found[:most] %}<li>{{ sentence }}</li>{% endfor %}</ul>
        {%- if each.found | length > most %}
        <p class="how">and {{ each.found | length - most }} more in the report.</p>
        {%- endif %}
        {%- elif not each.kept %}
        <ul class="found"><li>Nothing was tried.</li></ul>
        {%- endif %}
        {%- if each.notes %}
        <ul class="notes">{% for note in each.notes %}<li>{{ note }}</li>{% endfor %}</ul>
        {%- endif %}
      </div>
      <p class="count"><b>{{ "{:,}".format(each.tried) }}</b> tried<br><code>{{ each.code }}</code></p>
    </li>
  {%- endfor %}
  </ol>
</section>
{%- endfor %}
{%- if report.mutants %}
<section>
  <h2>The proof itself, tried</h2>
  <p class="muted">Each line is a way to break the system, made on a copy. The proof has to notice every one.</p>
  <table>
    <thead><tr><th scope="col">What was broken</th><th scope="col">Noticed by</th></tr></thead>
    <tbody>
    {%- for each in report.mutants %}
    <tr class="{{ 'good' if each.killed else 'bad' }}"><th scope="row">{{ each.name }}</th>\
<td>{{ each.noticed | join(', ') or 'nothing: the proof would not have noticed' }}</td></tr>
    {%- endfor %}
    </tbody>
  </table>
</section>
{%- endif %}
<section class="seal">
  <h2>Signature</h2>
  {%- if report.signature %}
  <p>Ed25519 over the report in this page, with the key <code>{{ report.signature.kid }}</code>. \
<code>idp report verify FILE</code> checks it and that the page shows nothing else; <code>idp report key</code> prints \
the public key to compare with.</p>
  <dl>
    <div><dt>Public key</dt><dd><code>{{ report.signature.key }}</code></dd></div>
    <div><dt>Signature</dt><dd><code>{{ report.signature.value }}</code></dd></div>
  </dl>
  {%- else %}
  <p>This report is not signed.</p>
  {%- endif %}
</section>
</main>
<script type="application/json" id="report">{{ data }}</script>
</body>
</html>
"""

MOST = 25
"""Findings of one promise that the page shows."""
_TEMPLATE = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True).from_string(
    _PAGE
)


def render(report: Mapping[str, Any]) -> str:
    """The page of a report. Raises KeyError, TypeError, ValueError for what is no report."""
    promises, mutants = report["promises"], report["mutants"]
    groups = [
        (
            *words,
            sorted(
                (each for each in promises if each["group"] == group), key=lambda each: bool(each["kept"])
            ),
        )
        for group, words in _GROUPS.items()
    ]
    broken = sum(not each["kept"] for each in promises)
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return _TEMPLATE.render(
        report={"signature": None, **report},
        title=_title(bool(report["holds"]), broken),
        lead=_lead(report),
        kept=len(promises) - broken,
        tried=sum(each["tried"] for each in promises),
        killed=sum(each["killed"] for each in mutants),
        groups=[group for group in groups if group[2]],
        begun=dt.datetime.fromisoformat(report["begun_at"]).strftime("%-d %B %Y, %H:%M:%S UTC"),
        most=MOST,
        style=Markup(STYLE),
        style_hash=Markup(f"sha256-{digest}"),
        data=Markup(_embedded(report)),
    )


def read(page: str) -> Any:
    """The report that a page holds; None where it holds none. Raises ValueError."""
    found = _REPORT.search(page)
    return json.loads(found[1]) if found else None


def _embedded(report: Mapping[str, Any]) -> str:
    text = json.dumps(report, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _title(holds: bool, broken: int) -> str:
    if holds:
        return "Every promise holds"
    if not broken:
        return "The promises hold, the proof does not"
    return "One promise is broken" if broken == 1 else f"{broken} promises are broken"


def _lead(report: Mapping[str, Any]) -> str:
    if report["holds"]:
        return (
            "Two throw-away tenants with the same names were made on the running system, everything below was tried "
            "from one against the other, and nothing came through. Both were removed again."
        )
    return (
        "Two throw-away tenants with the same names were made on the running system and removed again. What is "
        "marked as broken below came through from one to the other, or would have gone unnoticed."
    )
