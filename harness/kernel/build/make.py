# SPDX-License-Identifier: Apache-2.0
"""Run the kernel's makefiles: out of tree, reproducibly, with a log and progress."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from harness.base.cache.evict import ccache_environment
from harness.base.cpus import usable_cpus
from harness.base.disk import require_not_full
from harness.base.errors import BuildError
from harness.base.progress import ProgressStep
from harness.base.tools import dies_with_us, find_tool
from harness.kernel.build.compiler import DEFAULT, Compiler
from harness.kernel.build.sandbox import confined, toolchain
from harness.kernel.source.workspace import workspaces

TOOLS = (*DEFAULT.tools, "gcc", "make", "ccache", "bc", "bison", "flex", "setpriv")
"""Programs that every build of a kernel and of its guest calls."""

FIXED: Mapping[str, str] = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "harness",
    "KBUILD_BUILD_HOST": "harness",
    "KBUILD_BUILD_VERSION": "1",
    "LOCALVERSION": "",
}
"""Values that would differ between builds (Linux, Documentation/kbuild/reproducible-builds.rst)."""

HOST = ("HOSTCC=ccache gcc", "HOSTLDFLAGS=-fuse-ld=bfd")
"""What compiles and links the kernel's own tools: gcc, also if the kernel is clang's. With LLVM
and no linker named, 7.3's makefile has gcc look for a program ``ld.lld`` without a version."""

_FILE_NAMES = "-fmacro-prefix-map=../src/="
"""Makes __FILE__ ``kernel/fork.c`` although ccache passes ``../src/kernel/fork.c``."""

_OBJECT = re.compile(rb"  (?:CC|AS)(?: \[M\])?\s+\S+$")
_DRY_OBJECT = re.compile(rb"echo '  (?:CC|AS)(?: \[M\])?\s+\S+'")
_COMPLAINT = re.compile(
    r"(: (fatal )?error: |^ERROR: modpost|undefined reference to|multiple definition of"
    r"|: Error: |^make.*\*\*\* )"
)
_WARNING = re.compile(r"(: [Ww]arning: |^WARNING: modpost|^warning: \()")
_TREE = re.compile(r"^(\.\./)+src/")
_CONTEXT = 4


@dataclass(frozen=True)
class Make:
    """A kernel source, the directory it is built in, and the log of its makes.

    *lock* is a file descriptor that every child inherits: while one of them lives, even
    after the harness was killed, the workspace stays locked. *variables* are set for the makefiles.
    """

    source: Path
    output: Path
    lock: int
    variables: tuple[str, ...] = ()
    compiler: Compiler = DEFAULT

    @property
    def log(self) -> Path:
        """Everything that make and the compilers printed."""
        return self.output / "harness-build.log"

    def run(self, *words: str, progress: ProgressStep | None = None, total: int = 0) -> None:
        """Run make; with *progress*, count objects up to *total*. Raises BuildError."""
        done = 0
        argv = dies_with_us(self._confined(*words), "TERM")
        for line in self._lines(argv):
            done += _OBJECT.match(line) is not None
            if progress and line.startswith(b"  "):
                progress.update(min(done, total), total, line.decode(errors="replace").strip())

    def count_objects(self, *targets: str) -> int:
        """Return how many objects have to be compiled to make *targets*, by a dry run of make."""
        dry = subprocess.run(
            self._confined("--dry-run", *targets),
            check=False,  # it stops at the first file that was not made, long after the objects
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(self.lock,),
        )
        return len(_DRY_OBJECT.findall(dry.stdout))

    def _confined(self, *words: str) -> list[str]:
        """The command line that makes *words* in a sandbox; of ``M=DIR``, DIR's parent is ours."""
        modules = (Path(word.removeprefix("M=")).parent for word in words if word.startswith("M="))
        own = (self.output, Path(ccache_environment()["CCACHE_DIR"]), *modules)
        for directory in own:
            directory.mkdir(parents=True, exist_ok=True)
        return confined(self.command(*words), own, (self.source, *toolchain(self.compiler.tools)))

    def command(self, *words: str) -> list[str]:
        """Return the command line that makes *words*."""
        return [
            str(find_tool("make")),
            *("-C", str(self.source), f"O={self.output}", f"-j{usable_cpus()}"),
            "ARCH=arm64",
            *(*self.compiler.words, *HOST),
            *(f"KCFLAGS={_FILE_NAMES}", f"KAFLAGS={_FILE_NAMES}"),
            *(f"{name}={value}" for name, value in FIXED.items()),
            *self.variables,
            *words,
        ]

    def _lines(self, argv: Sequence[str]) -> Iterator[bytes]:
        with (
            self.log.open("ab") as log,
            subprocess.Popen(
                argv,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(self.lock,),
            ) as process,
        ):
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    log.write(line)
                    yield line
            except BaseException:
                process.terminate()
                raise
        if process.returncode != 0:
            complaint = first_error(self.log)
            places = [self.output, Path(tempfile.gettempdir())]
            require_not_full("the objects of the kernel", places, complaint)
            raise BuildError(
                f"the kernel in {self.source} does not build:\n{complaint}\n"
                f"The whole log is {self.log}."
            )


def environment() -> dict[str, str]:
    """Return the environment of a build, without the user's settings.

    ccache uses paths relative to the build directory, so that all source trees and
    configurations share objects.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "LC_ALL": "C",
        **ccache_environment(),
        "CCACHE_BASEDIR": str(workspaces()),
        "CCACHE_NOHASHDIR": "1",
    }


def check_tools() -> None:
    """Raise HostError, with the command that installs it, if a tool for the build is missing."""
    for tool in TOOLS:
        find_tool(tool)


def first_error(log: Path) -> str:
    """Return the first complaint in a build log, with the lines that follow and explain it.

    A path of the kernel's tree has no ``../src/`` in front.
    """
    lines = log.read_text(errors="replace").splitlines()
    for number, line in enumerate(lines):
        if _COMPLAINT.search(line):
            context = takewhile(_is_context, lines[number + 1 : number + _CONTEXT])
            return "\n".join([_TREE.sub("", line), *context])
    return "\n".join(lines[-_CONTEXT:]) or "make printed nothing"


def warnings_in(log: Path) -> tuple[str, ...]:
    """Each warning of compiler, assembler, modpost or Kconfig in a build log, once, in order.

    It begins with the file's path in the kernel's tree, and the line.
    """
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    found = (_TREE.sub("", line) for line in lines if _WARNING.search(line))
    return tuple(dict.fromkeys(found))


def _is_context(line: str) -> bool:
    """Whether *line* belongs to the complaint above it."""
    return line.startswith(" ")
