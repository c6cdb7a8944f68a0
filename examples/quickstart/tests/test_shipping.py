"""Postage depends on the weight and the country."""

import pytest

BASE = {"AT": 490, "CH": 1_250, "DE": 390, "FR": 690, "JP": 2_900}
EACH = {"AT": 150, "CH": 400, "DE": 100, "FR": 200, "JP": 1_100}


@pytest.mark.parametrize("country", BASE)
def test_a_letter_costs_the_least(cart, country):
    cart.put("map", 1)
    assert cart.look(country=country)["shipping"] == BASE[country]


@pytest.mark.parametrize("country", BASE)
@pytest.mark.parametrize(("ropes", "kilograms"), [(1, 0), (2, 2), (3, 4), (5, 7)])
def test_each_kilogram_begun_costs_more(cart, country, ropes, kilograms):
    cart.put("rope", ropes)
    assert cart.look(country=country)["shipping"] == BASE[country] + EACH[country] * kilograms


@pytest.mark.parametrize("country", BASE)
def test_large_orders_travel_free(cart, country):
    cart.put("tent", 2)
    assert cart.look(country=country)["shipping"] == 0


def test_postage_is_shown_in_the_currency_of_the_cart(cart):
    cart.put("map", 1)
    assert cart.look(country="JP", currency="JPY")["shipping"] == 4_640


@pytest.mark.parametrize("country", ["XX", "de", "Germany"])
def test_other_countries_are_refused(cart, shop, country):
    cart.put("map", 1)
    assert shop.error("GET", cart.path, country=country)[0] == 400
