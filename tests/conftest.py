"""Fixtures for what runs beside the suite: each skips, saying why, where its program is missing."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import NoReturn

import pytest

from tests.clients.node import Node, installed_node
from tests.services import NotInstalled, postgres_server, program, redis_server


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of an empty PostgreSQL that the session shares."""
    yield from _shared(postgres_server())


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a Redis that the session shares."""
    yield from _shared(redis_server())


@pytest.fixture(scope="session")
def nginx_program() -> str:
    """The path of an installed nginx."""
    try:
        return program("nginx", "/usr/sbin/nginx")
    except NotInstalled as error:
        miss(error)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of an installed Chromium."""
    try:
        return program("chromium", "chromium-browser", "google-chrome")
    except NotInstalled as error:
        miss(error)


@pytest.fixture(scope="session")
def node() -> Node:
    """Node.js with the clients of tests/clients/package.json."""
    try:
        return installed_node()
    except NotInstalled as error:
        miss(error)


def _shared(server: AbstractContextManager[str]) -> Iterator[str]:
    with ExitStack() as stack:
        try:
            url = stack.enter_context(server)
        except NotInstalled as error:
            miss(error)
        yield url


def miss(error: NotInstalled) -> NoReturn:
    # CI sets REQUIRE_ALL: there, a test that quietly did not run would look like one that passed.
    if os.environ.get("REQUIRE_ALL"):
        pytest.fail(f"{error}, and REQUIRE_ALL is set")
    pytest.skip(str(error))
