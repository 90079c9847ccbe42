# SPDX-License-Identifier: Apache-2.0
"""From a KernelSpec to a Kernel: plan, look in the cache, else patch, configure and compile."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.cache.budget import wanted_size
from harness.base.errors import BuildError, InputError, SourceError
from harness.base.progress import say, step
from harness.base.space import GIB, require_space
from harness.kernel.build.compiler import DEFAULT, Compiler, compiler_named
from harness.kernel.build.fragment import Wanted, read_fragments
from harness.kernel.build.given import GivenBuild, find_build, given_kernel, given_tree
from harness.kernel.build.headers import headers_tree
from harness.kernel.build.image import IMAGES
from harness.kernel.build.kbuild_files import (
    BUILT_CONFIG,
    BUILT_STAMP,
    CONFIG_STAMP,
    RELEASE,
    WANTED_CONFIG,
)
from harness.kernel.build.kconfig import check_config, read_config, unmet
from harness.kernel.build.kept_modules import keep_built
from harness.kernel.build.make import Make, check_tools, warnings_in
from harness.kernel.build.module_tree import copy_module_tree
from harness.kernel.build.notes import keep_notes
from harness.kernel.build.objects import count_stale
from harness.kernel.build.packaged import PackagedKernel, find_packages, packaged_kernel
from harness.kernel.elf import build_id, open_elf
from harness.kernel.patches.apply import apply_series
from harness.kernel.patches.diff import Patch
from harness.kernel.patches.series import read_series
from harness.kernel.source.sources import Source, resolve_source, update_tree
from harness.kernel.source.tree import SourceTree
from harness.kernel.source.workspace import Workspace, open_workspace
from harness.kernel.spec import (
    CONFIG,
    IMAGE,
    MODULES,
    VMLINUX,
    Kernel,
    KernelRecord,
    KernelSpec,
    load_kernel,
)

FORMAT = "1"
"""Increase it when the same inputs shall be built differently than before."""

BUILD_SIZE = GIB
"""Bytes for a build directory and its share of ccache; Linux 6.12 takes 0.6 GiB."""

TARGETS = ("Image", "modules")
"""``modules`` also makes Module.symvers, which the probe is linked against."""

SOURCES = (".c", ".h", ".S", ".rst", ".txt")
"""Suffixes of files that Kconfig does not read, outside scripts/, where Kconfig is built."""

COUNTING = "GCOV_KERNEL"
"""The option that makes a kernel count which of its lines run."""


@dataclass(frozen=True)
class Plan:
    """All inputs of a kernel build; *key* is their hash. *spec* is what the user asked for."""

    source: Source
    patches: tuple[Patch, ...]
    wanted: Wanted
    compiler: Compiler
    spec: KernelSpec

    @property
    def title(self) -> str:
        """What messages call the kernel without its series."""
        return self.source.title

    @property
    def key(self) -> str:
        """The kernel's name in the cache."""
        series = "".join(patch.identity for patch in self.patches)
        configured = (self.wanted.text, self.compiler.banner, *self.wanted.variables)
        return digest(FORMAT, self.source.identity, series, *configured)

    @property
    def build_name(self) -> str:
        """The name of the build directory, which kernels of one configuration share."""
        compiler = () if self.compiler == DEFAULT else (self.compiler.name,)
        return digest(self.wanted.text, *self.wanted.variables, *compiler)[:12]


def plan_kernel(spec: KernelSpec) -> Plan:
    """Resolve *spec* to its present inputs, without building anything."""
    wanted_size()  # an invalid one is said before anything is downloaded
    check_tools()
    source = resolve_source(spec.source)
    wanted = read_fragments(spec.configuration, source.version)
    compiler = compiler_named(spec.compiler or wanted.compiler or DEFAULT.name)
    compiler.check()
    if COUNTING in wanted.options and compiler != DEFAULT:
        raise InputError(
            f"a kernel that counts its lines (CONFIG_{COUNTING}) is built with {DEFAULT.program}, "
            f"whose gcov reads what it counted: leave out --compiler={spec.compiler}"
        )
    return Plan(source, read_series(spec.series), wanted, compiler, spec)


def find_kernel(spec: KernelSpec) -> Plan | GivenBuild | PackagedKernel:
    """The present inputs of the kernel of *spec*, or the build that it names; builds nothing."""
    if spec.packaged:
        return find_packages(spec)
    return plan_kernel(spec) if spec.given is None else find_build(spec)


_last: dict[str, Plan] = {}
"""The plan of the last kernel that this process built or found, by the kernel's key."""


def plan_of(kernel: Kernel, spec: KernelSpec) -> Plan | GivenBuild | PackagedKernel:
    """The plan by which *kernel* was built for *spec*, or the build that it is a copy of.

    The source is not read again for the kernel that :func:`build_kernel` returned last. For others,
    raises SourceError if *spec* does not resolve to *kernel* any more.
    """
    plan = _last.get(kernel.key) or find_kernel(spec)
    if plan.key != kernel.key:
        raise SourceError(
            f"the source, series or configuration of kernel {kernel.key} has changed since it "
            "was built. Build the kernel again before its guest programs."
        )
    return plan


def build_kernel(spec: KernelSpec) -> Kernel:
    """Return the kernel that *spec* asks for, building it if the cache does not hold it intact.

    Raises SourceError, SeriesError, ConfigError, BuildError or InputError for wrong input,
    HostError if this machine lacks a tool or disk space.
    """
    if spec.packaged:
        return packaged_kernel(spec)
    if spec.given is not None:
        return given_kernel(spec)
    plan = plan_kernel(spec)
    _last.clear()
    _last[plan.key] = plan
    kernels, fill = Cache("kernels"), partial(_fill_entry, plan)
    entry = kernels.get(plan.key, fill)
    if missing := unmet(plan.wanted.options, read_config(entry / CONFIG)):
        say(f"cache: kernels/{plan.key} was built without {missing[0].line}; it is built again")
        kernels.remove(plan.key)
        entry = kernels.get(plan.key, fill)
    return load_kernel(entry)


def tree_for_modules(
    inputs: Plan | GivenBuild | PackagedKernel,
) -> AbstractContextManager[tuple[Workspace, Make]]:
    """A kernel's tree, in which modules can be built for the block; its workspace stays locked."""
    if isinstance(inputs, PackagedKernel):
        return headers_tree(inputs)
    return built_tree(inputs) if isinstance(inputs, Plan) else given_tree(inputs)


@contextmanager
def built_tree(plan: Plan) -> Iterator[tuple[Workspace, Make]]:
    """Build the kernel of *plan* in its workspace, which stays locked for the block."""
    with configured_tree(plan) as (workspace, make):
        _compile(plan, make)
        check_config(plan.wanted.options, make.output / BUILT_CONFIG, make.source)
        yield workspace, make


@contextmanager
def configured_tree(plan: Plan) -> Iterator[tuple[Workspace, Make]]:
    """Configure the kernel of *plan* in its workspace, which stays locked for the block."""
    with open_workspace(plan.source.workspace) as workspace:
        tree = workspace.tree
        update_tree(tree, plan.source)
        tree.patch(apply_series(plan.patches, tree.pristine))
        with workspace.build(plan.build_name) as output:
            require_space(output, BUILD_SIZE, "building a kernel")
            variables = plan.wanted.variables
            make = Make(tree.source, output, workspace.lock, variables, plan.compiler)
            make.log.unlink(missing_ok=True)
            _configure(plan, make, tree)
            yield workspace, make


def _configure(plan: Plan, make: Make, tree: SourceTree) -> None:
    """Write the configuration, unless it was written from the same inputs and checked."""
    stamp, config = make.output / CONFIG_STAMP, make.output / WANTED_CONFIG
    inputs = digest(plan.wanted.text, plan.compiler.banner, *_kconfig(tree))
    if config.is_file() and stamp.is_file() and stamp.read_text() == inputs:
        return
    stamp.unlink(missing_ok=True)
    config.unlink(missing_ok=True)
    (make.output / BUILT_CONFIG).unlink(missing_ok=True)
    wanted = make.output / "harness-wanted.config"
    wanted.write_text(plan.wanted.text)
    with step("configuring the kernel"):
        make.run(f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig")
    check_config(plan.wanted.options, config, make.source)
    stamp.write_text(inputs)


def _kconfig(tree: SourceTree) -> Iterator[str]:
    """Each file that may change the configuration: all but C and text.

    Kconfig files may have any name, and run scripts and makefiles. The pristine files of an
    archive are known by the archive only.
    """
    patched, files = tree.state.patched, tree.files
    if files is None:
        yield str(tree.state.pristine)
    for path, identity in sorted((files or {}).items()):
        if _configures(path) and path not in patched:
            yield f"{path} {identity}"
    for path in sorted(patched):
        if _configures(path):
            content = tree.current(path)
            yield f"{path} {content.identity if content else 'absent'}"


def _configures(path: str) -> bool:
    return path.startswith("scripts/") or not path.endswith(SOURCES)


def _compile(plan: Plan, make: Make) -> None:
    """Compile the kernel, unless it was the last one built in this directory."""
    stamp, built = make.output / BUILT_STAMP, make.output / BUILT_CONFIG
    if built.is_file() and stamp.is_file() and stamp.read_text() == plan.key:
        return
    stamp.unlink(missing_ok=True)
    number = len(plan.patches)
    series = f" with {number} patch{'es' if number > 1 else ''}" if number else ""
    with step(f"kernel {plan.source.title}{series}") as progress:
        if built.is_file():
            total = count_stale(make.output)
        else:
            make.run("prepare")
            total = make.count_objects(*TARGETS)
        make.run(*TARGETS, progress=progress, total=total)
    stamp.write_text(plan.key)


def _fill_entry(plan: Plan, directory: Path) -> None:
    begin = time.monotonic()
    with built_tree(plan) as (workspace, make):
        shutil.copy2(make.output / IMAGES[0], directory / IMAGE)
        shutil.copy2(make.output / VMLINUX, directory / VMLINUX)
        shutil.copy2(make.output / WANTED_CONFIG, directory / CONFIG)
        keep_built(make.output, directory / MODULES)
        if COUNTING in plan.wanted.options:
            keep_notes(make.output, workspace.tree, directory)
        warnings = warnings_in(make.log)
        release = (make.output / RELEASE).read_text().strip()
    record = KernelRecord(
        release=release,
        build_id=read_build_id(directory / VMLINUX),
        source=plan.source.title,
        series=tuple(patch.name for patch in plan.patches),
        compiler=plan.compiler.banner,
        titles=tuple(patch.subject or patch.name for patch in plan.patches),
        flavour=plan.spec.flavour,
        fragments=tuple(path.name for path in plan.spec.extra_fragments),
        warnings=warnings,
        seconds=round(time.monotonic() - begin, 1),
    )
    record.save(directory)


def write_build(kernel: Kernel, spec: KernelSpec, directory: Path) -> None:
    """Write *kernel*, built from the source of *spec*, to *directory*, which can then be given.

    Its tree is built again if another kernel was built in it since. Raises InputError for a kernel
    that was given itself.
    """
    plan = plan_of(kernel, spec)
    if not isinstance(plan, Plan):
        raise InputError(f"{plan.title} can be given as it is: --output is for kernels of a source")
    parent = directory.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{directory.name}.", dir=parent) as name:
        fresh = Path(name) / directory.name
        with built_tree(plan) as (workspace, make):
            copy_module_tree(workspace.tree.source, make.output, fresh)
            for part in (VMLINUX, IMAGES[0]):
                (fresh / part).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(make.output / part, fresh / part)
        fresh.rename(directory)


def read_build_id(vmlinux: Path) -> str:
    """Return the GNU build id of an ELF file in hexadecimal; BuildError if it has none."""
    with open_elf(vmlinux) as elf:
        if found := build_id(elf):
            return found.value.hex()
    raise BuildError(f"{vmlinux} has no build id. Link the kernel with --build-id")
