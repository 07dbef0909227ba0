"""`{{ text|prose }}`: an answer's text as HTML that holds nothing but text."""

from __future__ import annotations

from django import template

from agentsite.prose import prose

register = template.Library()
register.filter("prose", prose)
