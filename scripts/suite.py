# SPDX-License-Identifier: Apache-2.0
"""Run pytest, and end with 0, 1 or 2, as the README says: for scripts/run.

An option that pytest rejects, or a plugin that fails at the start, ends pytest before a plugin
could set the exit code. The harness is imported only afterwards: pytest rewrites its assertions.
"""

import os
import sys
import traceback

import pytest

NOT_JUDGED = 2
"""The exit code if the harness cannot be imported to tell it (harness/results/verdict.py)."""


def main() -> int:
    """Run pytest with the arguments of this program; return its exit code as one of ours."""
    try:
        code = pytest.main()
        sys.stdout.flush()
        from harness.results.verdict import known_exit_code  # noqa: PLC0415 - see above

        return known_exit_code(code)
    except BrokenPipeError:  # the interpreter flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception:
        traceback.print_exc()
    return NOT_JUDGED


if __name__ == "__main__":
    sys.exit(main())
