"""The site as shipped, with the operations that these tests start; `CLIENTS_PROGRESS`, a JSON object, overrides PROGRESS."""

import json
import os

from agentsite.settings import *  # noqa: F403
from agentsite.settings import INSTALLED_APPS, PROGRESS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.clients"]
PROGRESS["PARTS"] = [*PROGRESS["PARTS"], "tests.clients.operations.parts"]
PROGRESS |= {"HEARTBEAT": 0.5, "OWNER_STREAMS": 50, "OWNER_RUNS": 50}
PROGRESS |= json.loads(os.environ.get("CLIENTS_PROGRESS", "{}"))
