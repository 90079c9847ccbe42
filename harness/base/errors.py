# SPDX-License-Identifier: Apache-2.0
"""The exceptions of this package, and whose fault each of them means.

::

    HarnessError            the harness or this machine could not do its work: result ERROR, exit 2
    ├── HostError           this machine lacks something: a tool, a package, disk space
    │   └── ToolError       an external program failed for a reason other than its input
    ├── InputError          the user's input is wrong: an option, a path, a description
    │   ├── SourceError     a kernel source cannot be found or fetched
    │   ├── SeriesError     a patch does not apply
    │   ├── ConfigError     a wanted kernel option is not set after olddefconfig
    │   ├── BuildError      the kernel or a guest program does not compile
    │   ├── NotInKernel     the kernel lacks a symbol, type, member or file that a check reads
    │   ├── NoDebugInformation  the kernel has no types (DWARF), or no vmlinux: a test is SKIP
    │   └── DevicetreeError a devicetree does not compile, or describes an impossible pool
    ├── QemuError           QEMU did not start, refused a command, or crashed
    ├── AddressError        a guest address is not RAM, or the kernel's page tables do not map it
    ├── ProtocolError       a peer (QMP, qtest, agent) violated its protocol
    └── AgentError          the guest's agent could not carry out a request

    GuestError              the guest under test ended or failed: result CRASH or HANG
    ├── GuestCrash          it panicked, oopsed, was reset
    └── GuestHang           it was alive and did not answer in time

    AssertionError          the kernel under test violated a property: result FAIL
    └── PropertyViolated    the same with its violations (harness/base/violation.py)

Every message says in one paragraph what failed, why, and the command that helps.
"""


class HarnessError(Exception):
    """The harness or the host failed; says nothing about the kernel under test."""


class HostError(HarnessError):
    """This machine lacks something the harness needs; the message names the remedy."""


class ToolError(HostError):
    """An external program failed; carries its command line and the end of its output.

    *complaint* is that end alone.
    """

    def __init__(self, message: str, complaint: str = "") -> None:
        super().__init__(message)
        self.complaint = complaint or message


class InputError(HarnessError):
    """The user's input is wrong or impossible."""


class SourceError(InputError):
    """A kernel source cannot be found, fetched or unpacked."""


class SeriesError(InputError):
    """A patch does not apply; names the patch, the file and the hunk."""


class ConfigError(InputError):
    """A kernel option that is needed is not set; names it and a likely reason.

    *options* are the symbols of all that are missing, without ``CONFIG_``.
    """

    def __init__(self, message: str, options: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.options = options


class BuildError(InputError):
    """A compiler failed; carries its first error and the path of the whole log."""


class NotInKernel(InputError):
    """The kernel lacks a symbol, type or file that a check reads, so the check cannot judge it.

    *kind* is ``symbol``, ``constant``, ``type``, ``member`` or ``file``; the *name* of a member
    includes its type: ``struct io_tlb_mem.defpool``.
    """

    def __init__(self, what: str, kind: str, name: str) -> None:
        super().__init__(
            f"cannot read {what} of this kernel: it has no {kind} {name}. The kernel was "
            "changed, the harness does not know this version, or its configuration lacks an option"
        )
        self.kind, self.name = kind, name


class NoDebugInformation(InputError):
    """The kernel was given without the types of its memory, so that nobody can read them."""


class DevicetreeError(InputError):
    """A devicetree does not compile, or its pools cannot exist on the machine."""


class QemuError(HarnessError):
    """QEMU did not start, refused a command or ended by itself."""


class AddressError(HarnessError):
    """A guest address is not RAM of the machine, or the guest kernel does not map it."""


class ProtocolError(HarnessError):
    """A peer sent something that the protocol does not allow."""


class AgentError(HarnessError):
    """The guest's agent could not carry out a request; *errno* is the guest's."""

    def __init__(self, message: str, errno: int) -> None:
        super().__init__(message)
        self.errno = errno


class GuestError(Exception):
    """The guest under test ended or failed. Not a :class:`HarnessError`: it is a result.

    *properties* are the ids that this end violates, where who made the last call knows them; None
    stands for all properties of the test. *artifacts* is the directory of what was kept of a guest
    that ended before a test had it.
    """

    properties: tuple[str, ...] | None = None
    artifacts: str = ""


class GuestCrash(GuestError):
    """The guest panicked, oopsed or was reset."""


class GuestHang(GuestError):
    """The guest was running and did not answer before the deadline."""


def explain(error: BaseException) -> str:
    """Return the message of *error* and its notes, one per line."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])
