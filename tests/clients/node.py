"""Node.js with the published clients of tests/clients/package.json: `ai` and `@ag-ui/client`, locked.

A test asks for the fixture `node` (tests/conftest.py) and runs a script, which prints one JSON value last:

    def test_something(node, site):
        found = node.run(ROOT / "tests/clients/ai_sdk.mjs", "success", SITE=site)  # a file
        found = node.run("import { Chat } from '…'; console.log(JSON.stringify(1))")  # or its text, such as an example of the docs

Both may import the packages by their names. What a script writes to stderr is shown where it fails.
"""

import fcntl
import hashlib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services import ROOT, NotInstalled, program

FOLDER = ROOT / "tests" / "clients"
OLDEST = 20  # Node.js on which the clients were seen to work


@dataclass(frozen=True)
class Node:
    """An installed Node.js, and the clients beside it."""

    path: str

    def run(self, script: Path | str, *arguments: str, timeout: float = 60, **environment: str) -> Any:
        """Run a script, a file or the text of one, and return the JSON that it prints last."""
        # The flag gives Node.js 20 the WebSocket that later ones have; a text is read as if it stood in FOLDER.
        command = [self.path, "--experimental-websocket", "--no-warnings"]
        command += [str(script)] if isinstance(script, Path) else ["--input-type=module", "-"]
        done = subprocess.run(
            [*command, *arguments],
            cwd=FOLDER,
            env=os.environ | environment,
            input=None if isinstance(script, Path) else script,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
        return json.loads(done.stdout.rstrip("\n").split("\n")[-1])


def installed_node() -> Node:
    """Return Node.js with the locked clients, which are installed where they are missing. Raises NotInstalled."""
    path, npm = program("node", "nodejs"), program("npm")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(re.findall(r"\d+", version)[0]) < OLDEST:
        raise NotInstalled(f"Node.js {OLDEST} or newer is not installed, but {version}")
    (ROOT / "var").mkdir(exist_ok=True)
    with (ROOT / "var" / "clients.lock").open("w") as lock:  # two suites may run at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(npm)
    return Node(path)


def _install(npm: str) -> None:
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / "node_modules" / ".installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    done = subprocess.run([npm, "ci", "--ignore-scripts"], cwd=FOLDER, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise NotInstalled(f"tests/clients/node_modules is not installed: {done.stderr.strip()[-500:]}")
    stamp.write_text(wanted)
