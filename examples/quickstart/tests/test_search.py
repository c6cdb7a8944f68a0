"""Finding things."""

import pytest


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("anchor", ["anchor"]),
        ("ANCHOR", ["anchor"]),
        ("brass", ["compass", "stove"]),
        ("camp iron", ["kettle"]),
        ("iron camp", ["kettle"]),
        ("boat camp", ["lantern", "rope"]),
        ("two-person", ["tent"]),
        ("s", ["anchor", "compass", "lantern", "map", "stove", "tent"]),
        ("submarine", []),
    ],
)
def test_words_find_products(shop, words, found):
    assert [product["sku"] for product in shop.get("/products", q=words)["products"]] == found


@pytest.mark.parametrize("limit", [0, 1, 3, 8, 100])
def test_a_limit_cuts_the_list_and_not_the_count(shop, limit):
    answer = shop.get("/products", limit=limit)
    assert (answer["found"], len(answer["products"])) == (8, min(limit, 8))


@pytest.mark.parametrize("limit", ["-1", "many", "1.5"])
def test_a_limit_is_a_whole_number(shop, limit):
    assert shop.error("GET", "/products", limit=limit)[0] == 400
