# SPDX-License-Identifier: Apache-2.0
"""A kernel that is built already, ``build:DIR``: found, checked, and copied into the cache.

DIR is what the kernel's make leaves, in the source tree or in a directory of ``O=``, or what
``harness kernel build --output=DIR`` writes. Nothing in DIR is ever written to.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.disk import require_not_full
from harness.base.errors import BuildError, InputError, SourceError, ToolError
from harness.base.progress import step
from harness.kernel.build.build_checks import (
    MAKE,
    check_config,
    check_image,
    check_unchanged,
    checked_release,
    checked_vmlinux,
    complete,
)
from harness.kernel.build.compiler import Compiler, compiler_for, compiler_named, compiler_text
from harness.kernel.build.image import read_image
from harness.kernel.build.kbuild_files import EXPORTS, WANTED_CONFIG
from harness.kernel.build.kconfig import read_config
from harness.kernel.build.kept_modules import built_modules, keep_built
from harness.kernel.build.make import Make, check_tools
from harness.kernel.build.module_checks import (
    check_exports,
    check_loads_modules,
    check_module_parts,
    source_of,
)
from harness.kernel.build.module_tree import compile_tools, copy_module_tree, headers_in
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
"""Increase it when the same build shall be copied differently than before."""

KEY_FILES = (WANTED_CONFIG, EXPORTS)
"""A kernel without modules has no EXPORTS."""

COMPILER_OPTIONS = {"CC_HAS_MIN_FUNCTION_ALIGNMENT": "-fmin-function-alignment=4"}
"""Configuration options that say what the build's gcc could do, where kbuild has another way for a
gcc that cannot (Linux 6.12, Makefile; that option is new in gcc 14)."""


UNTRACED = "CC_FLAGS_FTRACE="
"""Builds a module that ftrace does not patch. A kernel with DYNAMIC_FTRACE_WITH_CALL_OPS has a BUG
when it loads one with a function that is not aligned to 8 bytes, as a gcc without COMPILER_OPTIONS
makes them (Linux 6.12, arch/arm64/kernel/ftrace.c:ftrace_call_adjust)."""


@dataclass(frozen=True)
class GivenBuild:
    """A kernel that is built already: the paths of its parts, and its identity.

    *image* may be compressed, *content* is a hash of what is in it. *build_id* is in hexadecimal.
    *compiler* is what it was built with, *types* whether vmlinux has DWARF. *spec* is what the
    user asked for.
    """

    directory: Path
    image: Path
    content: str
    release: str
    build_id: str
    compiler: str
    types: bool
    spec: KernelSpec

    patches = ()
    """No series can be applied to it."""

    @property
    def title(self) -> str:
        """What messages and results call it."""
        return f"build {self.directory}"

    @property
    def key(self) -> str:
        """The kernel's name in the cache, from its content and not its path."""
        parts = [path for path in map(self.directory.joinpath, KEY_FILES) if path.is_file()]
        stripped = () if self.types else ("no types",)
        modules = [part for path in self.modules for part in (str(path), self.directory / path)]
        return digest("given", FORMAT, self.build_id, self.content, *parts, *stripped, *modules)

    @property
    def modules(self) -> tuple[Path, ...]:
        """Its modules that a guest can use, relative to *directory*."""
        return built_modules(self.directory)


def find_build(spec: KernelSpec) -> GivenBuild:
    """Find and check the build that *spec* names.

    Raises InputError if it is incomplete, its parts do not belong together, or *spec* asks for
    changes to it.
    """
    assert spec.given is not None
    check_tools()
    check_unchanged(spec)
    if spec.compiler:
        compiler_named(spec.compiler)
    directory = spec.given.expanduser().absolute()
    image = complete(directory)
    vmlinux = checked_vmlinux(directory / VMLINUX)
    content = read_image(image)
    check_image(image, content, vmlinux)
    config = read_config(directory / WANTED_CONFIG)
    check_config(directory, config)
    release = checked_release(directory, image, content)
    return GivenBuild(
        directory,
        image,
        digest(content),
        release,
        vmlinux.build_id.hex(),
        compiler_text(config),
        vmlinux.types,
        spec,
    )


@dataclass(frozen=True)
class ModuleParts:
    """What modules for a build are made with.

    *source* is the tree that the kernel was built from, its directory if it was built there;
    *compiler* is one of this machine.
    """

    source: Path
    compiler: Compiler


def module_parts(build: GivenBuild) -> ModuleParts:
    """Find and check what modules for *build* are made with; InputError if that cannot be done."""
    directory = build.directory
    config = read_config(directory / WANTED_CONFIG)
    check_loads_modules(directory, config)
    check_module_parts(directory)
    source = source_of(directory)
    check_exports(directory)
    return ModuleParts(source, module_compiler(config, build.spec))


def probe_inputs(build: GivenBuild) -> str:
    """A hash of the compiler and of all headers that a module for *build* is made with.

    Raises what :func:`module_parts` does.
    """
    parts = module_parts(build)
    headers = headers_in(parts.source, build.directory)
    return digest(parts.compiler.banner, *(part for one in headers.items() for part in one))


def module_compiler(config: Mapping[str, str], spec: KernelSpec) -> Compiler:
    """The compiler that builds modules for the kernel of *spec*, which was built with *config*.

    Raises InputError if *spec* names gcc for a kernel that clang has built, or the other way.
    """
    closest = compiler_for(config)
    if not spec.compiler:
        return closest
    asked = compiler_named(spec.compiler)
    if asked.is_clang != closest.is_clang:
        raise InputError(
            f"{spec.source} was built with '{compiler_text(config) or closest.name}': "
            f"{spec.compiler} cannot build modules for it. Leave out --compiler, and check LLVM "
            "and CROSS_COMPILE in the environment."
        )
    return asked


def given_kernel(spec: KernelSpec) -> Kernel:
    """Return the kernel of *spec*, a build, as a cache entry; raises what :func:`find_build` does.

    Raises SourceError if the build changes while it is copied.
    """
    build = find_build(spec)
    key = build.key

    def fill(directory: Path) -> None:
        with step(f"copying kernel {build.release} from {build.directory}"):
            (directory / IMAGE).write_bytes(read_image(build.image))
            shutil.copyfile(build.directory / VMLINUX, directory / VMLINUX)
            shutil.copyfile(build.directory / WANTED_CONFIG, directory / CONFIG)
            _keep_modules(build.directory, directory / MODULES)
        if build.key != key or find_build(spec) != build:
            raise SourceError(f"{build.title} changed while it was copied. Run the command again.")
        KernelRecord(
            release=build.release,
            build_id=build.build_id,
            source=build.title,
            series=(),
            compiler=build.compiler,
            titles=(),
            flavour="",
            fragments=(),
            types=build.types,
        ).save(directory)

    return load_kernel(Cache("kernels").get(key, fill))


def _keep_modules(directory: Path, target: Path) -> None:
    """Keep the modules in *directory*; InputError if one is damaged."""
    try:
        keep_built(directory, target)
    except ToolError as fault:
        require_not_full("the modules of the kernel", [target], fault.complaint)
        raise InputError(
            f"a module of build:{directory} is damaged: {fault.complaint}. Run {MAKE} again."
        ) from fault


@contextmanager
def given_tree(build: GivenBuild) -> Iterator[tuple[Workspace, Make]]:
    """Copy the tree of *build* into a workspace, in which modules can be built for the block."""
    parts = module_parts(build)
    parts.compiler.check()
    with open_workspace(f"given-{build.key}") as workspace:
        tree = workspace.directory / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        _copy_headers(parts.source, build.directory, tree)
        advice = (
            f"\nThe headers are those of {build.directory} and of {parts.source}: if they changed "
            f"since the kernel was built, run {MAKE} again."
        )
        with make_in(workspace, tree, parts.compiler, build.title, build.compiler, advice) as make:
            yield workspace, make
        shutil.rmtree(tree)


def _copy_headers(source: Path, output: Path, tree: Path) -> None:
    """Copy what modules are built with; InputError if it cannot be read."""
    try:
        copy_module_tree(source, output, tree)
    except (PermissionError, FileNotFoundError, shutil.Error) as fault:
        require_not_full("the headers of the kernel", [tree], str(fault))
        reason = fault.args[0][0][2] if isinstance(fault.args[0], list) else fault
        raise InputError(
            f"the headers of the kernel, with which modules are built, cannot be copied: {reason}."
        ) from fault


@contextmanager
def make_in(
    workspace: Workspace,
    tree: Path,
    toolchain: Compiler,
    title: str,
    compiler: str,
    advice: str = "",
) -> Iterator[Make]:
    """Make the tools of a module *tree*, in which *toolchain* builds modules for the block.

    *title* and *compiler* are of the kernel, for the BuildError of a module that does not compile,
    which *advice* ends.
    """
    compile_tools(tree)
    variables = [
        f"CONFIG_{option}="
        for option, flag in COMPILER_OPTIONS.items()
        if not toolchain.accepts(flag)
    ]
    if variables:
        variables.append(UNTRACED)
    try:
        yield Make(tree, tree, workspace.lock, tuple(variables), toolchain)
    except BuildError as fault:
        raise BuildError(
            f"the probe module cannot be built against {title}, which was built with "
            f"'{compiler}', by this machine's '{toolchain.banner}': {fault}{advice}"
        ) from fault
