"""The pages of docs/integrations/ are what `idp client create --for` makes and prints."""

import pytest

from idp.control.integrations import NAMES
from idp.paths import templates
from tests.house.integrations import FOLDER, pages


def test_every_page_is_made_by_the_code_and_there_are_no_others() -> None:
    made = pages()
    assert {path.name for path in FOLDER.iterdir()} == set(made)
    stale = [name for name, text in made.items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    assert not stale, "python -m tests.house.integrations"


@pytest.mark.parametrize("name", NAMES)
def test_every_template_of_a_product_is_on_its_page(name: str) -> None:
    page = pages()[f"{name}.md"]
    files = [path.name for path in (templates() / "integrations" / name).iterdir()]
    assert files
    assert not [file for file in files if f"`{file}`\n\n```" not in page]


def test_no_template_is_left_of_a_product_that_is_gone() -> None:
    assert {path.name for path in (templates() / "integrations").iterdir()} == set(NAMES)
