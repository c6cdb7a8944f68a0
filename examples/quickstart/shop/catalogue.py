"""What the shop sells. Prices are in euro cents."""

PRODUCTS = {
    "anchor": {"name": "Ship's anchor", "price": 18_900, "weight": 14_000, "stock": 4, "tags": ["boat", "iron"]},
    "compass": {"name": "Brass compass", "price": 4_450, "weight": 310, "stock": 25, "tags": ["boat", "brass"]},
    "kettle": {"name": "Camping kettle", "price": 2_995, "weight": 420, "stock": 60, "tags": ["camp", "iron"]},
    "lantern": {"name": "Storm lantern", "price": 3_280, "weight": 950, "stock": 18, "tags": ["boat", "camp"]},
    "map": {"name": "Map of the coast", "price": 999, "weight": 85, "stock": 200, "tags": ["boat", "paper"]},
    "rope": {"name": "Hemp rope", "price": 1_250, "weight": 1_800, "stock": 75, "tags": ["boat", "camp"]},
    "stove": {"name": "Spirit stove", "price": 6_700, "weight": 1_150, "stock": 0, "tags": ["camp", "brass"]},
    "tent": {"name": "Two-person tent", "price": 12_900, "weight": 2_700, "stock": 9, "tags": ["camp"]},
}

# What a hundred euros buy, and how many decimals the currency has.
CURRENCIES = {
    "EUR": (100, 2),
    "CHF": (95, 2),
    "GBP": (85, 2),
    "JPY": (16_000, 0),
    "USD": (110, 2),
}

# Postage in euro cents: up to 2 kg, and for each further kilogram begun.
COUNTRIES = {
    "AT": (490, 150),
    "CH": (1_250, 400),
    "DE": (390, 100),
    "FR": (690, 200),
    "JP": (2_900, 1_100),
}

# Percent off, and the least that the goods must cost in euro cents.
COUPONS = {
    "AHOY": (10, 0),
    "CREW": (25, 10_000),
    "NOTHING": (0, 0),
}


def convert(cents, currency):
    """Euro cents in the smallest unit of another currency, halves rounded up. No floats: they lose cents."""
    rate, decimals = CURRENCIES[currency]
    return (cents * rate * 10**decimals + 5_000) // 10_000


def postage(grams, country):
    """Euro cents for a parcel."""
    base, each = COUNTRIES[country]
    beyond = max(0, grams - 2_000)
    return base + each * -(-beyond // 1_000)
