# SPDX-License-Identifier: Apache-2.0
"""The initial RAM file system of a guest: agent, busybox, and the probe module for one kernel."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.base.architecture import CROSS
from harness.base.cache import Cache, digest
from harness.base.cache.layout import KERNEL
from harness.base.errors import BuildError, ToolError
from harness.base.paths import CHECKOUT
from harness.base.progress import step
from harness.base.tools import run_tool
from harness.kernel.build import cpio
from harness.kernel.build.build import Plan, plan_of, tree_for_modules
from harness.kernel.build.busybox import find_busybox
from harness.kernel.build.compiler import DEFAULT
from harness.kernel.build.given import GivenBuild, module_compiler
from harness.kernel.build.kconfig import read_config
from harness.kernel.build.probe import PROBE, build_probe
from harness.kernel.spec import Kernel, KernelSpec

FORMAT = "3"
"""Increase it when the same inputs shall be packed differently than before."""

AGENT_FORMAT = "1"
"""The same for the agent alone."""

FOLDERS = ("bin", "dev", "lib", "lib/modules", "proc", "root", "run", "sys", "tmp")
CONSOLE = (5, 1)
"""/dev/console (Linux, Documentation/admin-guide/devices.txt), open before devtmpfs is mounted."""


@dataclass(frozen=True)
class Initramfs:
    """An uncompressed cpio archive for QEMU's ``-initrd``, verified when read from the cache."""

    path: Path
    key: str

    @property
    def probe(self) -> Path:
        """The probe module with debugging information, which the archive's copy lacks."""
        return self.path.with_name(PROBE)


def build_initramfs(kernel: Kernel, spec: KernelSpec) -> Initramfs:
    """Return the guest programs packed for *kernel*, which ``build_kernel(spec)`` returned.

    To compile the probe, the kernel's build tree is restored first. Raises SourceError if
    *spec* no longer resolves to *kernel*, BuildError if a program does not compile,
    and what :func:`build_kernel` raises.
    """
    busybox = find_busybox()
    sources = list(_guest_sources())
    # a kernel that is built here has its compiler in its key
    compiler = module_compiler(read_config(kernel.config), spec).banner if spec.given else ""
    parts = (FORMAT, kernel.key, kernel.build_id, compiler, busybox.key)
    key = digest(*parts, *_names_and_files(sources))

    def fill(directory: Path) -> None:
        inputs = plan_of(kernel, spec)
        with step("guest programs"):
            probe = _build_probe(inputs, directory / PROBE)
            nodes = _layout(_build_agent(), busybox.read(), probe)
            (directory / "initramfs.cpio").write_bytes(cpio.pack(nodes))
            (directory / KERNEL).write_text(kernel.key)

    entry = Cache("initramfs").get(key, fill)
    return Initramfs(entry / "initramfs.cpio", key)


def _guest_sources() -> Iterator[Path]:
    for part in ("agent", "probe"):
        yield from sorted(file for file in (CHECKOUT / "guest" / part).rglob("*") if file.is_file())


def _names_and_files(files: list[Path]) -> Iterator[str | Path]:
    for file in files:
        yield str(file.relative_to(CHECKOUT))
        yield file


def _build_agent() -> bytes:
    """The agent; it is compiled once for all kernels."""
    sources = sorted(file for file in (CHECKOUT / "guest/agent").rglob("*") if file.is_file())
    key = digest(AGENT_FORMAT, DEFAULT.banner, *_names_and_files(sources))
    return (Cache("agents").get(key, _compile_agent) / "init").read_bytes()


def _compile_agent(directory: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        guest, out = Path(scratch) / "guest", Path(scratch) / "out"
        shutil.copytree(CHECKOUT / "guest", guest)
        out.mkdir()
        try:
            run_tool(("make", "-C", guest / "agent", f"CROSS_COMPILE={CROSS}", f"OUT={out}"))
        except ToolError as fault:
            raise BuildError(f"guest/agent does not compile: {fault}") from fault
        _strip(out / "init", directory / "init")


def _build_probe(inputs: Plan | GivenBuild, whole: Path) -> bytes:
    """Return the probe for the guest; the module with debugging information goes to *whole*."""
    with tree_for_modules(inputs) as (workspace, make):
        shutil.copy2(build_probe(workspace, make), whole)
    with tempfile.TemporaryDirectory() as scratch:
        return _strip(whole, Path(scratch) / PROBE).read_bytes()


def _strip(binary: Path, target: Path) -> Path:
    """Write *binary* without its debugging information, which the guest does not need."""
    run_tool((f"{CROSS}strip", "--strip-debug", "-o", target, binary))
    return target


def _layout(agent: bytes, busybox: bytes, probe: bytes) -> Iterator[cpio.CpioFile]:
    yield from (cpio.directory(folder) for folder in FOLDERS)
    yield cpio.character_device("dev/console", *CONSOLE)
    yield cpio.program("init", agent)
    yield cpio.program("lib/modules/probe.ko", probe)
    yield cpio.program("bin/busybox", busybox)
