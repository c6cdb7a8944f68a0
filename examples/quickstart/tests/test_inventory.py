"""How much of everything there is."""

import pytest

STOCK = {"anchor": 4, "compass": 25, "kettle": 60, "lantern": 18, "map": 200, "rope": 75, "stove": 0, "tent": 9}


@pytest.mark.parametrize("sku", STOCK)
def test_a_stock(shop, sku):
    assert shop.get(f"/stock/{sku}")["stock"] == STOCK[sku]


@pytest.mark.parametrize("sku", [sku for sku, stock in STOCK.items() if stock])
def test_all_there_is_can_be_had(cart, sku):
    assert cart.put(sku, STOCK[sku])["lines"] == {sku: STOCK[sku]}


@pytest.mark.parametrize("sku", STOCK)
def test_more_than_there_is_cannot(cart, shop, sku):
    status, reason = shop.error("PUT", f"{cart.path}/lines/{sku}", {"quantity": STOCK[sku] + 1})
    assert (status, reason) == (409, f"only {STOCK[sku]} of {sku} left")


def test_what_is_gone_is_shown_as_gone(shop):
    gone = [product["sku"] for product in shop.get("/products")["products"] if not product["available"]]
    assert gone == ["stove"]
