# SPDX-License-Identifier: Apache-2.0
"""Running guests: QEMU, its sockets, and what is kept of a guest that failed.

==============  =============================================================================
``snapshot``    boot a machine; park the booted guest; restore it for a test
``guest``       a running machine: monitor, console, agent
``process``     QEMU, which dies with the harness
``monitor``     QMP, with no event lost
``console``     the serial log, always drained, and the kernel reports in it
``agent``       requests to the guest's PID 1
``line``        the agent's serial line; ``frames`` are what travels on it
``qtest``       guest-physical memory and device registers, from outside
``fencing``     set up a fence, check it
``log``         a log file whose full disk ends the guest as a fault of the host
``watch``       the one condition that every wait waits on
``patience``    how long a guest is waited for, in its own time
``pulse``       a CPU that takes no interrupts any more
``placed``      where the kernel placed the pools that have no fixed address
``journal``     the last actions of drivers and devices, for the report of a failure
``artifacts``   keep the logs, the machine and the memory of a failed guest
``standalone``  the machine of a failure, to boot without this project
``ram``         the guest's RAM: files that QEMU and the harness share; save and load it
``rundir``      the private directory of a guest; remove those of killed runs
``runroot``     choose where run directories are made
``loop``        the event loop in its thread
==============  =============================================================================
"""
