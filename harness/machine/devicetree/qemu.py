# SPDX-License-Identifier: Apache-2.0
"""The devicetree that QEMU generates for its machine."""

from collections.abc import Sequence
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.errors import QemuError, ToolError
from harness.base.tools import run_tool
from harness.machine.devicetree.tree import Tree

HOST_BRIDGE = "/pcie@10000000"
"""The node of the ``virt`` board's PCIe host bridge (QEMU, hw/arm/virt.c:create_pcie)."""

BLOB = "machine.dtb"
FORMAT = "not coherent"
"""How QEMU's blob is changed; a change of this text makes old entries of the cache invisible."""
RNG_SEED_SIZE = 32


def base_blob(qemu: Path, machine_args: Sequence[str]) -> bytes:
    """Return QEMU's own blob for a machine; cached by the QEMU binary and the arguments.

    *machine_args* are the options that shape the machine, for example ``-machine
    virt,gic-version=3 -cpu cortex-a57 -smp 1 -m 256``. The bytes are the same on every host
    with that QEMU. Raises QemuError when QEMU refuses the arguments.
    """
    about = qemu.stat()
    identity = f"{qemu.resolve()} {about.st_size} {about.st_mtime_ns}"
    key = digest(FORMAT, identity, *machine_args)
    entry = Cache("devicetrees").get(key, lambda path: _dump(qemu, machine_args, path / BLOB))
    return (entry / BLOB).read_bytes()


def _dump(qemu: Path, machine_args: Sequence[str], target: Path) -> None:
    bare = ["-nodefaults", "-display", "none"]
    try:
        run_tool([qemu, *bare, *machine_args, "-machine", f"dumpdtb={target}"])
    except ToolError as fault:
        raise QemuError(f"QEMU cannot write the devicetree of this machine: {fault}") from fault
    target.write_bytes(_normalised(target.read_bytes()))


def _normalised(blob: bytes) -> bytes:
    """Remove what differs from run to run and between versions, and QEMU's padding of almost 1 MiB.

    QEMU fills ``rng-seed`` at every reset (hw/arm/boot.c:arm_load_dtb, 7.2), so zeros are enough.
    It keeps a ``kaslr-seed``; without one the kernel is not relocated. Since 8.2 the root says
    ``dma-coherent`` (hw/arm/virt.c:create_fdt), which every device inherits that does not say
    otherwise (Linux, drivers/of/address.c:of_dma_is_coherent): no device would need an alias.
    """
    tree = Tree(blob)
    tree.root.remove("dma-coherent")
    chosen = tree.find("/chosen")
    if chosen is not None:
        chosen.remove("kaslr-seed")
        chosen.set_bytes("rng-seed", bytes(RNG_SEED_SIZE))
    return tree.blob()
