# SPDX-License-Identifier: Apache-2.0
"""A run with a series says what of it is not in the kernel, and may take the flavour it needs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kernel_trees import FILES, tiny_tree
from mail_threads import Post, mbox, series

from harness.kernel import Kernel, KernelSpec
from harness.kernel.patches.origin import series_path
from harness.plugin import session
from harness.results import SuiteRequest

pytestmark = pytest.mark.usefixtures("cache")

PATCH = """\
--- a/kernel/dma/swiotlb.c
+++ b/kernel/dma/swiotlb.c
@@ -1,3 +1,6 @@
 int slots = 128;
+{added}
 int areas = 1;
 int used;
"""

DYNAMIC = "#ifdef CONFIG_SWIOTLB_DYNAMIC\n+int pools;\n+#endif"


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    (tmp_path / "config").write_text("CONFIG_SWIOTLB=y\n")
    return Kernel("key", tmp_path, "6.12.3", "c0ffee", "a tree", ("a.patch",), "gcc")


def spec_of(directory: Path, added: str, flavour: str = "") -> KernelSpec:
    """A tree with a patch that adds these lines."""
    assert "kernel/dma/swiotlb.c" in FILES
    patch = directory / "a.patch"
    count = 3 + 1 + added.count("\n")
    patch.write_text(PATCH.format(added=added).replace("+1,6", f"+1,{count}"))
    return KernelSpec(str(tiny_tree(directory / "linux")), (patch,), flavour=flavour)


@pytest.mark.parametrize(
    ("added", "notes"),
    [
        ("int more;", ""),
        ("/* nothing */", "nothing of this runs in the guest"),
        (DYNAMIC, "None of the 1 changed lines is compiled: CONFIG_SWIOTLB_DYNAMIC is off."),
    ],
)
def test_what_of_a_series_is_not_in_the_kernel_is_said(
    tmp_path: Path, kernel: Kernel, added: str, notes: str
) -> None:
    said = " ".join(session.notes_of_series(spec_of(tmp_path, added), kernel))

    assert said.startswith(notes)
    assert ("--flavour=dynamic compiles them" in said) is (added == DYNAMIC)


@pytest.mark.parametrize(
    ("added", "asked", "flavour"),
    [(DYNAMIC, "auto", "dynamic"), ("int more;", "auto", ""), (DYNAMIC, "kasan", "kasan")],
)
def test_auto_is_the_flavour_that_the_series_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, added: str, asked: str, flavour: str
) -> None:
    spec = spec_of(tmp_path, added, asked)
    config: Any = SimpleNamespace(option=SimpleNamespace(flavour=asked))
    monkeypatch.setattr(session, "request_from", lambda _: SuiteRequest(spec))

    session.choose_flavour(config)

    assert config.option.flavour == flavour


def test_what_is_left_out_of_a_series_and_what_it_needs_is_said(tmp_path: Path) -> None:
    box = tmp_path / "box.mbox"
    letter = Post("[PATCH v2 0/3] changes", "v2-0", body="Applies on top of v6.12.\n")
    box.write_bytes(mbox(*series(3), letter, *series(3, 2)[1:3]))

    said = list(session.remarks_on_series(KernelSpec(series=(box,))))

    assert said[0] == "missing, by the subjects' numbers: patch 3"
    assert said[1] == 'left out: box.mbox#0001 "changes": of version 1; the newest is 2'
    assert said[-1] == 'the series says that it needs: "Applies on top of v6.12."'
    assert list(session.remarks_on_series(KernelSpec())) == []


def test_it_is_said_of_a_message_too_that_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.kernel.patches.origin.fetch", lambda _: mbox(*series(2)[:2]))

    stored = series_path("v1-1@example.org")

    said = list(session.remarks_on_series(KernelSpec(series=(stored,))))
    assert said == ["missing, by the subjects' numbers: patch 2"]
