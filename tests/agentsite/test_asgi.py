"""What stands around Django in the ASGI application."""

import http.client

import pytest

from tests.services import site_server


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with site_server(f"sqlite:///{tmp_path_factory.mktemp('site')}/db.sqlite3") as address:
        yield int(address.rpartition(":")[2])


def status(port, method, path):
    # Not httpx, which tidies a path up before it sends it.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/static/../agentsite/settings.py",
        "/static/..%2f..%2fvar/db.sqlite3",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static/no.css",
    ],
)
def test_nothing_is_served_from_outside_the_static_files(port, path):
    assert status(port, "GET", path) == 404


def test_static_files_are_only_read(port):
    assert status(port, "GET", "/static/site/site.css") == 200
    assert status(port, "PUT", "/static/site/site.css") == 405


def test_health(port):
    assert status(port, "GET", "/healthz") == 200
    assert status(port, "GET", "/readyz") == 200
