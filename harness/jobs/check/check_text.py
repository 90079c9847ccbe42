# SPDX-License-Identifier: Apache-2.0
"""The answers of a check as text: one line a device, then all that is known about the bad ones."""

import textwrap
from collections.abc import Iterator
from itertools import zip_longest

from harness.jobs.check.answers import DeviceAnswer, DeviceState, KernelCheck

NAME_WIDTH, VERDICT_WIDTH, WIDTH = 12, 15, 86

NO_ORIGIN = (
    "unknown: the kernel traces no calls of the DMA API (it has trace events of them since 6.12, "
    "and kprobes with CONFIG_KPROBE_EVENTS), or the address came from elsewhere"
)

NOT_BUILT = """\
This kernel was built without restricted pools: it ignores a restricted-dma-pool node without a
word, and its devices use all memory. Set CONFIG_DMA_RESTRICTED_POOL=y and build it again."""


def check_text(check: KernelCheck) -> str:
    """The whole text."""
    return "\n".join(_lines(check))


def _lines(check: KernelCheck) -> Iterator[str]:
    yield f"{'kernel':{NAME_WIDTH}}{check.kernel}"
    yield f"{'machine':{NAME_WIDTH}}{check.machine}"
    for pool in check.pools:
        yield f"{'pool':{NAME_WIDTH}}{pool}"
    yield ""
    for answer in check.devices:
        state = answer.state.value
        yield f"{answer.device:{NAME_WIDTH}}{state:{VERDICT_WIDTH}}{answer.detail}".rstrip()
    for answer in check.devices:
        if answer.state not in (DeviceState.INSIDE, DeviceState.LACKING):
            yield ""
            yield from _details(answer)
    if not check.built:
        yield ""
        yield NOT_BUILT
    yield ""
    yield _result(check)


def _details(answer: DeviceAnswer) -> Iterator[str]:
    yield f"{answer.device}: {answer.state.value}"
    if escape := answer.escape:
        access = "accessed" if escape.first.access == "?" else escape.first.access
        who = f"{escape.first.device} (driver {answer.driver})"
        yield f"  refused     {who} {access} {escape.first.address:#x}, the first of {escape.count}"
        if origin := escape.origin:
            yield from _wrapped("mapped by", " <- ".join(f"{name}()" for name in origin.frames))
            yield f"  as          {origin.event}: {origin.size} bytes at {origin.base:#x}"
        else:
            yield from _wrapped("mapped by", NO_ORIGIN)
    else:
        yield from _wrapped("because", answer.detail)
    for line in answer.lines:
        yield f"  kernel      {line}"


def _wrapped(name: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(text, WIDTH) or [""]
    yield from (
        f"  {label:{NAME_WIDTH}}{line}" for label, line in zip_longest([name], lines, fillvalue="")
    )


def _result(check: KernelCheck) -> str:
    inside = check.count(DeviceState.INSIDE)
    outside = check.count(DeviceState.OUTSIDE)
    broken = check.count(DeviceState.BROKEN)
    unbound = check.count(DeviceState.UNBOUND)
    lacking = check.count(DeviceState.LACKING)
    return (
        f"result: {inside} inside, {outside} outside, {broken} broken, {unbound} not bound, "
        f"{lacking} without a driver; exit code {check.verdict.exit_code}"
    )
