"""Run the suite, as `make test` does: two parts side by side, as both mostly wait for servers.

The browser's tests need a process of their own: Playwright leaves an event loop in it. What is run aside is printed at the end.
"""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

ASIDE = (["tests/browser", "-m", "browser"], ["tests/faults"])
REST = ["--ignore=tests/browser", "--ignore=tests/faults"]


def run(arguments, **options):
    """Run pytest in a process of its own and return its exit code."""
    return subprocess.call([sys.executable, "-m", "pytest", *arguments], **options)


def main():
    """Return 0 where all tests passed. Ctrl-C reaches both parts, which are in the terminal's foreground."""
    log = Path("var/tests-run-aside.log")
    log.parent.mkdir(exist_ok=True)
    codes = []

    def run_aside():
        with log.open("w") as output:
            for arguments in ASIDE:
                codes.append(run(arguments, stdout=output, stderr=subprocess.STDOUT))
                if codes[-1] == pytest.ExitCode.INTERRUPTED:
                    return

    aside = threading.Thread(target=run_aside)
    aside.start()
    codes.append(run(REST))
    aside.join()
    print(log.read_text())
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
