"""Clients for products that people have: made as the product needs them, with its configuration to paste.

Owns: the table of products (`products`), the client and the API that one of them makes, and the other side's
configuration. Leaves to others: whether metadata may be so (`idp.registration`), keeping it (`control.clients`,
`control.apis`), showing it (`idp.cli`). The pages in docs/integrations/ are made by the same code.
"""

from idp.control.integrations.made import Configuration, Integration, address, create, planned, product
from idp.control.integrations.product import Product
from idp.control.integrations.products import PRODUCTS

NAMES = tuple(each.name for each in PRODUCTS)

__all__ = [
    "NAMES",
    "PRODUCTS",
    "Configuration",
    "Integration",
    "Product",
    "address",
    "create",
    "planned",
    "product",
]
