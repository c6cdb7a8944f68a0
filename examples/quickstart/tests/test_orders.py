"""After paying: an order ships a little later."""

import time

import pytest


def wait_until_shipped(shop, number, patience=5.0):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        order = shop.get(f"/orders/{number}")
        if order["state"] == "shipped":
            return order
        time.sleep(0.05)
    pytest.fail(f"{number} was not shipped within {patience} seconds")


@pytest.mark.parametrize("sku", ["compass", "map", "rope"])
def test_an_order_ships(cart, shop, sku):
    cart.put(sku, 1)
    _, order = cart.checkout()
    assert wait_until_shipped(shop, order["id"])["lines"] == {sku: 1}


def test_an_order_does_not_ship_at_once(cart, shop):
    cart.put("tent", 1)
    _, order = cart.checkout()
    assert shop.get(f"/orders/{order['id']}")["state"] == "paid"


def test_a_total_does_not_change_on_the_way(cart, shop):
    cart.put("tent", 1)
    cart.put("map", 2)
    _, order = cart.checkout(country="FR")
    assert wait_until_shipped(shop, order["id"])["total"] == order["total"]


@pytest.mark.parametrize("number", ["o0", "none", "1"])
def test_an_unknown_order_is_not_found(shop, number):
    assert shop.error("GET", f"/orders/{number}")[0] == 404
