"""The site's settings, without the limits that keep one visitor from opening hundreds of streams."""

from agentsite.settings import *  # noqa: F403
from agentsite.settings import PROGRESS

PROGRESS |= {"OWNER_STREAMS": 10_000, "ADDRESS_STREAMS": 10_000}
