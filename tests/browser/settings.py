"""The site as shipped, with one operation more that the tests can slow down and make fail."""

from agentsite.settings import *  # noqa: F403
from agentsite.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.browser.rehearsal"]
