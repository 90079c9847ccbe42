# SPDX-License-Identifier: Apache-2.0
"""A kernel that is built already, ``build:DIR``: found, checked, and copied into the cache.

DIR is what the kernel's make leaves, in the source tree or in a directory of ``O=``, or what
``harness kernel build --output=DIR`` writes. Nothing in DIR is ever written to.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from harness.base.cache import Cache, digest
from harness.base.cache.layout import KERNEL_RECORD
from harness.base.errors import BuildError, InputError, SourceError
from harness.base.progress import step
from harness.kernel.build.compiler import Compiler, compiler_for, compiler_named
from harness.kernel.build.image import IMAGES, read_image
from harness.kernel.build.kconfig import read_config
from harness.kernel.build.kept_modules import built_modules, keep_built
from harness.kernel.build.make import Make, check_tools
from harness.kernel.build.module_tree import compile_tools, copy_module_tree
from harness.kernel.elf import build_id as find_build_id
from harness.kernel.elf import open_elf
from harness.kernel.source.workspace import Workspace, open_workspace
from harness.kernel.spec import CONFIG, MODULES, Kernel, KernelRecord, KernelSpec, load_kernel

FORMAT = "1"
"""Increase it when the same build shall be copied differently than before."""

BUILT_CONFIG = "include/config/auto.conf"
"""The configuration that kbuild compiled with, made from .config."""

RELEASE = "include/config/kernel.release"

NEEDED = ("vmlinux", ".config", "Module.symvers", BUILT_CONFIG, RELEASE, "include/generated")
"""Beside the image."""

AARCH64 = "EM_AARCH64"

GNU_NOTE = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"
"""The head of the note with a build id of SHA-1: sizes of name and value, type (ELF gABI)."""

SHA1_SIZE = 20

COMPILER_OPTIONS = {"CC_HAS_MIN_FUNCTION_ALIGNMENT": "-fmin-function-alignment=4"}
"""Configuration options that say what the build's gcc could do, where kbuild has another way for a
gcc that cannot (Linux 6.12, Makefile; that option is new in gcc 14)."""

SHOWN = 3
"""Options or symbols that an error names."""

_BANNER = re.compile(rb"Linux version (\S+) \(")
_INCLUDED = re.compile(r"^include (/\S+)/Makefile$", re.MULTILINE)


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
        parts = (self.directory / ".config", self.directory / "Module.symvers")
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
    image = _complete(directory)
    source = _source_of(directory)
    build_id, types = _checked_vmlinux(directory)
    content = read_image(image)
    _check_image(directory, image, content, build_id)
    config = read_config(directory / ".config")
    _check_config(directory, config)
    release = (directory / RELEASE).read_text().strip()
    _check_headers(directory, image, content, release)
    compiler = config.get("CC_VERSION_TEXT", "").strip('"')
    return GivenBuild(
        directory,
        image,
        source,
        digest(content),
        release,
        build_id.hex(),
        compiler,
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
            f"{spec.source} was built with {config.get('CC_VERSION_TEXT', closest.name)}: "
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
            (directory / "Image").write_bytes(read_image(build.image))
            shutil.copyfile(build.directory / "vmlinux", directory / "vmlinux")
            shutil.copyfile(build.directory / ".config", directory / CONFIG)
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
    with open_workspace(f"given-{build.key}") as workspace:
        tree = workspace.directory / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        build.toolchain.check()
        copy_module_tree(build.source, build.directory, tree)
        compile_tools(tree)
        lacking = (
            f"CONFIG_{option}="
            for option, flag in COMPILER_OPTIONS.items()
            if not build.toolchain.accepts(flag)
        )
        try:
            yield workspace, Make(tree, tree, workspace.lock, tuple(lacking), build.toolchain)
        except BuildError as fault:
            raise BuildError(
                f"the probe module cannot be built against {build.title}, which was built with "
                f"'{build.compiler}', by this machine's '{build.toolchain.banner}': {fault}"
            ) from fault
        shutil.rmtree(tree)


def check_unchanged(spec: KernelSpec) -> None:
    """Refuse what only a build from source can do."""
    asked = {
        "a series cannot be applied to it": spec.series,
        "a flavour cannot be added to it": spec.flavour,
        "a configuration fragment cannot be added to it": spec.extra_fragments,
    }
    for refusal, value in asked.items():
        if value:
            raise InputError(
                f"{spec.source} is a kernel that is built already: {refusal}. Name its source "
                "with --kernel instead."
            )


def _complete(directory: Path) -> Path:
    """Return the image of a build that has all its parts; InputError names those it lacks."""
    if not directory.is_dir():
        raise InputError(
            f"build:{directory} is no kernel build: no such directory. Expected the directory in "
            "which 'make ARCH=arm64 Image modules' built a kernel."
        )
    if (directory / KERNEL_RECORD).is_file():
        raise InputError(
            f"build:{directory} is an entry of the harness's cache, which has no tree to build a "
            "module against. 'harness kernel build SOURCE --output=DIR' writes a build that can be "
            "given."
        )
    image = next((directory / name for name in IMAGES if (directory / name).is_file()), None)
    missing = [name for name in NEEDED if not (directory / name).exists()]
    missing += [] if image else [IMAGES[0]]
    if missing or image is None:
        raise InputError(
            f"build:{directory} is not a complete kernel build: it has no {', '.join(missing)}. "
            "Run 'make ARCH=arm64 Image modules' there; or give a source tree as "
            "--kernel=DIR, and the harness builds it."
        )
    return image


def _source_of(directory: Path) -> Path:
    """The source tree that *directory* was built from; InputError if it is not there."""
    link, makefile = directory / "source", directory / "Makefile"
    source = directory
    if link.is_symlink():
        source = directory / link.readlink()
    elif makefile.is_file() and (found := _INCLUDED.search(makefile.read_text()[:1000])):
        source = Path(found[1])
    for name in ("Makefile", "include/linux/module.h", "scripts/Makefile.build"):
        if not (source / name).is_file():
            raise InputError(
                f"build:{directory} was built from the source tree {source}, which has no {name}. "
                "Modules are built against that tree: put it back, or build the kernel again."
            )
    return source


def _checked_vmlinux(directory: Path) -> tuple[bytes, bool]:
    """Check vmlinux, and return its build id and whether it has DWARF."""
    vmlinux = directory / "vmlinux"
    with open_elf(vmlinux) as elf:
        if (machine := elf["e_machine"]) != AARCH64:
            raise InputError(
                f"{vmlinux} is a kernel for {machine.removeprefix('EM_')}. The harness tests arm64 "
                "kernels: build it with ARCH=arm64."
            )
        found = find_build_id(elf)
        if found is None:
            raise InputError(
                f"{vmlinux} has no build id, by which the harness knows that an image belongs to "
                "it. Link the kernel with --build-id, as its makefile does."
            )
        types = elf.has_dwarf_info(strict=True)
        _check_exports(directory / "Module.symvers", elf)
    return found.value, types


def _check_image(directory: Path, image: Path, content: bytes, build_id: bytes) -> None:
    """Check that the *content* of the image is of the same build as vmlinux."""
    if build_id not in content:
        raise InputError(
            f"{image} and {directory / 'vmlinux'} are not of the same build: vmlinux has build id "
            f"{build_id.hex()}, the image {_build_ids(content)}. Run 'make ARCH=arm64 Image' "
            "again, or give the vmlinux that the image was made from."
        )


def _build_ids(content: bytes) -> str:
    """The build ids in an image: its own, and that of the vDSO."""
    ids = [value[:SHA1_SIZE].hex() for value in content.split(GNU_NOTE)[1:]]
    return " and ".join(ids) or "has none"


def _check_exports(symvers: Path, elf: ELFFile) -> None:
    """Check that vmlinux has the symbols that Module.symvers says it exports."""
    lines = (line.split("\t") for line in symvers.read_text().splitlines())
    exported = [fields[1] for fields in lines if len(fields) > 2 and fields[2] == "vmlinux"]
    section = elf.get_section_by_name(".strtab")
    names = b"" if section is None else section.data()
    known = set(names.split(b"\0"))
    # the linker keeps one name that ends as another one does
    absent = [
        name
        for name in exported
        if name.encode() not in known and name.encode() + b"\0" not in names
    ]
    if absent:
        raise InputError(
            f"{symvers} is of another build than vmlinux: {_some(absent)} "
            f"{'is' if len(absent) == 1 else 'are'} not in vmlinux. Run 'make ARCH=arm64 Image "
            "modules' again."
        )


def _check_config(directory: Path, config: Mapping[str, str]) -> None:
    """Check that the kernel was built with *config* and that it can load the probe."""
    built = read_config(directory / BUILT_CONFIG)
    # strings have no quotes there, and are left out
    changed = sorted(
        symbol
        for symbol in {*config, *built}
        if config.get(symbol) != built.get(symbol) and config.get(symbol, "")[:1] != '"'
    )
    if changed:
        raise InputError(
            f"{directory / '.config'} was changed after the kernel was built: "
            f"{_some([f'CONFIG_{one}' for one in changed])}. Run 'make ARCH=arm64 Image modules' "
            "again."
        )
    if "MODULES" not in config:
        raise InputError(
            f"build:{directory} cannot load modules, and so not the probe, through which the tests "
            "call the DMA API. Set CONFIG_MODULES=y and build the kernel again."
        )
    if "MODULE_SIG_FORCE" in config:
        raise InputError(
            f"build:{directory} loads signed modules only, and so not the probe, through which the "
            "tests call the DMA API. Build it without CONFIG_MODULE_SIG_FORCE; CONFIG_MODULE_SIG "
            "alone is fine."
        )


def _check_headers(directory: Path, image: Path, content: bytes, release: str) -> None:
    """Check that the headers are of the release that the image says it is."""
    banner = _BANNER.search(content)
    if banner and banner[1].decode() != release:
        raise InputError(
            f"the headers in {directory} are of Linux {release}, {image} is Linux "
            f"{banner[1].decode()}: a module that is built with them does not fit. Run 'make "
            "ARCH=arm64 Image modules' again."
        )


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
