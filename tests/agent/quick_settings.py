"""The site's settings for a process in which a run that falls silent is ended soon."""

from agentsite.settings import *  # noqa: F403
from agentsite.settings import PROGRESS

PROGRESS |= {"IDLE_TIMEOUT": 2.0}
