"""The site's settings for the test suite, in which nothing comes from the machine's environment or `.env`."""

import os
from pathlib import Path

_VAR_DIR = Path(__file__).resolve().parent.parent / "var"
_VAR_DIR.mkdir(exist_ok=True)

# A variable of the environment wins over `.env`, so that every one that `.env` may hold is set here.
os.environ.update(
    SECRET_KEY="only-for-tests-" + "0123456789abcdef" * 3,
    DEBUG="off",
    ALLOW_ANONYMOUS="off",
    HTTPS="off",
    AGENT_MODEL="offline",
    AGENT_MODELS="",
    REDIS_URL="",
    WORKERS="off",
    DATABASE_POOL="0",
    ALLOWED_HOSTS="127.0.0.1,localhost,testserver",
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL", f"sqlite:///{_VAR_DIR / 'tests.sqlite3'}"),
)

from agentsite.settings import *  # noqa: E402, F403
