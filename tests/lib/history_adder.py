# SPDX-License-Identifier: Apache-2.0
"""A process that opens the history and adds runs, for tests to start several of, and to kill.

Arguments: a URL, the numbers of runs as FIRST and END, what their jobs begin with; and maybe the
beginning of a statement, before which the process kills itself as ``kill -9`` does.
"""

import os
import signal
import sys

from history_scene import run_on
from sqlalchemy import event
from sqlalchemy.engine import Engine

from harness.results.history import open_history


def main(url: str, first: str, end: str, job: str, last_words: str = "") -> None:
    """Say "ready", wait for a line, and print one for each run: its number, if it was new."""

    def watch(*arguments: object) -> None:
        if last_words and str(arguments[2]).strip().startswith(last_words):
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", watch)
    print("ready", flush=True)
    sys.stdin.readline()
    history = open_history(url)
    for number in range(int(first), int(end)):
        new = history.add(run_on(number), f"{job}{number}")
        print(number, new, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
