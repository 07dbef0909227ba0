"""Crash points: the process ends, or freezes, at the N-th step, without a line of it in what it executes.

A step is a moment right before or right after something becomes durable: a commit, or a statement that writes outside of a
transaction. Odd steps are before, even ones after.

    python -m tests.faults.crashing 7 -- manage.py serve
"""

import itertools
import os
import re
import runpy
import signal
import sys
import threading

CRASHED = 86  # exit code
_WRITES = re.compile(r"\s*(insert|update|delete)\b", re.IGNORECASE)


def arm(step: int, *, table: str = "", freeze: bool = False) -> None:
    """Let this process end at `step`, counted from now; with `freeze` it stops there instead, as by SIGSTOP.

    With `table`, only what writes to that table counts.
    """
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.signals import connection_created

    numbers, lock = itertools.count(1), threading.Lock()
    writing: set[object] = set()  # connections in a transaction that counts

    def cross() -> None:
        with lock:
            if next(numbers) == step:
                os.write(sys.stderr.fileno(), f"crash point {step}\n".encode())
                if freeze:
                    os.kill(os.getpid(), signal.SIGSTOP)
                else:
                    os._exit(CRASHED)

    def around_statement(execute, sql, params, many, context):
        connection = context["connection"]
        writes = _WRITES.match(sql) and table in sql
        if writes and connection.in_atomic_block:
            writing.add(connection)
        if not writes or connection.in_atomic_block:
            return execute(sql, params, many, context)
        cross()
        result = execute(sql, params, many, context)
        cross()
        return result

    def around_commit(connection):
        if table and connection not in writing:
            return commit(connection)
        writing.discard(connection)
        cross()
        result = commit(connection)
        cross()
        return result

    def watch(connection, **_):
        if around_statement not in connection.execute_wrappers:
            connection.execute_wrappers.append(around_statement)

    commit = BaseDatabaseWrapper._commit
    BaseDatabaseWrapper._commit = around_commit
    connection_created.connect(watch, weak=False)


def main() -> None:
    step, separator, *command = sys.argv[1:]
    if separator != "--" or not command:
        raise SystemExit("Use: python -m tests.faults.crashing STEP -- manage.py COMMAND")
    arm(int(step))
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main()
