"""Sign-in transactions in Redis: each tenant's own, finished once."""

import threading

from idp.store.ephemeral import transactions
from idp.tenants import entered


def test_a_transaction_is_its_own_tenants(acme, globex):
    with entered(acme):
        transactions.put("tx", {"of": "acme"}, 60)
        assert transactions.get("tx") == {"of": "acme"}
    with entered(globex):
        assert transactions.get("tx") is None
        transactions.put("tx", {"of": "globex"}, 60)
    with entered(acme):
        assert transactions.finish("tx", 60)
        assert transactions.over("tx") and transactions.get("tx") is None
        assert not transactions.finish("tx", 60)
    with entered(globex):
        assert not transactions.over("tx")
        assert transactions.get("tx") == {"of": "globex"}
        transactions.reopen("tx", {"of": "globex", "step": 2}, 60)
    with entered(acme):
        assert transactions.over("tx") and transactions.get("tx") is None


def test_a_page_that_writes_back_after_the_end_revives_nothing(in_acme):
    transactions.put("tx", {"step": 1}, 60)
    assert transactions.finish("tx", 60)
    transactions.put("tx", {"step": 2}, 60)
    assert transactions.get("tx") is None


def test_an_end_can_be_taken_back(in_acme):
    transactions.put("tx", {"step": 1}, 60)
    assert transactions.finish("tx", 60)
    transactions.reopen("tx", {"step": 1}, 60)
    assert transactions.get("tx") == {"step": 1}
    assert transactions.finish("tx", 60)


def test_of_many_at_once_one_finishes_it(acme):
    with entered(acme):
        transactions.put("tx", {"step": 1}, 60)
    barrier, won = threading.Barrier(8), []

    def finish():
        with entered(acme):
            barrier.wait(10)
            won.append(transactions.finish("tx", 60))

    threads = [threading.Thread(target=finish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(won) == [False] * 7 + [True]
