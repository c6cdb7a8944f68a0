"""What the shop sells."""

import pytest

SKUS = ["anchor", "compass", "kettle", "lantern", "map", "rope", "stove", "tent"]


def test_everything_is_listed(shop):
    assert [product["sku"] for product in shop.get("/products")["products"]] == SKUS


@pytest.mark.parametrize("sku", SKUS)
def test_a_product_has_a_page(shop, sku):
    page = shop.get(f"/products/{sku}")
    assert page["sku"] == sku
    assert page["name"]


@pytest.mark.parametrize("sku", SKUS)
def test_a_product_has_tags(shop, sku):
    tags = shop.get(f"/products/{sku}")["tags"]
    assert tags and set(tags) <= {"boat", "brass", "camp", "iron", "paper"}


@pytest.mark.parametrize("sku", ["", "Anchor", "anchors", "4711"])
def test_an_unknown_product_has_none(shop, sku):
    status, _ = shop.error("GET", f"/products/{sku}")
    assert status == 404


@pytest.mark.skip(reason="the shop has no pictures yet")
def test_a_product_has_a_picture(shop):
    assert shop.get("/products/anchor")["picture"]
