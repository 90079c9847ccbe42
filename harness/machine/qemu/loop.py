# SPDX-License-Identifier: Apache-2.0
"""The process's one event loop, in a thread of its own, and a synchronous way into it.

Answers come through a SimpleQueue: a signal whose handler raises while the main thread waits
leaves no lock behind. A Future's would stay locked, and the loop would wait for it for good.
"""

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from typing import Any, TypeVar

from harness.base.errors import QemuError

T = TypeVar("T")

Answer = Callable[[], T]
"""Returns what a call returned, or raises what it raised."""


@functools.cache
def event_loop() -> asyncio.AbstractEventLoop:
    """Start the loop's thread at the first call; it lives as long as the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="harness-loop", daemon=True).start()
    return loop


def run(coroutine: Coroutine[Any, Any, T], what: str, timeout: float) -> T:
    """Run *coroutine* on the loop; raise QemuError when *what* takes over *timeout* seconds."""
    done: SimpleQueue[asyncio.Task[T]] = SimpleQueue()

    def start() -> asyncio.Task[T]:
        task = event_loop().create_task(asyncio.wait_for(coroutine, timeout))
        task.add_done_callback(done.put)
        return task

    task = call(start)
    done.get()
    try:
        return task.result()
    except TimeoutError:
        raise QemuError(f"waited {timeout:g} s for {what}; QEMU does not answer") from None


def call(function: Callable[[], T]) -> T:
    """Call *function* on the loop's thread and return its result."""
    answers: SimpleQueue[Answer[T]] = SimpleQueue()

    def answer() -> None:
        try:
            value = function()
        except BaseException as fault:
            answers.put(functools.partial(_raise, fault))
        else:
            answers.put(lambda: value)

    event_loop().call_soon_threadsafe(answer)
    return answers.get()()


def _raise(fault: BaseException) -> Any:
    raise fault
