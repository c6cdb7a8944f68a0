"""Coupons: some take a share off, some want a full cart first."""

import pytest


@pytest.mark.parametrize(("sku", "total"), [("map", 900), ("rope", 1_125), ("kettle", 2_696), ("tent", 11_610)])
def test_ahoy_takes_a_tenth_off(cart, sku, total):
    cart.put(sku, 1)
    assert cart.look(coupon="AHOY")["total"] == total


@pytest.mark.parametrize(("maps", "discount"), [(1, 0), (10, 0), (11, 2_747), (20, 4_995)])
def test_crew_wants_a_hundred_euros(cart, maps, discount):
    cart.put("map", maps)
    assert cart.look(coupon="CREW")["discount"] == discount


def test_nothing_takes_nothing_off(cart):
    cart.put("map", 3)
    assert cart.look(coupon="NOTHING")["total"] == cart.look()["total"]


@pytest.mark.parametrize("coupon", ["ahoy", "OLD", "' OR 1=1"])
def test_an_unknown_coupon_is_refused(cart, coupon, shop):
    assert shop.error("GET", cart.path, coupon=coupon)[0] == 400


def test_a_discount_counts_before_free_postage(cart):
    cart.put("tent", 1)
    cart.put("lantern", 2)
    cart.put("map", 1)
    assert cart.look(country="DE")["shipping"] == 0
    assert cart.look(country="DE", coupon="AHOY")["shipping"] > 0
