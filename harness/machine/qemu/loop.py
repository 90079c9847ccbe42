# SPDX-License-Identifier: Apache-2.0
"""The process's one event loop, in a thread of its own, and a synchronous way into it."""

import asyncio
import concurrent.futures
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from harness.base.errors import QemuError

T = TypeVar("T")


@functools.cache
def event_loop() -> asyncio.AbstractEventLoop:
    """Start the loop's thread at the first call; it lives as long as the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="harness-loop", daemon=True).start()
    return loop


def run(coroutine: Coroutine[Any, Any, T], what: str, timeout: float) -> T:
    """Run *coroutine* on the loop; raise QemuError when *what* takes over *timeout* seconds."""
    future = asyncio.run_coroutine_threadsafe(coroutine, event_loop())
    try:
        return future.result(timeout)
    except concurrent.futures.TimeoutError:
        future.cancel()
        raise QemuError(f"waited {timeout:g} s for {what}; QEMU does not answer") from None


def call(function: Callable[[], T]) -> T:
    """Call *function* on the loop's thread and return its result."""

    async def wrapped() -> T:
        return function()

    return asyncio.run_coroutine_threadsafe(wrapped(), event_loop()).result()
