# SPDX-License-Identifier: Apache-2.0
"""Whether a guest's CPUs have anything to run: the scheduler's run queues in its memory."""

import drgn
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.percpu import per_cpu

from harness.observe.memory.kernel import KernelTypes, kernel_reading


class RunQueues:
    """The run queue of each CPU (kernel/sched/core.c: ``runqueues``), found once."""

    def __init__(self, types: KernelTypes) -> None:
        with kernel_reading("the run queues"):
            program = types.program
            queues = program["runqueues"]
            self._queues: tuple[drgn.Object, ...] = tuple(
                per_cpu(queues, cpu) for cpu in for_each_online_cpu(program)
            )

    def switches_if_idle(self) -> tuple[int, ...] | None:
        """How often each CPU has switched tasks, if no task can run on any of them; else None.

        Two equal answers mean that nothing ran in between but interrupts.
        """
        with kernel_reading("the run queues"):
            if any(queue.nr_running.value_() for queue in self._queues):
                return None
            return tuple(queue.nr_switches.value_() for queue in self._queues)
