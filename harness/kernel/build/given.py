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
from harness.base.errors import BuildError, InputError, SourceError
from harness.base.progress import step
from harness.kernel.build.build_checks import (
    check_config,
    check_headers,
    check_image,
    check_unchanged,
    checked_vmlinux,
    complete,
    source_of,
)
from harness.kernel.build.compiler import Compiler, compiler_for, compiler_named, compiler_text
from harness.kernel.build.image import read_image
from harness.kernel.build.kbuild_files import EXPORTS, RELEASE, WANTED_CONFIG
from harness.kernel.build.kconfig import read_config
from harness.kernel.build.kept_modules import built_modules, keep_built
from harness.kernel.build.make import Make, check_tools
from harness.kernel.build.module_tree import compile_tools, copy_module_tree
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

    *source* is the tree that it was built from, *directory* if it was built there. *image* may be
    compressed, *content* is a hash of what is in it. *build_id* is in hexadecimal. *compiler* is
    what it was built with, *toolchain* what builds modules for it here, *types* whether vmlinux has
    DWARF.
    """

    directory: Path
    image: Path
    source: Path
    content: str
    release: str
    build_id: str
    compiler: str
    toolchain: Compiler
    types: bool

    patches = ()
    """No series can be applied to it."""

    @property
    def title(self) -> str:
        """What messages and results call it."""
        return f"build {self.directory}"

    @property
    def key(self) -> str:
        """The kernel's name in the cache, from its content and not its path."""
        parts = (self.directory / WANTED_CONFIG, self.directory / EXPORTS)
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
    directory = spec.given.expanduser().absolute()
    image = complete(directory)
    source = source_of(directory)
    build_id, types = checked_vmlinux(directory)
    content = read_image(image)
    check_image(directory, image, content, build_id)
    config = read_config(directory / WANTED_CONFIG)
    check_config(directory, config)
    release = (directory / RELEASE).read_text().strip()
    check_headers(directory, image, content, release)
    return GivenBuild(
        directory,
        image,
        source,
        digest(content),
        release,
        build_id.hex(),
        compiler_text(config),
        module_compiler(config, spec),
        types,
    )


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
            keep_built(build.directory, directory / MODULES)
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


@contextmanager
def given_tree(build: GivenBuild) -> Iterator[tuple[Workspace, Make]]:
    """Copy the tree of *build* into a workspace, in which modules can be built for the block."""
    build.toolchain.check()
    with open_workspace(f"given-{build.key}") as workspace:
        tree = workspace.directory / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        copy_module_tree(build.source, build.directory, tree)
        with make_in(workspace, tree, build.toolchain, build.title, build.compiler) as make:
            yield workspace, make
        shutil.rmtree(tree)


@contextmanager
def make_in(
    workspace: Workspace, tree: Path, toolchain: Compiler, title: str, compiler: str
) -> Iterator[Make]:
    """Make the tools of a module *tree*, in which *toolchain* builds modules for the block.

    *title* and *compiler* are of the kernel, for the BuildError of a module that does not compile.
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
            f"'{compiler}', by this machine's '{toolchain.banner}': {fault}"
        ) from fault
