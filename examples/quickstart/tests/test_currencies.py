"""Conversion, without the shop: rounding is where money gets lost."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "shop"))

from catalogue import CURRENCIES, convert  # noqa: E402


@pytest.mark.parametrize("currency", CURRENCIES)
def test_nothing_is_nothing_anywhere(currency):
    assert convert(0, currency) == 0


@pytest.mark.parametrize("cents", [1, 99, 100, 12_345, 10_000_000])
def test_euros_stay_what_they_are(cents):
    assert convert(cents, "EUR") == cents


@pytest.mark.parametrize(("cents", "yen"), [(1, 2), (100, 160), (999, 1_598), (12_345, 19_752)])
def test_yen_have_no_decimals(cents, yen):
    assert convert(cents, "JPY") == yen


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("cents", [50, 999, 20_000])
def test_more_never_costs_less(currency, cents):
    assert convert(cents, currency) <= convert(cents + 1, currency)
