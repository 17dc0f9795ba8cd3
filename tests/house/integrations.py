"""The pages of docs/integrations/, made by the code of `idp client create --for`.

`python -m tests.house.integrations` writes them; tests/house/test_integration_pages.py holds them equal.
"""

import sys
from pathlib import Path
from uuid import UUID

from idp import registration
from idp.control import clients, integrations
from idp.control.integrations import PRODUCTS, Product
from idp.control.integrations.made import configuration, own_scope
from idp.tenants import Tenant, entered

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "integrations"
ACME = Tenant(UUID(int=1), "acme", "Acme", "active", "https://id.example.com/t/acme")
SECRET = "CLIENT_SECRET"
FENCES = {
    "cfg": "toml", "cs": "csharp", "env": "sh", "http": "http", "ini": "ini", "java": "java", "json": "json",
    "rb": "ruby", "sh": "sh", "ts": "ts", "yaml": "yaml",
}  # fmt: skip


def pages() -> dict[str, str]:
    """Every page by its name."""
    with entered(ACME):
        return {"README.md": _index(), **{f"{each.name}.md": _page(each) for each in PRODUCTS}}


def _index() -> str:
    rows = [f"| [{each.title}]({each.name}.md) | {each.what} |\n" for each in PRODUCTS]
    return (
        "# Integrations\n\n"
        "One command makes the client as a product needs it (method, redirect URIs, scopes, claims, algorithm, type "
        "of its access tokens) and prints the configuration of the other side. The secret in it is shown that once.\n\n"
        "    idp client create [CLIENT_ID] --tenant SLUG --for PRODUCT --url URL > FILE\n\n"
        "Standard output is the configuration, standard error tells what was made; `--json` puts both into one "
        "object. What a product leaves open, `--name` and `--set` decide. These pages are made by the same code, "
        f"for the tenant `{ACME.slug}` at `{ACME.issuer}`: `python -m tests.house.integrations`.\n\n"
        "| product | for |\n|---|---|\n" + "".join(rows)
    )


def _page(product: Product) -> str:
    url = integrations.address(product, product.place)
    return (
        f"# {product.title}\n\n{product.what}\n\n"
        f"    idp client create --tenant {ACME.slug} --for {product.name} --url {url}\n\n"
        f"## What is made\n\n{_table(product, url)}"
        f"\n## The other side\n\n{_files(product, url)}"
        f"## What to know\n\n"
        + "".join(f"- {each}\n" for each in product.know)
        + f"\n## What of it is tried\n\n{product.tried}\n"
    )


def _table(product: Product, url: str) -> str:
    metadata, settings, _ = clients.split(integrations.planned(product, url))
    new, kept = registration.validate(metadata, settings=settings)
    rows = [("`client_id`", f"`{product.name}`")]
    rows += [(f"`{name}`", _cell(member)) for name, member in sorted(new.items())]
    rows += [(f"`{name}` (setting)", _cell(member)) for name, member in sorted(kept.items())]
    if product.typ:
        words = f"`{url}`, `typ` `{product.typ}`, with the scope `{own_scope(product.name)}`, granted to the client"
        rows.append(("API", words))
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {member} |\n" for name, member in rows)


def _cell(member: object) -> str:
    if isinstance(member, bool):
        return str(member).lower()
    if isinstance(member, dict):
        return ", ".join(f"{name} {_cell(each)}" for name, each in member.items())
    return "<br>".join(_cell(each) for each in member) if isinstance(member, list) else f"`{member}`"


def _files(product: Product, url: str) -> str:
    secret = None if product.public else SECRET
    made = configuration(product, url, product.name, secret)
    return "".join(
        f"`{each.name}`\n\n```{FENCES[each.name.rpartition('.')[2]]}\n{each.text}```\n\n" for each in made
    )


def main() -> int:
    """Write every page, and remove those of products that are gone."""
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
