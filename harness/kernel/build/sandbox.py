# SPDX-License-Identifier: Apache-2.0
"""Run a stranger's makefiles without network, privileges, and other files than the build's.

A patch may change makefiles, and building it runs them: at night, often as root. They run in
namespaces of their own (unshare(1), user_namespaces(7)): the network is empty, the file system has
the system's programs and the source to read, and the build directory and ccache's to write, and no
capability is left (setpriv(1)). What they can still do: use the processor, fill the disk, signal
other processes of the same user, and put wrong objects into ccache.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from harness.base.errors import HostError
from harness.base.progress import say
from harness.base.tools import find_tool

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/proc")
"""What every program needs to read. The user namespace protects /proc of other processes."""

SETTINGS = (
    *("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d"),
    *("/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/localtime", "/etc/ssl/openssl.cnf"),
)
"""Of /etc, what compilers and linkers are found by; the rest may hold secrets."""

DEVICES = (
    *("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"),
    *("/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"),
)

SCRIPT = """\
set -e
root=$1
shift
mount -t tmpfs -o mode=755,size=2G tmpfs "$root"
while [ "$1" != -- ]; do
    kind=$1 path=$2
    shift 2
    if [ "$kind" = empty ]; then
        mkdir -p "$root$path"
        continue
    fi
    if [ "$kind" = link ]; then
        mkdir -p "$root${path%/*}"
        cp -P "$path" "$root$path"
        continue
    fi
    if [ -d "$path" ]; then
        mkdir -p "$root$path"
    else
        mkdir -p "$root${path%/*}"
        : >"$root$path"
    fi
    mount --rbind "$path" "$root$path"
    [ "$kind" = write ] || mount -o remount,bind,ro "$root$path" 2>/dev/null ||
        mount -o remount,bind,ro,nosuid,nodev "$root$path" 2>/dev/null ||
        mount -o remount,bind,ro,nosuid,nodev,noexec "$root$path"
done
shift
exec chroot "$root" setpriv --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
"""
"""Makes a file system in memory and binds what may be seen; a mount keeps flags of its host, which
a user namespace must repeat (mount_namespaces(7))."""


def confined(argv: Sequence[str], writable: Iterable[Path], readable: Iterable[Path]) -> list[str]:
    """Return *argv* as a command that may only write *writable*, and only read *readable* beside.

    On a machine that allows no namespaces, returns *argv* as it is, and says so once.
    """
    if not is_allowed():
        return list(argv)
    return _command(argv, writable, readable)


@cache
def is_allowed() -> bool:
    """Whether this machine allows the sandbox; one warning if it does not."""
    try:
        trial = subprocess.run(
            _command(["true"], (), ()),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except HostError as fault:
        refusal = str(fault)
    else:
        refusal = trial.stderr.strip()[-200:] if trial.returncode else ""
    if refusal:
        say(
            "warning: this machine allows no namespaces, so a series' makefiles run with your "
            f"rights ({refusal}). Build patches of strangers on another machine."
        )
    return not refusal


def _command(argv: Sequence[str], writable: Iterable[Path], readable: Iterable[Path]) -> list[str]:
    binds = [word for kind, path in _binds(writable, readable) for word in (kind, path)]
    spaces = ("--user", "--map-root-user", "--mount", "--net", "--ipc", "--uts")
    script = ("/bin/sh", "-c", SCRIPT, "sh", "/mnt", *binds, "--")
    return [str(find_tool("unshare")), *spaces, *script, *argv]


def _binds(writable: Iterable[Path], readable: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """What to bind, parents first: a directory inside a bound one is bound upon that."""
    yield "empty", "/tmp"
    yield "empty", str(Path.home())
    system = [path for path in (*SYSTEM, *SETTINGS, *DEVICES) if os.path.lexists(path)]
    kinds = {
        **{path: "link" if Path(path).is_symlink() else "read" for path in system},
        **{path: "write" for path in system if path in DEVICES and not Path(path).is_symlink()},
        **{str(path): "read" for path in readable},
        **{str(path): "write" for path in writable},
    }
    for path in sorted(kinds):
        yield kinds[path], path


def toolchain(programs: Iterable[str]) -> list[Path]:
    """The directories of *programs*, and of this Python, that are not the system's own.

    A compiler has its libraries beside its ``bin``, unless that lies in the home directory itself.
    """
    home = Path.home().resolve()
    places = {Path(sys.base_prefix).resolve()}
    for program in map(find_tool, programs):
        real = program.resolve()
        prefix = real.parent.parent
        places |= {
            program.absolute().parent,
            real.parent if home.is_relative_to(prefix) else prefix,
        }
    return [place for place in sorted(places) if not str(place).startswith(SYSTEM)]
