"""Where the shop is (`API`), and over which line the tests talk to it (`MODE`: fast or slow)."""

import json
import os
import urllib.error
import urllib.request
from urllib.parse import urlencode

import pytest

# Milliseconds that each answer takes longer.
LINES = {"fast": 0, "slow": 25}


class Shop:
    """A client of the shop."""

    def __init__(self, address, mode):
        self.address = address.rstrip("/")
        self.delay = LINES[mode]

    def ask(self, method, path, body=None, **query):
        """The status and the JSON of an answer."""
        url = self.address + path + ("?" + urlencode(query) if query else "")
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers={"X-Delay": str(self.delay)})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def get(self, path, **query):
        status, value = self.ask("GET", path, **query)
        assert status == 200, value
        return value

    def error(self, method, path, body=None, **query):
        """The status and the reason of a refusal."""
        status, value = self.ask(method, path, body, **query)
        assert status >= 400, value
        return status, value["error"]


class Cart:
    """A cart of its own for each test."""

    def __init__(self, shop):
        self.shop = shop
        _, opened = shop.ask("POST", "/carts", {})
        self.path = "/carts/" + opened["id"]

    def put(self, sku, quantity):
        status, value = self.shop.ask("PUT", f"{self.path}/lines/{sku}", {"quantity": quantity})
        assert status == 200, value
        return value

    def look(self, **query):
        return self.shop.get(self.path, **query)

    def checkout(self, **payment):
        return self.shop.ask("POST", self.path + "/checkout", {"card": "4242424242424242", **payment})


@pytest.fixture(scope="session")
def mode():
    return os.environ.get("MODE", "fast")


@pytest.fixture(scope="session")
def shop(mode):
    return Shop(os.environ.get("API", "http://127.0.0.1:8080"), mode)


@pytest.fixture
def cart(shop):
    return Cart(shop)
