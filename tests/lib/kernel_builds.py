# SPDX-License-Identifier: Apache-2.0
"""A directory that looks as a kernel's make leaves it, made in a moment."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from harness.kernel import KernelSpec
from harness.kernel.build.given import GivenBuild, find_build

CROSS = "aarch64-linux-gnu-"

RELEASE = "6.12.3-tiny"

KERNEL = """\
const char linux_banner[] = "Linux version RELEASE (a@b) (gcc) #1";
int dma_map_thing(void) { return *linux_banner; }
void _start(void) { dma_map_thing(); }
"""

CONFIG = 'CONFIG_MODULES=y\nCONFIG_CC_IS_GCC=y\nCONFIG_CC_VERSION_TEXT="gcc 12"\n'

FILES = {
    ".config": f"# Linux/arm64\n{CONFIG}# CONFIG_KASAN is not set\n",
    "Module.symvers": "0x00000000\tdma_map_thing\tvmlinux\tEXPORT_SYMBOL\t\n",
    "include/config/auto.conf": CONFIG.replace('"', ""),
    "include/config/kernel.release": f"{RELEASE}\n",
    "include/config/SPLIT": "",
    "include/generated/autoconf.h": "#define CONFIG_MODULES 1\n",
    "arch/arm64/include/generated/asm/types.h": "",
    "scripts/module.lds": "",
    "scripts/mod/elfconfig.h": "",
}
"""What a build generates."""

SOURCES = {
    "Makefile": "all:\n",
    "arch/arm64/Makefile": "",
    "arch/arm64/include/asm/io.h": "",
    "include/linux/module.h": "",
    "include/linux/atomic/atomic-long.h": "",
    "scripts/Makefile.build": "",
    "scripts/include/list.h": "",
    "scripts/basic/fixdep.c": "#include <list.h>\nint main(void) { return 0; }\n",
    "scripts/mod/modpost.c": "int sum(void);\nint main(void) { return sum(); }\n",
    "scripts/mod/sumversion.c": '#include "elfconfig.h"\nint sum(void) { return 0; }\n',
    "scripts/mod/empty.c": "#error for the target\n",
}
"""What a source tree has."""


def write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def tiny_build(directory: Path, source: Path | None = None) -> Path:
    """Write a build into *directory*: with the sources in it, or of the tree *source*."""
    write(source or directory, SOURCES)
    ((source or directory) / "scripts/link").symlink_to("Makefile.build")
    write(directory, FILES)
    if source:
        (directory / "Makefile").write_text(f"# generated\ninclude {source}/Makefile\n")
    link_kernel(directory)
    return directory


def link_kernel(directory: Path, *flags: str, text: str = "", release: str = RELEASE) -> None:
    """Compile vmlinux, and make arch/arm64/boot/Image of it; *text* makes it another one."""
    code = KERNEL.replace("RELEASE", release) + text
    link = ("-nostdlib", "-static", "-x", "c", "-", "-o", directory / "vmlinux")
    options = ("-g", "-Wl,--build-id=sha1", *flags)
    subprocess.run([f"{CROSS}gcc", *options, *link], input=code.encode(), check=True)
    image = directory / "arch/arm64/boot/Image"
    image.parent.mkdir(parents=True, exist_ok=True)
    parts = ("-O", "binary", directory / "vmlinux", image)
    subprocess.run([f"{CROSS}objcopy", *parts], check=True)
    content = bytes(0x38) + b"ARM\x64" + bytes(4) + image.read_bytes()
    image.write_bytes(content)


def copied(build: Path, to: Path) -> Path:
    """The same build in another directory."""
    shutil.copytree(build, to, symlinks=True)
    return to


def spec_of(build: Path, **more: object) -> KernelSpec:
    """The kernel in *build*, with *more* asked of it."""
    return KernelSpec(f"build:{build}", **more)  # type: ignore[arg-type] # fields of any type


def add_line(build: Path, name: str, line: str) -> None:
    """Add *line* to the file *name*."""
    path = build / name
    path.write_text(path.read_text() + line)


def remove(name: str) -> Callable[[Path], None]:
    """What removes the file *name* of a build."""
    return lambda build: (build / name).unlink()


def without_modules(build: Path) -> None:
    """Make it a kernel without CONFIG_MODULES."""
    for name in (".config", "include/config/auto.conf"):
        path = build / name
        path.write_text(path.read_text().replace("CONFIG_MODULES=y\n", ""))


def given(build: Path) -> GivenBuild:
    """The harness's own view of *build*."""
    return find_build(spec_of(build))
