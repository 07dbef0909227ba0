"""Settings of the site; what differs between machines is read from the environment or `.env`.

`docs/settings.md` lists every variable. The defaults start a working site on one machine with no key, no network and no service.
"""

import os
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"  # everything the site writes: database, sample data, generated static files

env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "Set SECRET_KEY, in the environment or in .env (`make setup` writes one), or DEBUG=on to try the site."
        )
    SECRET_KEY = "django-insecure-only-for-debug"  # noqa: S105 - reached with DEBUG alone
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
ALLOW_ANONYMOUS = env.bool("ALLOW_ANONYMOUS", default=DEBUG)

INSTALLED_APPS = [
    "daphne",  # first: its runserver speaks ASGI
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "progress",
    "charts",
    "agentsite.agent",
    "agentsite",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "progress.middleware.outage_middleware",  # before all that need the database
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "progress.middleware.token_middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "agentsite.urls"
ASGI_APPLICATION = "agentsite.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE takes the write lock when a transaction begins: a read that turns into a write would else fail with
    # "database is locked" at once, whatever the timeout.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    # Tests need a file, as threads cannot share a database in memory; one per process, so that two suites may run at once.
    DATABASES["default"]["TEST"] = {"NAME": VAR_DIR / f"test-{os.getpid()}.sqlite3"}
else:
    # A process that freezes in the middle of a commit holds the rows of its runs; nobody could take them over.
    options = {
        "options": "-c idle_in_transaction_session_timeout=10s",
        "connect_timeout": 10,  # a server that is gone says nothing, and libpq would wait for two minutes
        **DATABASES["default"].get("OPTIONS", {}),
    }
    if DATABASE_POOL := env.int("DATABASE_POOL", default=0):
        # Lent for one call each; checked when lent, so that a restart of PostgreSQL is not felt. Without a limit psycopg would look
        # ever more rarely for a PostgreSQL that is away.
        DATABASES["default"] |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True, "DISABLE_SERVER_SIDE_CURSORS": True}
        options["pool"] = {"min_size": 1, "max_size": DATABASE_POOL, "timeout": 10, "reconnect_timeout": 5}
    DATABASES["default"]["OPTIONS"] = options
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TASKS = {"default": {"BACKEND": "progress.backends.asyncio.AsyncioBackend", "OPTIONS": {"concurrency": 16}}}
if env.bool("WORKERS", default=False):
    if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        raise ImproperlyConfigured(
            "WORKERS=on hands runs to worker processes through PostgreSQL: set DATABASE_URL=postgres://… or leave WORKERS off."
        )
    INSTALLED_APPS += ["procrastinate.contrib.django"]
    TASKS["default"]["BACKEND"] = "progress.backends.procrastinate.ProcrastinateBackend"
PROGRESS = {"ALLOW_ANONYMOUS": ALLOW_ANONYMOUS, "PARTS": ["charts.parts.charts_in"]}
# The keys of model providers stay in the environment (`.env` adds to it), where their own clients look for them.
AGENT = {"MODEL": env.str("AGENT_MODEL", default="offline"), "MODELS": env.list("AGENT_MODELS", default=[])}
CHANNEL_LAYERS: dict[str, Any] = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
if REDIS_URL := env.str("REDIS_URL", default=""):
    # Publish and subscribe: nothing is kept in Redis, which only carries wake-ups. The other layer of channels_redis keeps
    # queues, and forgets after a day that a process listens.
    CHANNEL_LAYERS["default"] = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL]},
    }

# Django tells nobody but ADMINS of what a page raised; with DEBUG it does.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "raised": {"()": "django.utils.log.CallbackFilter", "callback": lambda record: not DEBUG and record.exc_info}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["raised"]}},
    "loggers": {"django.request": {"handlers": ["stderr"]}},
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static", ("vendor", VAR_DIR / "vendor")]
STATIC_ROOT = VAR_DIR / "static"

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:", "blob:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "progress.problems.csrf_failure"
CSRF_COOKIE_SAMESITE = "Lax"
LOGIN_URL = "admin:login"

# HTTPS=on says that browsers come by https: the proxy in front ends TLS and sets X-Forwarded-Proto.
HTTPS = env.bool("HTTPS", default=False)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked by load balancers, without TLS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
# Subdomains and preload lists are for the owner of the domain to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
