"""A small shop that speaks JSON over HTTP. The standard library is all it needs.

    python3 server.py [--host 0.0.0.0] [--port 8080]

It keeps everything in memory. A client that sends `X-Delay: 20` gets each answer 20 milliseconds late, as if over a
slow line.
"""

import argparse
import itertools
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from catalogue import COUNTRIES, COUPONS, CURRENCIES, PRODUCTS, convert, postage

FREE_POSTAGE_FROM = 20_000
SHIPS_AFTER = 0.4  # seconds from payment


class Refused(Exception):
    """A request that cannot be fulfilled."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Shop:
    """Carts and orders. One lock guards them all: requests are short."""

    def __init__(self):
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.carts = {}
        self.orders = {}
        self.busy = {}

    def product(self, sku):
        if sku not in PRODUCTS:
            raise Refused(404, f"no product {sku!r}")
        return PRODUCTS[sku]

    def open_cart(self):
        number = str(next(self.numbers))
        self.carts[number] = {}
        return {"id": number}

    def lines(self, number):
        if number not in self.carts:
            raise Refused(404, f"no cart {number!r}")
        return self.carts[number]

    def put(self, number, sku, quantity):
        lines = self.lines(number)
        product = self.product(sku)
        if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 0:
            raise Refused(400, "a quantity is a whole number")
        if quantity > product["stock"]:
            raise Refused(409, f"only {product['stock']} of {sku} left")
        if quantity == 0:
            lines.pop(sku, None)
        else:
            lines[sku] = quantity
        return self.cart(number, {})

    def cart(self, number, query):
        lines = self.lines(number)
        currency = known(query.get("currency", "EUR"), CURRENCIES, "currency")
        goods = sum(PRODUCTS[sku]["price"] * quantity for sku, quantity in lines.items())
        off, least = known_coupon(query.get("coupon"))
        discount = goods * off // 100 if goods >= least else 0
        goods -= discount
        weight = sum(PRODUCTS[sku]["weight"] * quantity for sku, quantity in lines.items())
        shipping = 0
        if lines and "country" in query and goods < FREE_POSTAGE_FROM:
            shipping = postage(weight, known(query["country"], COUNTRIES, "country"))
        return {
            "id": number,
            "lines": dict(sorted(lines.items())),
            "currency": currency,
            "discount": convert(discount, currency),
            "shipping": convert(shipping, currency),
            "total": convert(goods, currency) + convert(shipping, currency),
            "weight": weight,
        }

    def checkout(self, number, payment):
        cart = self.cart(number, payment)
        if not cart["lines"]:
            raise Refused(409, "the cart is empty")
        card = str(payment.get("card", ""))
        if card.startswith("busy-"):
            # A bank that answers only when it is asked again: `busy-2` refuses twice.
            left = self.busy.setdefault(number, int(card.removeprefix("busy-")))
            if left > 0:
                self.busy[number] = left - 1
                raise Refused(503, "the bank is busy")
        elif not luhn(card):
            raise Refused(402, "the card was declined")
        del self.carts[number]
        order = {"id": f"o{number}", "total": cart["total"], "currency": cart["currency"], "lines": cart["lines"]}
        self.orders[order["id"]] = (order, time.monotonic())
        return order | {"state": "paid"}

    def order(self, number):
        if number not in self.orders:
            raise Refused(404, f"no order {number!r}")
        order, paid = self.orders[number]
        return order | {"state": "shipped" if time.monotonic() - paid > SHIPS_AFTER else "paid"}


def known(name, table, what):
    if name not in table:
        raise Refused(400, f"no {what} {name!r}")
    return name


def known_coupon(name):
    if name is None:
        return 0, 0
    return COUPONS[known(name, COUPONS, "coupon")]


def luhn(card):
    """The check digit that real cards have."""
    digits = [int(digit) for digit in card if digit.isdigit()]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]
    return len(digits) >= 12 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def describe(sku):
    product = PRODUCTS[sku]
    return {"sku": sku, "name": product["name"], "tags": product["tags"], "available": product["stock"] > 0}


def search(shop, query):
    words = query.get("q", "").lower().split()
    found = [
        sku
        for sku, product in PRODUCTS.items()
        if all(word in f"{sku} {product['name']} {' '.join(product['tags'])}".lower() for word in words)
    ]
    limit = query.get("limit", "20")
    if not limit.isdigit():
        raise Refused(400, "a limit is a whole number")
    return {"found": len(found), "products": [describe(sku) for sku in found[: int(limit)]]}


def price(shop, query):
    sku = query.get("sku", "")
    currency = known(query.get("currency", "EUR"), CURRENCIES, "currency")
    return {"sku": sku, "currency": currency, "amount": convert(shop.product(sku)["price"], currency)}


ROUTES = [
    ("GET", r"/health", lambda shop, query, body: {"status": "ok"}),
    ("GET", r"/products", lambda shop, query, body: search(shop, query)),
    ("GET", r"/products/([^/]+)", lambda shop, query, body, sku: (shop.product(sku), describe(sku))[1]),
    ("GET", r"/price", lambda shop, query, body: price(shop, query)),
    ("GET", r"/stock/([^/]+)", lambda shop, query, body, sku: {"sku": sku, "stock": shop.product(sku)["stock"]}),
    ("POST", r"/carts", lambda shop, query, body: shop.open_cart()),
    ("GET", r"/carts/([^/]+)", lambda shop, query, body, number: shop.cart(number, query)),
    (
        "PUT",
        r"/carts/([^/]+)/lines/([^/]+)",
        lambda shop, query, body, number, sku: shop.put(number, sku, body.get("quantity")),
    ),
    ("POST", r"/carts/([^/]+)/checkout", lambda shop, query, body, number: shop.checkout(number, body)),
    ("GET", r"/orders/([^/]+)", lambda shop, query, body, number: shop.order(number)),
]


class Handler(BaseHTTPRequestHandler):
    """One request: find the route, ask the shop, write JSON."""

    protocol_version = "HTTP/1.1"
    shop = Shop()

    def answer(self):
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(float(self.headers.get("X-Delay", 0)) / 1000)
        try:
            status, value = 200, self.dispatch(url.path, query, raw)
        except Refused as refused:
            status, value = refused.status, {"error": refused.reason}
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def dispatch(self, path, query, raw):
        matches = [(method, re.fullmatch(pattern, path), act) for method, pattern, act in ROUTES]
        fitting = [(method, match, act) for method, match, act in matches if match]
        for method, match, act in fitting:
            if method == self.command:
                try:
                    body = json.loads(raw or b"{}")
                except ValueError:
                    raise Refused(400, "the body is not JSON") from None
                with self.shop.lock:
                    return act(self.shop, query, body, *match.groups())
        raise Refused(405, f"not by {self.command}") if fitting else Refused(404, f"nothing at {path}")

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, format, *args):
        print(f"{self.command} {self.path} {args[1]}", flush=True)


class Server(ThreadingHTTPServer):
    """Many test workers connect at the same moment."""

    daemon_threads = True
    request_queue_size = 128


def main():
    arguments = argparse.ArgumentParser(description="A small shop that speaks JSON over HTTP.")
    arguments.add_argument("--host", default="0.0.0.0")
    arguments.add_argument("--port", type=int, default=8080)
    settings = arguments.parse_args()
    print(f"open at http://{settings.host}:{settings.port}", flush=True)
    Server((settings.host, settings.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
