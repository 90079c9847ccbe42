# SPDX-License-Identifier: Apache-2.0
"""Debugger: stops of a target's machine, by function, by access, by condition."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from harness.base.errors import GuestError, HarnessError, InputError
from harness.base.hex_repr import hex_repr
from harness.machine.qemu.gdbstub import GdbStub, PointKind, StopReason
from harness.shell.target import Target

T = TypeVar("T")

SLICE = 0.05
"""Seconds between two looks at what a command in the guest has become."""

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "==": int.__eq__,
    "!=": int.__ne__,
    "<=": int.__le__,
    ">=": int.__ge__,
    "<": int.__lt__,
    ">": int.__gt__,
}

_COMPARISON = re.compile(r"(.+?)(==|!=|<=|>=|<|>)(.+)")


@hex_repr
@dataclass(frozen=True)
class Point:
    """A place where the machine stops: *text* is what the person typed.

    *address* is virtual, *size* in bytes, *condition* an expression that must hold, or empty.
    """

    number: int
    kind: PointKind
    address: int
    size: int
    text: str
    condition: str = ""


class Pending(Generic[T]):
    """A *call* into the guest on a thread of its own, so that a stop of the machine shows."""

    def __init__(self, what: str, call: Callable[[], T]) -> None:
        self.what = what
        self._call = call
        self._result: list[T] = []
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def done(self, timeout: float) -> bool:
        """Whether it has ended, after at most *timeout* seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def result(self) -> T:
        """Its result; raises what it raised."""
        if self._fault is not None:
            raise self._fault
        return self._result[0]

    def _run(self) -> None:
        try:
            self._result.append(self._call())
        except BaseException as fault:
            self._fault = fault


@dataclass
class Debugger:
    """Breakpoints and watchpoints of a *target*; connects to QEMU's gdb server with the first."""

    target: Target
    points: dict[int, Point] = field(default_factory=dict)
    cpu: int = 0
    pending: Pending[object] | None = None
    _stub: GdbStub | None = None
    _made: int = 0

    @property
    def armed(self) -> bool:
        """Whether the machine may stop by itself."""
        return bool(self.points)

    def add(
        self, kind: PointKind, address: int, size: int, text: str, condition: str = ""
    ) -> Point:
        """Add a stop; the machine goes on as before."""
        if condition:
            self._holds(condition)  # raises InputError for what is no condition
        self._made += 1
        point = Point(self._made, kind, address, size, text, condition)
        with self._halted() as stub:
            stub.insert(kind, address, size)
            self.points[point.number] = point
        return point

    def remove(self, number: int) -> Point:
        """Remove a stop; raises InputError if there is none of that number."""
        if number not in self.points:
            there = ", ".join(map(str, self.points)) or "none"
            raise InputError(f"no breakpoint or watchpoint {number}: there are {there}")
        point = self.points.pop(number)
        with self._halted() as stub:
            stub.remove(point.kind, point.address, point.size)
        if not self.points and not self.target.guest.machine.recorded:
            self.close()
        return point

    def step(self) -> StopReason:
        """Execute one instruction on the CPU that stopped last."""
        if self.target.is_running():
            raise InputError("the machine runs: 'stop' or a breakpoint stops it")
        return self._synced().step(self.cpu)

    def reverse(self, *, step: bool) -> Point | StopReason:
        """Go back by one instruction, or to the last breakpoint or watchpoint before.

        Raises InputError unless the machine plays a recording.
        """
        if self.target.guest.machine.recorded is None:
            raise InputError(
                "only a recording can go back: 'harness debug --record FAILURE' makes one"
            )
        self.target.guest.pause()
        reason = self._synced().reverse(step=step)
        self.cpu = self.target.cpu = reason.cpu
        return self._point_at(reason) or reason

    def resume(self) -> None:
        """Let the machine run; over a breakpoint at this instruction it goes by one step."""
        if self.target.is_running():
            return
        if self._stub is None:
            self.target.guest.resume()
            return
        stub = self._synced()
        stub.step(self.cpu)
        stub.resume()

    def stopped(self, timeout: float = 0.0) -> Point | StopReason | None:
        """What stopped the running machine, at most after *timeout* seconds; None if it runs.

        A stop whose condition does not hold lets the machine go on.
        """
        if self._stub is None or not self._stub.running:
            return None
        reason = self._stub.poll(timeout)
        if reason is None or self.target.is_running():  # it was resumed by QMP meanwhile
            self._stub.running = True
            return None
        self.cpu = self.target.cpu = reason.cpu
        point = self._point_at(reason)
        if point is not None and point.condition and not self._holds(point.condition):
            self.resume()
            return None
        return point or reason

    def call(self, what: str, call: Callable[[], T]) -> T | Point | StopReason:
        """Carry out *call* in the guest; ends early if the machine stops, and is then pending."""
        self.require_idle()
        if not self.armed:
            return call()
        self.pending = Pending[object](what, call)
        return self.wait()  # type: ignore[return-value] # what the pending call returns

    def wait(self) -> object:
        """The result of the pending call, or what stopped the machine before it ended."""
        while True:
            stop = self.stopped(SLICE)
            if stop is not None:
                return stop
            if self.pending is not None and self.pending.done(0):
                done, self.pending = self.pending, None
                return done.result()

    def require_idle(self) -> None:
        """Raise InputError if a call into the guest has not ended."""
        if self.pending is not None and not self.pending.done(0):
            raise InputError(
                f"the guest has not finished '{self.pending.what}': 'continue' lets it"
            )
        self.pending = None

    def close(self) -> None:
        """Remove all stops; the machine runs or stands still as before."""
        if self.target.guest.machine.recorded and self._stub is not None:
            with contextlib.suppress(GuestError, HarnessError):
                for number in list(self.points):
                    self.remove(number)
            self._stub.hang_up()
            self._stub = None
        self.points.clear()
        if self._stub is None:
            return
        with contextlib.suppress(GuestError, HarnessError):  # QEMU may be gone
            running = self._synced().running
            self._stub.close()
            if not running:
                self.target.guest.pause()
        self._stub = None

    @contextlib.contextmanager
    def _halted(self) -> Iterator[GdbStub]:
        """The stub with the machine stopped; it runs again afterwards if it ran."""
        running = self.target.is_running()
        stub = self._synced()
        if stub.running:
            self.cpu = stub.interrupt().cpu
        try:
            yield stub
        finally:
            if running:
                stub.resume()

    def _synced(self) -> GdbStub:
        """The stub, connected, which knows whether the machine runs."""
        if self._stub is None:
            self._stub = GdbStub(self.target.guest)
        else:
            self._stub.sync(running=self.target.is_running())
        return self._stub

    def _point_at(self, reason: StopReason) -> Point | None:
        if reason.watched is not None:
            watched = reason.watched
            inside = (p for p in self.points.values() if p.address <= watched < p.address + p.size)
            return next((p for p in inside if p.kind is not PointKind.EXECUTE), None)
        pc = self.target.resolver.address("$pc")
        here = (p for p in self.points.values() if p.kind is PointKind.EXECUTE and p.address == pc)
        return next(here, None)

    def _holds(self, condition: str) -> bool:
        found = _COMPARISON.fullmatch(condition)
        if found is None:
            raise InputError(
                f"{condition!r} is no condition: expected a comparison such as $x1 == pool:slot3"
            )
        left, right = (self.target.resolver.address(found[at].strip()) for at in (1, 3))
        return COMPARISONS[found[2]](left, right)
