"""`manage.py serve`: the door of `make run`."""

import socket
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from agentsite.settings import env

HOST = "127.0.0.1"


class Command(BaseCommand):
    """Make the site ready, then serve it with daphne on 127.0.0.1, static files included."""

    help = "Make the site ready, then serve it with daphne on 127.0.0.1 (PORT, else 8000), static files included."
    requires_system_checks = []  # checked once what they look for is made

    def handle(self, *args: Any, **options: Any) -> None:
        # Listening before anything else says at once that the port is taken, and keeps it until daphne takes over.
        with listen(port_of_environment()) as listener:
            call_command("setup_site", stdout=self.stdout, stderr=self.stderr)
            self.check(display_num_errors=True)
            connections.close_all()
            port = listener.getsockname()[1]
            self.serve(listener.detach(), port, verbosity=options["verbosity"])

    def serve(self, descriptor: int, port: int, *, verbosity: int) -> None:
        # Daphne installs Twisted's reactor when imported.
        from daphne.endpoints import build_endpoint_description_strings
        from daphne.server import Server
        from twisted.internet import reactor

        from agentsite.asgi import application
        from progress import drain

        reactor.callWhenRunning(drain.install)  # over Twisted's own handlers
        Server(
            application=application,
            endpoints=build_endpoint_description_strings(file_descriptor=descriptor),
            ready_callable=lambda: self.announce(port),
            verbosity=verbosity,
        ).run()

    def announce(self, port: int) -> None:
        self.stdout.write(f"Ready on http://{HOST}:{port} (Ctrl-C ends it)")
        self.stdout.flush()


def port_of_environment() -> int:
    """Read PORT from the environment or `.env`."""
    text = env.str("PORT", default="8000")
    if not text.isdecimal() or int(text) > 65535:
        raise CommandError(f"PORT={text} is not a port: give a number up to 65535, such as PORT=8001.")
    return int(text)


def listen(port: int) -> socket.socket:
    """Listen on the port of 127.0.0.1, or say which other to try."""
    try:
        return socket.create_server((HOST, port))
    except PermissionError:
        raise CommandError(
            f"Port {port} is for the system: use one from 1024 up, such as `make run PORT=8001`."
        ) from None
    except OSError:
        raise CommandError(
            f"Port {port} is taken: end what listens there, or use another: make run PORT={port + 1}"
        ) from None
