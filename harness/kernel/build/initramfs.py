# SPDX-License-Identifier: Apache-2.0
"""The initial RAM file system of a guest: agent, busybox, the probe or modules of the kernel's."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
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
from harness.kernel.build.given import (
    GivenBuild,
    find_build,
    module_compiler,
    probe_inputs,
)
from harness.kernel.build.kbuild_files import VMLINUX
from harness.kernel.build.kconfig import read_config
from harness.kernel.build.module_checks import check_fits
from harness.kernel.build.modules import Module
from harness.kernel.build.packaged import PackagedKernel
from harness.kernel.build.probe import PROBE, build_probe
from harness.kernel.geometry import Geometry, read_geometry
from harness.kernel.spec import Kernel, KernelSpec

FORMAT = "3"
"""Increase it when the same inputs shall be packed differently than before."""

PROGRAM_FORMAT = "1"
"""The same for a program alone."""

FOLDERS = ("bin", "dev", "lib", "lib/modules", "proc", "root", "run", "sys", "tmp")
ORDER = "lib/modules/order"
"""The modules to load, a path in each line (guest/loader/loader.c)."""

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

    @property
    def geometry(self) -> Geometry:
        """The sizes of the kernel that the probe was built for."""
        return read_geometry(self.probe)


def build_initramfs(kernel: Kernel, spec: KernelSpec) -> Initramfs:
    """Return the guest programs packed for *kernel*, which ``build_kernel(spec)`` returned.

    To compile the probe, the kernel's build tree is restored first. Raises SourceError if
    *spec* no longer resolves to *kernel*, BuildError if a program does not compile,
    and what :func:`build_kernel` raises.
    """
    busybox = find_busybox()
    sources = list(_guest_sources("agent", "probe"))
    parts = (FORMAT, kernel.key, kernel.build_id, _made_with(kernel, spec), busybox.key)
    key = digest(*parts, *_names_and_files(sources))

    def fill(directory: Path) -> None:
        inputs = plan_of(kernel, spec)
        with step("guest programs"):
            probe = _build_probe(inputs, directory / PROBE)
            nodes = _layout(guest_program("agent"), busybox.read(), probe)
            (directory / "initramfs.cpio").write_bytes(cpio.pack(nodes))
            (directory / KERNEL).write_text(kernel.key)

    entry = Cache("initramfs").get(key, fill)
    return Initramfs(entry / "initramfs.cpio", key)


def _made_with(kernel: Kernel, spec: KernelSpec) -> str:
    """Inputs of the probe that the key of *kernel* does not cover, for a hash."""
    if spec.given is not None:
        return probe_inputs(find_build(spec))
    if spec.packaged:
        return module_compiler(read_config(kernel.config), spec).banner
    return ""  # the key of a kernel that is built here covers them


def build_plain_initramfs(kernel: Kernel, modules: Sequence[Module]) -> Initramfs:
    """Return the guest programs for *kernel* without the probe, with *modules* of the kernel's own.

    They are loaded in their order, before the agent starts. No tree of the kernel is needed. Raises
    BuildError if a program does not compile, and what :func:`find_busybox` raises.
    """
    busybox = find_busybox()
    own = [part for module in modules for part in (module.name, module.content)]
    programs = _names_and_files(list(_guest_sources("agent", "loader")))
    key = digest(FORMAT, kernel.key, DEFAULT.banner, busybox.key, *programs, *own)

    def fill(directory: Path) -> None:
        nodes = _plain_layout(
            guest_program("loader"), guest_program("agent"), busybox.read(), modules
        )
        (directory / "initramfs.cpio").write_bytes(cpio.pack(nodes))
        (directory / KERNEL).write_text(kernel.key)

    entry = Cache("initramfs").get(key, fill)
    return Initramfs(entry / "initramfs.cpio", key)


def _guest_sources(*parts: str) -> Iterator[Path]:
    for part in parts:
        yield from sorted(file for file in (CHECKOUT / "guest" / part).rglob("*") if file.is_file())


def _names_and_files(files: list[Path]) -> Iterator[str | Path]:
    for file in files:
        yield str(file.relative_to(CHECKOUT))
        yield file


def guest_program(name: str) -> bytes:
    """The program of guest/*name*; it is compiled once for all kernels.

    Raises BuildError if it does not compile.
    """
    sources = _names_and_files(list(_guest_sources(name)))
    key = digest(PROGRAM_FORMAT, DEFAULT.banner, *sources)

    def compile_it(directory: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            guest, out = Path(scratch) / "guest", Path(scratch) / "out"
            shutil.copytree(CHECKOUT / "guest", guest)
            out.mkdir()
            try:
                run_tool(("make", "-C", guest / name, f"CROSS_COMPILE={CROSS}", f"OUT={out}"))
            except ToolError as fault:
                raise BuildError(f"guest/{name} does not compile: {fault}") from fault
            _strip(out / "init", directory / "init")

    return (Cache("agents").get(key, compile_it) / "init").read_bytes()


def _build_probe(inputs: Plan | GivenBuild | PackagedKernel, whole: Path) -> bytes:
    """Return the probe for the guest; the module with debugging information goes to *whole*."""
    with tree_for_modules(inputs) as (workspace, make):
        shutil.copy2(build_probe(workspace, make), whole)
    if isinstance(inputs, GivenBuild) and inputs.types:
        check_fits(whole, inputs.directory / VMLINUX)
    with tempfile.TemporaryDirectory() as scratch:
        return _strip(whole, Path(scratch) / PROBE).read_bytes()


def _strip(binary: Path, target: Path) -> Path:
    """Write *binary* without its debugging information, which the guest does not need."""
    run_tool((f"{CROSS}strip", "--strip-debug", "-o", target, binary))
    return target


def _layout(agent: bytes, busybox: bytes, probe: bytes) -> Iterator[cpio.CpioFile]:
    yield from _base(busybox)
    yield cpio.program("init", agent)
    yield cpio.program("lib/modules/probe.ko", probe)


def _plain_layout(
    loader: bytes, agent: bytes, busybox: bytes, modules: Sequence[Module]
) -> Iterator[cpio.CpioFile]:
    paths = [f"lib/modules/{module.name}.ko" for module in modules]
    yield from _base(busybox)
    yield cpio.program("init", loader)
    yield cpio.program("bin/agent", agent)
    yield cpio.program(ORDER, "".join(f"/{path}\n" for path in paths).encode())
    for path, module in zip(paths, modules, strict=True):
        yield cpio.program(path, module.content)


def _base(busybox: bytes) -> Iterator[cpio.CpioFile]:
    yield from (cpio.directory(folder) for folder in FOLDERS)
    yield cpio.character_device("dev/console", *CONSOLE)
    yield cpio.program("bin/busybox", busybox)
