"""The site's settings for processes that faults are done to: waits are short, and the publishing operations are installed.

`FAULT_PROGRESS`, a JSON object in the environment, overrides PROGRESS further.
"""

import json
import os

from agentsite.settings import *  # noqa: F403
from agentsite.settings import DATABASES, INSTALLED_APPS, PROGRESS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults"]
PROGRESS |= {
    "HEARTBEAT": 0.5,
    "STREAM_MAX_AGE": 5.0,
    "POLL": 0.25,
    "CANCEL_GRACE": 1.0,
    "LEASE": 4.0,
    "LEASE_RENEW": 0.5,
    "SWEEP": 0.5,
    "QUEUE_TIMEOUT": 120.0,
}
if "options" in DATABASES["default"]["OPTIONS"]:
    DATABASES["default"]["OPTIONS"]["options"] = "-c idle_in_transaction_session_timeout=2s"
PROGRESS |= json.loads(os.environ.get("FAULT_PROGRESS", "{}"))
