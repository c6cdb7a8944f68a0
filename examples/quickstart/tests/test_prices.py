"""What things cost, in every currency."""

import pytest

PRICES = {
    "anchor": {"EUR": 18_900, "CHF": 17_955, "GBP": 16_065, "JPY": 30_240, "USD": 20_790},
    "compass": {"EUR": 4_450, "CHF": 4_228, "GBP": 3_783, "JPY": 7_120, "USD": 4_895},
    "kettle": {"EUR": 2_995, "CHF": 2_845, "GBP": 2_546, "JPY": 4_792, "USD": 3_295},
    "lantern": {"EUR": 3_280, "CHF": 3_116, "GBP": 2_788, "JPY": 5_248, "USD": 3_608},
    "map": {"EUR": 999, "CHF": 949, "GBP": 849, "JPY": 1_598, "USD": 1_099},
    "rope": {"EUR": 1_250, "CHF": 1_188, "GBP": 1_063, "JPY": 2_000, "USD": 1_375},
    "tent": {"EUR": 12_900, "CHF": 12_255, "GBP": 10_965, "JPY": 20_640, "USD": 14_190},
}


@pytest.mark.parametrize(
    ("sku", "currency", "amount"),
    [(sku, currency, amount) for sku, prices in PRICES.items() for currency, amount in prices.items()],
)
def test_a_price(shop, sku, currency, amount):
    assert shop.get("/price", sku=sku, currency=currency) == {"sku": sku, "currency": currency, "amount": amount}


@pytest.mark.parametrize("sku", PRICES)
def test_euros_are_the_default(shop, sku):
    assert shop.get("/price", sku=sku)["amount"] == PRICES[sku]["EUR"]


@pytest.mark.parametrize("currency", ["", "eur", "DEM", "BTC"])
def test_other_currencies_are_refused(shop, currency):
    status, reason = shop.error("GET", "/price", sku="map", currency=currency or "?")
    assert (status, reason.startswith("no currency")) == (400, True)
