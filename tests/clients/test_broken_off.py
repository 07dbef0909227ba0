"""A server that ends: its native readers are sent away cleanly; a client that would take that for success is broken off."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.clients.conftest import token
from tests.clients.node import FOLDER
from tests.services import running_site

OWN = {"DJANGO_SETTINGS_MODULE": "tests.clients.site_settings", "AGENT_MODEL": "offline"}
# Runs get more time to finish than streams, so that it is the streams that end first.
ENVIRONMENT = {**OWN, "CLIENTS_PROGRESS": json.dumps({"DRAIN": 4.0})}
WORDS = {"operation": "test_words", "params": {"gate": "never"}, "stream": True}
BROKEN_OFF = (httpx.RemoteProtocolError, httpx.ReadError)


def read(client, name):
    """Read a stream to its end; say whether it was broken off."""
    body = b""
    try:
        with client.stream("POST", f"/api/runs?format={name}", json=WORDS) as response:
            for piece in response.iter_raw():
                body += piece
    except BROKEN_OFF:
        return body, True
    return body, False


@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_who_reads_while_the_server_ends(node, tmp_path, server):
    database = f"sqlite:///{tmp_path}/db.sqlite3"
    with running_site(database, server=server, **ENVIRONMENT) as site, ThreadPoolExecutor() as pool:
        secret = token(database, **OWN)
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=site.address, headers=headers, timeout=60) as client:
            readers = {name: pool.submit(read, client, name) for name in ("native", "ag-ui", "ai-sdk")}
            # It asks the server to end once both published clients read.
            pid = {"PID": str(site.process.pid), "SIGNAL": str(int(signal.SIGTERM))}
            found = node.run(FOLDER / "broken_off.mjs", SITE=site.address, TOKEN=secret, **pid)
            bodies = {name: reader.result(timeout=60) for name, reader in readers.items()}
        site.process.wait(timeout=60)
        errors = site.errors()
    assert {name: broken for name, (_body, broken) in bodies.items()} == {
        "native": False,
        "ag-ui": True,
        "ai-sdk": True,
    }
    assert all(b"word5" in body for body, _broken in bodies.values())
    assert b'"done"' not in bodies["native"][0]
    assert (found["ai_sdk"]["status"], found["ai_sdk"]["text"][:6]) == ("error", "word0 ")
    assert (found["ag_ui"]["failed"], found["ag_ui"]["text"][:6]) == (True, "word0 ")
    assert "Traceback" not in errors, errors
    assert "without completing response" not in errors
