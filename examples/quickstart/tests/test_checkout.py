"""Paying. Banks are slow, so these tests are too."""

import time

import pytest

GOOD = ["4242424242424242", "4000 0566 5566 5556", "5555-5555-5555-4444", "378282246310005"]
BAD = ["", "1", "4242424242424241", "0000", "card", "42424242"]


@pytest.mark.parametrize("card", GOOD)
def test_a_good_card_pays(cart, card):
    cart.put("map", 1)
    status, order = cart.checkout(card=card)
    assert (status, order["state"], order["total"]) == (200, "paid", 999)


@pytest.mark.parametrize("card", BAD)
def test_a_bad_card_does_not(cart, card):
    cart.put("map", 1)
    assert cart.checkout(card=card) == (402, {"error": "the card was declined"})


def test_a_declined_cart_is_still_there(cart):
    cart.put("map", 3)
    cart.checkout(card="1")
    assert cart.look()["lines"] == {"map": 3}


def test_a_paid_cart_is_gone(cart, shop):
    cart.put("map", 1)
    cart.checkout()
    assert shop.error("GET", cart.path)[0] == 404


def test_an_empty_cart_cannot_be_paid(cart):
    assert cart.checkout() == (409, {"error": "the cart is empty"})


@pytest.mark.parametrize("refusals", [1, 2, 3])
def test_retries(cart, refusals):
    """Asks again, each time after a longer wait, as a browser would."""
    cart.put("rope", 2)
    for attempt in range(refusals):
        assert cart.checkout(card=f"busy-{refusals}") == (503, {"error": "the bank is busy"})
        time.sleep(0.15 * (attempt + 1))
    status, order = cart.checkout(card=f"busy-{refusals}")
    assert (status, order["total"]) == (200, 2_500)


@pytest.mark.parametrize(("currency", "total"), [("EUR", 1_290), ("CHF", 1_226), ("USD", 1_419)])
def test_what_was_shown_is_paid(cart, currency, total):
    cart.put("map", 1)
    shown = cart.look(currency=currency, country="DE", coupon="AHOY")["total"]
    status, order = cart.checkout(currency=currency, country="DE", coupon="AHOY")
    assert (status, order["total"], order["currency"]) == (200, shown, currency)
    assert shown == total
