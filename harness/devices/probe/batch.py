# SPDX-License-Identifier: Apache-2.0
"""Many calls in one transfer, each with its own outcome."""

from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from harness.base.errors import InputError
from harness.devices.probe.calls import Call
from harness.devices.probe.session import ProbeSession
from harness.devices.probe.values import DmaError

T = TypeVar("T")


class Pending(Generic[T]):
    """The outcome of a call that its batch will make."""

    def __init__(self, call: Call[T]) -> None:
        self.call = call
        self._outcome: list[T | DmaError] = []

    @property
    def outcome(self) -> T | DmaError:
        """The result; a refusal of the kernel is a value."""
        if not self._outcome:
            raise InputError(f"{self.call} has no outcome: its batch was not made to the end")
        return self._outcome[0]

    @property
    def result(self) -> T:
        """The result; raises DmaError if the kernel refused."""
        outcome = self.outcome
        if isinstance(outcome, DmaError):
            raise outcome
        return outcome

    def settle(self, outcome: T | DmaError) -> None:
        """Take the outcome; for the batch."""
        self._outcome.append(outcome)


class Batch:
    """A ``with`` block that collects calls and makes them, in order, when it ends without error."""

    def __init__(self, session: ProbeSession) -> None:
        self._session = session
        self._pending: list[Pending[Any]] = []

    def add(self, call: Call[T]) -> Pending[T]:
        """Make *call* when the block ends."""
        pending = Pending(call)
        self._pending.append(pending)
        return pending

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            return
        outcomes = self._session.outcomes([pending.call for pending in self._pending])
        for pending, outcome in zip(self._pending, outcomes, strict=True):
            pending.settle(outcome)
