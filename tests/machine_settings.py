"""The site's settings for processes that tests start and end in numbers."""

from bench.settings import *  # noqa: F403
from bench.settings import PROGRESS

PROGRESS |= {"DRAIN": 4.0, "SWEEP": 1.0}
