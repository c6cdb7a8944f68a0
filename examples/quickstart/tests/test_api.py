"""How the shop answers what it does not understand."""

import pytest


def test_it_is_healthy(shop):
    assert shop.get("/health") == {"status": "ok"}


@pytest.mark.parametrize("path", ["/", "/cart", "/products/map/more", "/..", "/health/"])
def test_nothing_is_anywhere_else(shop, path):
    assert shop.error("GET", path)[0] == 404


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/health"), ("DELETE", "/carts"), ("GET", "/carts"), ("PUT", "/orders/o1")]
)
def test_each_path_has_its_methods(shop, method, path):
    assert shop.error(method, path, {})[0] == 405


@pytest.mark.parametrize("body", [b"{", b"quantity=1", b"\xff"])
def test_a_body_is_json(cart, shop, body):
    assert shop.error("PUT", f"{cart.path}/lines/map", body) == (400, "the body is not JSON")
