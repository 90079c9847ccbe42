# SPDX-License-Identifier: Apache-2.0
"""Machines and running guests; take what you need from the module that holds it.

===============  ============================================================================
``machine``      the frozen description of a machine, and its QEMU command line
``virtio``       virtio devices that a machine has from the start
``placed``       where the kernel put its pools
``shape``        from words to a machine's devicetree and size
``snapshot``     boot a machine; park the booted guest; restore it for a test
``guest``        a running machine: monitor, console, agent
``agent``        requests to the guest's PID 1
``monitor``      QMP, with no event lost
``console``      the serial log, always drained
``outcome``      how a guest ends, and what its kernel reports
``watch``        the one condition that every wait waits on
``process``      QEMU, which dies with the harness
``rundir``       the private directory of a run, and the sweep of what was left
``artifacts``    what is kept of a failure
``description``  a machine as a file, to start it again
``layout``       how RAM is cut into blocks
``qemu``         the QEMU binary
``loop``         the event loop in its thread
===============  ============================================================================
"""
