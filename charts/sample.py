"""The sample shop: a seeded SQLite database to ask about, with the flaws that real data has planted on purpose.

The flaws: NULL segments and countries, keys that point nowhere, a text date (`products.launched`), a text number
(`returns.refund`), a table name with a blank, a last month that has only begun, a week in which the shop was on
television, orders never shipped.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate, product
from pathlib import Path
from random import Random
from typing import Any

MONTHS = 36
CUSTOMERS = 400

SCHEMA = """
CREATE TABLE customers (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, country TEXT, city TEXT, segment TEXT,
  joined_on DATE NOT NULL
);
CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE products (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, category_id INTEGER NOT NULL REFERENCES categories (id),
  list_price REAL NOT NULL, launched TEXT NOT NULL
);
CREATE TABLE carriers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), ordered_at DATETIME NOT NULL,
  shipped_at DATETIME, delivered_at DATETIME, carrier_id INTEGER REFERENCES carriers (id),
  status TEXT NOT NULL, channel TEXT NOT NULL
);
CREATE TABLE "order lines" (
  id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders (id),
  product_id INTEGER NOT NULL REFERENCES products (id), quantity INTEGER NOT NULL, unit_price REAL NOT NULL,
  discount REAL NOT NULL
);
CREATE TABLE returns (
  id INTEGER PRIMARY KEY, order_line_id INTEGER NOT NULL REFERENCES "order lines" (id), returned_on DATE NOT NULL,
  reason TEXT NOT NULL, refund TEXT NOT NULL
);
CREATE TABLE support_tickets (
  id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id), opened_at DATETIME NOT NULL,
  closed_at DATETIME, priority TEXT NOT NULL, subject TEXT NOT NULL, rating INTEGER
);
CREATE TABLE web_sessions (
  id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id), started_at DATETIME NOT NULL,
  seconds INTEGER NOT NULL, device TEXT NOT NULL, pages INTEGER NOT NULL
);
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX lines_order ON "order lines" (order_id);
CREATE INDEX lines_product ON "order lines" (product_id);
CREATE INDEX returns_line ON returns (order_line_id);
"""

CITIES = {
    "Germany": "Berlin Hamburg Munich Cologne Leipzig",
    "France": "Paris Lyon Marseille Lille",
    "Spain": "Madrid Barcelona Valencia Seville",
    "Italy": "Rome Milan Turin Naples",
    "Poland": "Warsaw Kraków Gdańsk",
    "Netherlands": "Amsterdam Rotterdam Utrecht",
    "Sweden": "Stockholm Gothenburg Malmö",
    "Austria": "Vienna Graz Linz",
}
COUNTRY_WEIGHTS = (30, 20, 12, 11, 9, 8, 6, 4)
FIRST_NAMES = (
    "Anna Ben Carla David Elena Felix Greta Hugo Ines Jonas Karin Luca Marta Nils Olga Paul Rosa Simon Teresa Zoë"
)
LAST_NAMES = (
    "Almeida Bauer Costa Dubois Ekström Fischer García Hansen Ivanova Jansen Kowalska Lindner Moretti Novak Olsson "
    "Petit Rossi Schmidt Torres Ulrich Vogel Weber Wójcik Zimmer Ångström"
)
PLAIN_LETTERS = str.maketrans("ëöíóÅ", "eoioA")
PRODUCTS = {  # category -> typical price and names
    "Audio": (120, "Bookshelf Speaker,Headphones,Microphone,Radio,Record Player,Soundbar,Earbuds,Amplifier"),
    "Books": (22, "Atlas,Cookbook,Dictionary,Novel,Notebook,Picture Book,Travel Guide"),
    "Computers": (480, "Desktop,Keyboard,Laptop,Monitor,Mouse,Printer,Router,Tablet"),
    "Garden": (55, "Hedge Trimmer,Hose,Lawn Mower,Parasol,Planter,Rake,Watering Can"),
    "Kitchen": (70, "Blender,Coffee Grinder,Frying Pan,Kettle,Knife Set,Mixer,Toaster,Scale"),
    "Lighting": (45, "Ceiling Lamp,Desk Lamp,Floor Lamp,Lantern,LED Strip,Night Light,Spotlight"),
    "Sports": (85, "Bicycle Helmet,Dumbbells,Football,Running Shoes,Tennis Racket,Tent,Yoga Mat,Backpack"),
    "Toys": (30, "Board Game,Building Blocks,Doll House,Kite,Model Train,Puzzle,Teddy Bear"),
}
CARRIERS = {"Alpine Post": 4.5, "Green Courier": 1.6, "Northline": 3.2, "Swift Parcel": 2.2}  # typical days on the road
SEASON = (0.85, 0.8, 0.95, 1.0, 1.05, 0.95, 0.8, 0.75, 1.0, 1.05, 1.4, 1.6)
WEEKDAYS = (1.15, 1.1, 1.0, 1.0, 1.05, 0.85, 0.85)
REASONS = ("damaged", "wrong size", "arrived late", "not as described", "changed my mind")
SUBJECTS = ("Where is my order?", "Invoice is wrong", "Item arrived broken", "Cannot log in", "Change of address")

Row = tuple[Any, ...]


def create_sample(path: Path, *, today: date | None = None, seed: int = 7) -> None:
    """Write the sample shop to `path`, replacing what is there; the same `today` (UTC) and `seed` give the same data.

    The file appears complete or not at all.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        _write(Path(name), Shop(today or datetime.now(UTC).date(), Random(seed)))  # noqa: S311 - data to look at, no secret
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def _write(path: Path, shop: Shop) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # No journal is needed: a cut leaves a temporary file that nobody reads.
        connection.executescript("PRAGMA journal_mode = OFF; BEGIN;" + SCHEMA)
        for table, rows in shop.tables():
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f'INSERT INTO "{table}" VALUES ({marks})', rows)  # noqa: S608 - names from this module
        connection.execute("COMMIT")


@dataclass
class Shop:
    """Makes the rows, table by table, in an order in which each finds what it refers to."""

    today: date
    random: Random
    customers: list[Row] = field(default_factory=list)
    products: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        month = self.today.year * 12 + self.today.month - 1 - MONTHS
        self.start = date(month // 12, month % 12 + 1, 1)
        self.days = (self.today - self.start).days
        middle = self.start + timedelta(days=600)
        self.television = middle - timedelta(days=middle.weekday())  # the Monday of the outlier week

    def tables(self) -> Iterator[tuple[str, list[Row]]]:
        self.customers = self._customers()
        self.products = self._products()
        self.pick_customer = self._customer_picker()
        self.pick_product = self._product_picker()
        self.orders = list(self._orders())
        self.lines = list(self._lines())
        yield "customers", self.customers
        yield "categories", list(enumerate(PRODUCTS, 1))
        yield "products", [(*row[:4], f"{row[4]:%d/%m/%Y}") for row in self.products]
        yield "carriers", list(enumerate(CARRIERS, 1))
        yield "orders", self.orders
        yield "order lines", self.lines
        yield "returns", list(self._returns())
        yield "support_tickets", list(self._tickets())
        yield "web_sessions", list(self._sessions())

    def _customers(self) -> list[Row]:
        names = self.random.sample(list(product(FIRST_NAMES.split(), LAST_NAMES.split())), CUSTOMERS)
        first = self.start - timedelta(days=400)
        span = (self.today - first).days
        joined = sorted(first + timedelta(days=int(span * self.random.random() ** 1.3)) for _ in names)
        return [self._customer(id_, *name, day) for id_, (name, day) in enumerate(zip(names, joined, strict=True), 1)]

    def _customer(self, id_: int, first: str, last: str, joined: date) -> Row:
        country: str | None = self.random.choices(list(CITIES), COUNTRY_WEIGHTS)[0]
        city: str | None = self.random.choice(CITIES[str(country)].split())
        segment = self.random.choices(("Consumer", "Business", "Public sector"), (60, 30, 10))[0]
        email = f"{first}.{last}@example.com".translate(PLAIN_LETTERS).lower()
        if id_ % 40 == 9:
            country, city = None, None
        return id_, f"{first} {last}", email, country, city, None if id_ % 33 == 5 else segment, joined.isoformat()

    def _products(self) -> list[Row]:
        rows: list[Row] = []
        for category, (price, names) in enumerate(PRODUCTS.values(), 1):
            for name in names.split(","):
                launched = self.start + timedelta(days=int(self.random.uniform(-900, self.days * 0.6)))
                list_price = round(price * self.random.uniform(0.4, 2.2)) + 0.9
                rows.append((len(rows) + 1, name, category, list_price, launched))
        return rows

    def _customer_picker(self) -> Callable[[date], int]:
        """Return a function that draws the id of a customer who had joined by a day; a few buy far more than most."""
        joined = [row[6] for row in self.customers]
        weights = list(accumulate(self.random.paretovariate(1.6) for _ in self.customers))

        def pick(day: date) -> int:
            known = bisect_right(joined, day.isoformat())
            return bisect_right(weights, self.random.random() * weights[known - 1], hi=known - 1) + 1

        return pick

    def _product_picker(self) -> Callable[[str], Row]:
        by_launch = sorted(self.products, key=lambda row: row[4])
        launches = [row[4].isoformat() for row in by_launch]
        weights = list(accumulate(self.random.uniform(0.3, 2) for _ in by_launch))

        def pick(day: str) -> Row:
            known = bisect_right(launches, day)
            return by_launch[bisect_right(weights, self.random.random() * weights[known - 1], hi=known - 1)]

        return pick

    def _moments(self, per_day: float, surge: float) -> Iterator[datetime]:
        """Yield times of events that grow with the years, follow season and weekday, and surge in the outlier week."""
        for number in range(self.days + 1):
            day = self.start + timedelta(days=number)
            rate = per_day * (0.5 + number / self.days) * SEASON[day.month - 1] * WEEKDAYS[day.weekday()]
            if 0 <= (day - self.television).days < 7:
                rate *= surge
            count = int(max(0.0, self.random.gauss(rate, rate**0.5 / 2)) + self.random.random())
            seconds = sorted(int(self.random.triangular(0, 86_399, 64_800)) for _ in range(count))
            yield from (datetime.combine(day, time()) + timedelta(seconds=second) for second in seconds)

    def _orders(self) -> Iterator[Row]:
        for id_, ordered in enumerate(self._moments(5.5, surge=4), 1):
            customer = 99_001 if id_ in (1200, 4000) else self.pick_customer(ordered.date())  # the orphan keys
            channel = self.random.choices(("web", "app", "phone"), (60, 30 * id_ / 4000, 10))[0]
            yield id_, customer, str(ordered), *self._fulfilment(ordered), channel

    def _fulfilment(self, ordered: datetime) -> Row:
        """Return when it was shipped and delivered, by which carrier, and how the order stands today."""
        fate = self.random.random()
        if fate < 0.055:
            return None, None, None, "cancelled" if fate < 0.035 else "open" if fate < 0.045 else "paid"
        number, days = self.random.choice(list(enumerate(CARRIERS.values(), 1)))
        shipped = ordered + timedelta(seconds=int(self.random.uniform(0.2, 2.8) * 86_400))
        delivered = shipped + timedelta(seconds=int(days * self.random.lognormvariate(0, 0.35) * 86_400))
        if shipped.date() > self.today:
            return None, None, None, "paid" if fate < 0.7 else "open"
        if delivered.date() > self.today:
            return str(shipped), None, number, "shipped"
        return str(shipped), str(delivered), number, "delivered"

    def _lines(self) -> Iterator[Row]:
        id_ = 0
        for order, _, ordered, *_ in self.orders:
            years = (date.fromisoformat(ordered[:10]) - self.start).days / 365
            for _ in range(self.random.choices((1, 2, 3, 4, 5), (30, 30, 20, 12, 8))[0]):
                id_ += 1
                item = self.pick_product(ordered[:10])
                quantity = min(20, int(self.random.paretovariate(1.5)))
                discount = min(0.3, 0.05 * int(self.random.triangular(0, 3, 0) + quantity / 5))
                price = round(item[3] * (0.92 + 0.04 * int(years)), 2)
                missing = 99_002 if id_ == 7000 else item[0]
                yield id_, order, missing, quantity, price, round(discount, 2)

    def _returns(self) -> Iterator[Row]:
        delivered = {row[0]: row[4] for row in self.orders if row[4]}
        candidates = [line for line in self.lines if line[1] in delivered and self.random.random() < 0.05]
        id_ = 0
        for line, order, _, quantity, price, discount in candidates:
            day = date.fromisoformat(delivered[order][:10]) + timedelta(days=self.random.randint(2, 25))
            if day <= self.today:
                id_ += 1
                refund = f"€ {quantity * price * (1 - discount):,.2f}"
                yield id_, line, day.isoformat(), self.random.choice(REASONS), refund

    def _tickets(self) -> Iterator[Row]:
        for id_, opened in enumerate(self._moments(0.9, surge=3), 1):
            priority = self.random.choices(("low", "normal", "high"), (25, 60, 15))[0]
            hours = {"low": 60, "normal": 30, "high": 8}[priority] * self.random.lognormvariate(0, 0.6)
            closed = opened + timedelta(seconds=int(hours * 3600))
            done = closed.date() <= self.today and self.random.random() < 0.97
            rated = done and self.random.random() < 0.6
            rating = self.random.choices((1, 2, 3, 4, 5), (6, 9, 20, 35, 30))[0] if rated else None
            ticket = (priority, self.random.choice(SUBJECTS), rating)
            yield id_, self.pick_customer(opened.date()), str(opened), str(closed) if done else None, *ticket

    def _sessions(self) -> Iterator[Row]:
        for id_, started in enumerate(self._moments(8, surge=25), 1):
            customer = self.pick_customer(started.date()) if self.random.random() < 0.6 else None
            device = self.random.choices(("desktop", "phone", "tablet"), (45, 45, 10))[0]
            pages = min(40, int(self.random.paretovariate(0.9)))
            yield id_, customer, str(started), int(pages * self.random.uniform(8, 70)), device, pages
