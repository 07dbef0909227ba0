"""The site's settings for processes that are put under load.

`LOAD_PROGRESS`, a JSON object in the environment, overrides PROGRESS.
"""

import json
import os

from agentsite.settings import *  # noqa: F403
from agentsite.settings import INSTALLED_APPS, PROGRESS, TASKS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.load"]
ROOT_URLCONF = "tests.load.urls"
TASKS["default"].setdefault("OPTIONS", {})["concurrency"] = int(os.environ.get("LOAD_CONCURRENCY", "16"))
PROGRESS |= {
    "SWEEP": 0.5,
    "OWNER_RUNS": 1_000,
    "ADDRESS_RUNS": 1_000,
    "OWNER_STREAMS": 10_000,
    "ADDRESS_STREAMS": 10_000,
}
PROGRESS |= json.loads(os.environ.get("LOAD_PROGRESS", "{}"))
