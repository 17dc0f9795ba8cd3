"""The salt of pairwise subjects: each tenant's own, written once."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from idp.store.database import transaction
from idp.store.durable import subject_salts
from idp.tenants import Tenant, entered


def test_twins_have_their_own_and_keep_it(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        with entered(tenant):
            assert subject_salts.find() is None
            subject_salts.add(tenant.slug.encode())
            subject_salts.add(b"another")
    with entered(acme):
        assert subject_salts.find() == b"acme"
    with entered(globex):
        assert subject_salts.find() == b"globex"


@pytest.mark.parametrize("words", ["UPDATE subject_salts SET salt = 'x'", "DELETE FROM subject_salts"])
def test_nobody_changes_it(acme: Tenant, words: str) -> None:
    with entered(acme):
        subject_salts.add(b"salt")
        with pytest.raises(DBAPIError, match="permission denied"), transaction() as tx:
            tx.execute(text(words))
