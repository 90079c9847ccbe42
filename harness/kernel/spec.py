# SPDX-License-Identifier: Apache-2.0
"""KernelSpec, a kernel to build, and Kernel, the built one."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path

from harness.base.cache.layout import KERNEL_RECORD
from harness.base.errors import InputError
from harness.base.paths import CHECKOUT, cache_directory
from harness.kernel.geometry import page_size

DEFAULT_SOURCE = "debian:6.12"
FLAVOURS = CHECKOUT / "kernel-config/flavours"

BUILT = "build:"
"""What the name of a kernel begins with that is built already."""

PACKAGED = "package:"
"""What the name of a kernel begins with that a distribution ships."""

IMAGE, VMLINUX, CONFIG, MODULES = "Image", "vmlinux", "config", "modules"
"""The parts of a kernel in the cache."""


def default_fragments() -> tuple[Path, ...]:
    """Return the project's own configuration fragments, in the order they are merged."""
    return tuple(sorted((CHECKOUT / "kernel-config").glob("*.config")))


def flavours() -> tuple[Path, ...]:
    """The fragments of all flavours, by name."""
    return tuple(sorted(FLAVOURS.glob("*.config")))


def flavour_fragment(name: str) -> Path:
    """The fragment that makes a kernel of flavour *name*; InputError lists the flavours."""
    path = FLAVOURS / f"{name}.config"
    if not path.is_file():
        known = ", ".join(flavour.stem for flavour in flavours())
        raise InputError(
            f"unknown kernel flavour '{name}': expected one of {known} (in {FLAVOURS})"
        )
    return path


@dataclass(frozen=True)
class KernelSpec:
    """A kernel to build.

    *source* is ``debian:VERSION``, a directory, a tarball, or ``git:PATH-OR-URL@REVISION``; or
    ``build:DIR`` or ``package:NAME``, a kernel that is built already and is taken as it is.
    *series* are patch files, mailboxes, or directories of patches, applied in this order.
    *fragments* are merged on top of ``allnoconfig``; the last one that sets an option wins.
    *flavour* names one more fragment, from kernel-config/flavours; empty for the plain kernel.
    *compiler* is a name as in build/compiler.py; empty for that of the flavour, else gcc.
    """

    source: str = DEFAULT_SOURCE
    series: tuple[Path, ...] = ()
    fragments: tuple[Path, ...] = field(default_factory=default_fragments)
    flavour: str = ""
    compiler: str = ""

    def __post_init__(self) -> None:
        """Raise InputError if *source* names nothing behind its kind."""
        if self.source in (BUILT, PACKAGED):
            raise InputError(
                f"'{self.source}' names no kernel. Expected {BUILT}DIR, for example '{BUILT}.', or "
                f"{PACKAGED}NAME, for example '{PACKAGED}linux-image-arm64'."
            )

    @property
    def given(self) -> Path | None:
        """The directory of a kernel that is built already; None for one to build."""
        return Path(self.source.removeprefix(BUILT)) if self.source.startswith(BUILT) else None

    @property
    def packaged(self) -> str:
        """The name of the package of a kernel that is shipped; empty for another one."""
        return self.source.removeprefix(PACKAGED) if self.source.startswith(PACKAGED) else ""

    @property
    def is_built(self) -> bool:
        """Whether the kernel is built already, and has no source to build another one from."""
        return self.given is not None or bool(self.packaged)

    @property
    def extra_fragments(self) -> tuple[Path, ...]:
        """The fragments that are not the project's own."""
        own = default_fragments()
        return tuple(path for path in self.fragments if path not in own)

    @property
    def configuration(self) -> tuple[Path, ...]:
        """All fragments, the flavour's last; InputError for an unknown flavour."""
        return (*self.fragments, *([flavour_fragment(self.flavour)] if self.flavour else []))


@dataclass(frozen=True)
class KernelRecord:
    """Properties of a built kernel, stored beside its files."""

    release: str
    build_id: str
    source: str
    series: tuple[str, ...]
    compiler: str
    titles: tuple[str, ...]
    flavour: str
    fragments: tuple[str, ...]
    types: bool = True
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    def save(self, directory: Path) -> None:
        """Write this record into *directory*."""
        (directory / KERNEL_RECORD).write_text(json.dumps(asdict(self), indent=1) + "\n")


@dataclass(frozen=True)
class Kernel:
    """A built kernel, verified when read from the cache.

    *source* says where it comes from (package and version, tree, revision), *series* names the
    patches applied to that and *titles* says what they do, *release* is what ``uname -r`` prints,
    *build_id* is the GNU build id of vmlinux in hexadecimal. *fragments* names those that are
    not the project's own. *types* is whether vmlinux has the types of the kernel's memory (DWARF).
    *warnings* are those of the build that made it, which compiled only what had changed, and took
    *seconds* (0: not known).
    """

    key: str
    directory: Path
    release: str
    build_id: str
    source: str
    series: tuple[str, ...]
    compiler: str
    titles: tuple[str, ...] = ()
    flavour: str = ""
    fragments: tuple[str, ...] = ()
    types: bool = True
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def image(self) -> Path:
        """The uncompressed arm64 boot image."""
        return self.directory / IMAGE

    @property
    def vmlinux(self) -> Path:
        """The ELF file with symbols, and with DWARF if *types* is true.

        A kernel of a package without its debugging package has none.
        """
        return self.directory / VMLINUX

    @property
    def config(self) -> Path:
        """The complete configuration it was built with."""
        return self.directory / CONFIG

    @property
    def modules(self) -> Path | None:
        """The kernel's own modules, as in ``lib/modules/RELEASE``; None if it came without any."""
        directory = self.directory / MODULES
        return directory if directory.is_dir() else None

    @cached_property
    def page_size(self) -> int:
        """Bytes of a page: 4, 16 or 64 KiB."""
        return page_size(self.image)


def load_kernel(directory: Path) -> Kernel:
    """Read the kernel in cache entry *directory*; OSError or ValueError if there is none.

    What a newer harness stored beside is left out.
    """
    stored = json.loads((directory / KERNEL_RECORD).read_text())
    known = {one.name: stored[one.name] for one in fields(KernelRecord) if one.name in stored}
    lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
    return Kernel(directory.name, directory, **{**known, **lists})


def cached_kernels() -> Mapping[str, Kernel]:
    """The kernels in the cache by key, without those that are damaged or being evicted."""
    found = {}
    for path in (cache_directory() / "kernels").glob("*"):
        with suppress(OSError, ValueError, TypeError):
            found[path.name] = load_kernel(path)
    return found
