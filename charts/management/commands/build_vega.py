from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

EXPORTS = "export {vegaEmbed};"


class Command(BaseCommand):
    help = "Build the browser's chart library out of the installed vl-convert package, into var/vendor/vega.js."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--force", action="store_true", help="build it even if it is up to date")

    def handle(self, *args: Any, force: bool = False, **options: Any) -> None:
        folder = Path(settings.VAR_DIR) / "vendor"
        script, stamp = folder / "vega.js", folder / "vega.stamp"
        wanted = f"vl-convert-python {version('vl-convert-python')} {EXPORTS}\n"
        if not force and script.is_file() and stamp.is_file() and stamp.read_text() == wanted:
            self.stdout.write(f"{script} is up to date.")
            return
        folder.mkdir(parents=True, exist_ok=True)
        write_bundle(script)
        stamp.write_text(wanted)
        self.stdout.write(f"Wrote {script} ({script.stat().st_size / 1000:.0f} kB).")


def write_bundle(script: Path) -> None:
    """Write an ES module that exports vegaEmbed, complete or not at all."""
    import vl_convert

    unfinished = script.with_suffix(".tmp")
    unfinished.write_text(vl_convert.javascript_bundle(EXPORTS), encoding="utf-8")
    unfinished.replace(script)
