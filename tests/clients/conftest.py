"""The site that the published clients talk to, and a token for it."""

import os
import subprocess
import sys

import pytest

from tests.services import ROOT, running_site


@pytest.fixture(scope="session", params=["daphne"])
def clients_site(request, tmp_path_factory, node):
    """A running site with the operations of these tests, and what a script of tests/clients needs to know of it."""
    folder = tmp_path_factory.mktemp("clients")
    own = {"DJANGO_SETTINGS_MODULE": "tests.clients.site_settings", "AGENT_MODEL": "offline"}
    database = f"sqlite:///{folder}/db.sqlite3"
    with running_site(database, server=request.param, **own) as site:
        yield site, {"SITE": site.address, "FOLDER": str(folder), "TOKEN": token(database, **own)}


def token(database, **own):
    """Make an API token for the site's admin."""
    environment = os.environ | {"DATABASE_URL": database, "SECRET_KEY": "x" * 60} | own
    command = [sys.executable, "manage.py", "create_token", "admin"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.strip()
