"""Gives a fresh checkout its `.env`: run as `python -m agentsite.dotenv`, before Django's settings can be read."""

import os
import re
import secrets
import sys
from pathlib import Path


def complete(path: Path) -> bool:
    """Add a random SECRET_KEY and what a first run needs besides, unless a key is known; say whether it wrote."""
    text = path.read_text() if path.exists() else ""
    if os.environ.get("SECRET_KEY") or _assigned("SECRET_KEY", text):
        return False
    # The alphabet of token_urlsafe has no `$`, which django-environ would take for a reference to another variable.
    lines = [f"SECRET_KEY={secrets.token_urlsafe(50)}"]
    if not _assigned("ALLOW_ANONYMOUS", text):
        lines.append("ALLOW_ANONYMOUS=on")
    separator = "\n" if text and not text.endswith("\n") else ""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "w") as file:
        file.write(separator + "".join(line + "\n" for line in lines))
    return True


def _assigned(name: str, text: str) -> bool:
    return re.search(rf"^(export )?{name}=.", text, re.MULTILINE) is not None


if __name__ == "__main__":
    path = Path(__file__).resolve().parent.parent / ".env"
    try:
        complete(path)
    except OSError as error:
        sys.exit(
            f"Cannot write {path} ({error.strerror}): make the folder yours, or set SECRET_KEY in the environment."
        )
