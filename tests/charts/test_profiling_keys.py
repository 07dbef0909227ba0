"""Foreign keys, declared and inferred."""

import sqlite3
from contextlib import closing

import pytest

from charts.profiling import build_profile
from charts.profiling.keys import comparable
from charts.sources.sqlite import SQLiteSource


@pytest.fixture
def keys(tmp_path):
    """Return the foreign keys found in what a script makes, as "table.column > table.column"."""

    def find(script):
        path = tmp_path / "keys.sqlite3"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
        found = build_profile(SQLiteSource(path, slug="keys")).foreign_keys
        return {f"{key.table}.{key.column} > {key.to_table}.{key.to_column}": key for key in found}

    return find


CUSTOMERS = "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO customers VALUES (1, 'A'), (2, 'B'), (3, 'C');"


def orders(column, *values):
    rows = ", ".join(f"({value})" for value in values)
    return f"CREATE TABLE orders ({column}); INSERT INTO orders VALUES {rows};"


def test_declared_keys_are_kept_with_their_orphans(keys):
    found = keys(CUSTOMERS + orders("buyer INTEGER REFERENCES customers", 1, 9, "NULL", 9))
    key = found["orders.buyer > customers.id"]
    assert (key.declared, key.orphans) == (True, 2)


@pytest.mark.parametrize(
    "column", ["customer_id", "customerId", "CustomerID", "cust_id", "billing_customer_id", "customer"]
)
def test_names_that_point(keys, column):
    found = keys(CUSTOMERS + orders(f"{column} INTEGER", 1, 1, 2))
    key = found[f"orders.{column} > customers.id"]
    assert (key.declared, key.orphans) == (False, 0)


@pytest.mark.parametrize("column", ["support_rep_id", "id", "name", "quantity", "account_id"])
def test_names_that_do_not_point(keys, column):
    assert keys(CUSTOMERS + orders(f"{column} INTEGER", 1, 1, 2)) == {}


def test_values_must_be_there(keys):
    assert keys(CUSTOMERS + orders("customer_id INTEGER", 1, 2, 9)) == {}


def test_one_in_a_hundred_may_be_lost(keys):
    found = keys(CUSTOMERS + orders("customer_id INTEGER", *[1] * 99, 9))
    assert found["orders.customer_id > customers.id"].orphans == 1


def test_empty_tables_are_told_by_their_names(keys):
    found = keys("CREATE TABLE customers (id INTEGER PRIMARY KEY); CREATE TABLE orders (customer_id INTEGER);")
    assert list(found) == ["orders.customer_id > customers.id"]


def test_a_key_of_another_stored_type(keys):
    assert "orders.customer_id > customers.id" in keys(CUSTOMERS + orders("customer_id TEXT", "'1'", "'2'"))


def test_the_same_name_points_to_where_it_is_at_home(keys):
    found = keys("""
        CREATE TABLE employee (emp_num INTEGER PRIMARY KEY, emp_name TEXT); INSERT INTO employee VALUES (1, 'A'), (2, 'B');
        CREATE TABLE professor (emp_num INTEGER, office TEXT); INSERT INTO professor VALUES (1, 'X'), (2, 'Y');
        CREATE TABLE class (prof_num INTEGER, emp_num INTEGER); INSERT INTO class VALUES (1, 1), (1, 1);""")
    assert set(found) == {"professor.emp_num > employee.emp_num", "class.emp_num > employee.emp_num"}


def test_text_keys_without_a_declared_primary_key(keys):
    found = keys("""
        CREATE TABLE state (state_name TEXT, area REAL); INSERT INTO state VALUES ('Texas', 1), ('Ohio', 2);
        CREATE TABLE city (city_name TEXT, state_name TEXT); INSERT INTO city VALUES ('Dallas', 'Texas'), ('Austin', 'Texas');""")
    assert set(found) == {"city.state_name > state.state_name"}


@pytest.mark.parametrize("column", ["parent_id", "manager_id", "previous_employee_id"])
def test_a_table_that_points_to_itself(keys, column):
    found = keys(
        f"""CREATE TABLE employees (id INTEGER PRIMARY KEY, {column} INTEGER);
        INSERT INTO employees VALUES (1, NULL), (2, 1), (3, 1);"""
    )
    assert set(found) == {f"employees.{column} > employees.id"}


def test_two_tables_do_not_point_at_each_other(keys):
    found = keys("""
        CREATE TABLE fare (fare_id INTEGER); INSERT INTO fare VALUES (1), (2);
        CREATE TABLE flight_fare (flight_id INTEGER, fare_id INTEGER); INSERT INTO flight_fare VALUES (7, 1), (8, 2);""")
    assert set(found) == {"flight_fare.fare_id > fare.fare_id"}


def test_nothing_points_to_a_view(keys):
    found = keys(CUSTOMERS + orders("customer_id INTEGER", 1) + "CREATE VIEW customer AS SELECT id FROM customers;")
    assert set(found) == {"orders.customer_id > customers.id"}


def test_odd_names(keys):
    found = keys("""
        CREATE TABLE "order ""lines" ("id" INTEGER PRIMARY KEY); INSERT INTO "order ""lines" VALUES (1), (2);
        CREATE TABLE "group" ("order line id" INTEGER); INSERT INTO "group" VALUES (1), (9), (1);
        CREATE TABLE "select" ("order-line ID" INTEGER); INSERT INTO "select" VALUES (1), (2), (1);""")
    assert set(found) == {'select.order-line ID > order "lines.id'}


@pytest.mark.parametrize(
    ("value", "key"),
    [("2", 2), ("2.0", 2), (2.0, 2), (2, 2), ("a", "a"), (2.5, 2.5), ("inf", float("inf")), (None, None)],
)
def test_comparable(value, key):
    assert comparable(value) == key
