"""Filling a cart."""

import pytest

PRICES = {"compass": 4_450, "kettle": 2_995, "lantern": 3_280, "map": 999, "rope": 1_250, "tent": 12_900}


def test_a_new_cart_is_empty(cart):
    assert cart.look()["lines"] == {}


def test_an_empty_cart_costs_nothing(cart):
    assert cart.look(country="DE")["total"] == 0


@pytest.mark.parametrize("sku", PRICES)
def test_one_thing_costs_its_price(cart, sku):
    assert cart.put(sku, 1)["total"] == PRICES[sku]


@pytest.mark.parametrize("quantity", [2, 3, 7])
@pytest.mark.parametrize("sku", ["map", "rope"])
def test_many_things_cost_many_times_that(cart, sku, quantity):
    assert cart.put(sku, quantity)["total"] == quantity * PRICES[sku]


@pytest.mark.parametrize(("currency", "total"), [("EUR", 2_249), ("CHF", 2_137), ("GBP", 1_912), ("JPY", 3_598)])
def test_total(cart, currency, total):
    cart.put("map", 1)
    cart.put("rope", 1)
    assert cart.look(currency=currency)["total"] == total


def test_a_quantity_replaces_the_one_before(cart):
    cart.put("map", 5)
    assert cart.put("map", 2)["lines"] == {"map": 2}


def test_none_of_a_thing_takes_it_out(cart):
    cart.put("map", 5)
    cart.put("rope", 1)
    assert cart.put("map", 0)["lines"] == {"rope": 1}


def test_lines_are_in_order(cart):
    for sku in ["tent", "map", "kettle"]:
        cart.put(sku, 1)
    assert list(cart.look()["lines"]) == ["kettle", "map", "tent"]


@pytest.mark.parametrize("quantity", [-1, 1.5, "2", None, True])
def test_a_quantity_is_a_whole_number(cart, shop, quantity):
    status, _ = shop.error("PUT", f"{cart.path}/lines/map", {"quantity": quantity})
    assert status == 400


def test_two_carts_do_not_mix(cart, shop):
    other = type(cart)(shop)
    cart.put("map", 1)
    assert other.look()["lines"] == {}


def test_an_unknown_cart_is_not_found(shop):
    assert shop.error("GET", "/carts/none") == (404, "no cart 'none'")
