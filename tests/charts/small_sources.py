"""Three small sources that are no shop: flights between two columns of airports, a school with grades, films in one table."""

import sqlite3
from contextlib import closing
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from charts.plan import Plan, Understanding
from charts.planner import plan_question
from charts.profile import Profile
from charts.profiling import profile_source
from charts.sources.sqlite import SQLiteSource
from charts.sql import compile_plan

TODAY = date(2026, 11, 22)

FLIGHTS = """
CREATE TABLE airlines (code TEXT PRIMARY KEY, name TEXT NOT NULL, alliance TEXT);
CREATE TABLE flights (
  id INTEGER PRIMARY KEY, airline_code TEXT NOT NULL REFERENCES airlines (code), origin TEXT NOT NULL, destination TEXT NOT NULL,
  departed_at DATETIME NOT NULL, delay_minutes INTEGER, distance_km REAL NOT NULL, passengers INTEGER NOT NULL
);
"""
SCHOOL = """
CREATE TABLE teachers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, subject TEXT NOT NULL, salary REAL NOT NULL);
CREATE TABLE students (id INTEGER PRIMARY KEY, name TEXT NOT NULL, house TEXT NOT NULL, born_on DATE NOT NULL);
CREATE TABLE courses (
  id INTEGER PRIMARY KEY, title TEXT NOT NULL, teacher_id INTEGER REFERENCES teachers (id), level TEXT NOT NULL
);
CREATE TABLE exams (
  id INTEGER PRIMARY KEY, student_id INTEGER REFERENCES students (id), course_id INTEGER REFERENCES courses (id),
  taken_on DATE NOT NULL, points INTEGER NOT NULL
);
"""
FILMS = """
CREATE TABLE films (
  id INTEGER PRIMARY KEY, title TEXT, director TEXT, genre TEXT, studio TEXT, year INTEGER, budget REAL, rating REAL
);
"""
CITIES = ("Berlin", "Paris", "Rome", "Oslo", "Lisbon")


def _flights(connection: sqlite3.Connection, random: Random) -> None:
    names = ("Blue Wings", "Nordic Air", "Sunline", "Aerovia")
    airlines = [(f"A{i}", name, "Star" if i % 2 else "Oneworld") for i, name in enumerate(names)]
    connection.executemany("INSERT INTO airlines VALUES (?, ?, ?)", airlines)
    for _ in range(900):
        origin, destination = random.sample(CITIES, 2)
        day = date(2024, 1, 1) + timedelta(days=random.randrange(1000))
        values = (
            f"A{random.randrange(4)}",
            origin,
            destination,
            f"{day} 0{random.randrange(9)}:15:00",
            random.randrange(90),
        )
        connection.execute(
            "INSERT INTO flights (airline_code, origin, destination, departed_at, delay_minutes, distance_km, passengers) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, 300 + random.random() * 2000, 40 + random.randrange(200)),
        )  # fmt: skip


def _school(connection: sqlite3.Connection, random: Random) -> None:
    subjects = ("Maths", "History", "Music", "Physics")
    teachers = [(i, f"Teacher {chr(65 + i)}", subjects[i % 4], 3000 + 100.5 * i) for i in range(8)]
    connection.executemany("INSERT INTO teachers VALUES (?, ?, ?, ?)", teachers)
    houses = ("North", "South", "West")
    born = date(2008, 1, 1)
    students = [
        (i, f"Student {i:03}", random.choice(houses), str(born + timedelta(days=random.randrange(900))))
        for i in range(120)
    ]
    connection.executemany("INSERT INTO students VALUES (?, ?, ?, ?)", students)
    courses = [(i, f"{subjects[i % 4]} {i // 4 + 1}", i % 8, ("basic", "advanced")[i % 2]) for i in range(12)]
    connection.executemany("INSERT INTO courses VALUES (?, ?, ?, ?)", courses)
    first = date(2024, 1, 8)
    exams = [
        (
            random.randrange(120),
            random.randrange(12),
            str(first + timedelta(days=random.randrange(1000))),
            random.randrange(101),
        )
        for _ in range(1500)
    ]
    connection.executemany("INSERT INTO exams (student_id, course_id, taken_on, points) VALUES (?, ?, ?, ?)", exams)


def _films(connection: sqlite3.Connection, random: Random) -> None:
    genres, studios = ("Comedy", "Drama", "Horror", "Western"), ("Acorn", "Beacon", "Cobalt")
    films = [
        (f"Film {i:03}", f"Director {random.randrange(40)}", random.choice(genres), random.choice(studios),
         2000 + random.randrange(25), 1000.5 * random.randrange(1, 90), random.randrange(10, 100) / 10)
        for i in range(300)
    ]  # fmt: skip
    connection.executemany(
        "INSERT INTO films (title, director, genre, studio, year, budget, rating) VALUES (?, ?, ?, ?, ?, ?, ?)", films
    )


MAKERS = {"flights": (FLIGHTS, _flights), "school": (SCHOOL, _school), "films": (FILMS, _films)}


@cache
def source(name: str) -> SQLiteSource:
    path = Path(mkdtemp()) / f"{name}.sqlite"
    schema, fill = MAKERS[name]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema)
        fill(connection, Random(7))
        connection.commit()
    return SQLiteSource(path, slug=name)


@cache
def profile(name: str) -> Profile:
    return profile_source(source(name))


def understood(name: str, question: str) -> Plan:
    found = plan_question(question, profile(name), today=TODAY)
    assert isinstance(found, Understanding), found
    return found.plan


def rows(name: str, plan: Plan) -> list[tuple[object, ...]]:
    query = compile_plan(plan, profile(name))
    return [tuple(row) for row in source(name).execute(query.sql, query.columns, max_rows=50_000).rows]
