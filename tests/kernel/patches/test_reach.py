# SPDX-License-Identifier: Apache-2.0
"""What a series changes of the guest's kernel is read from its files, before anything is built."""

from collections.abc import Mapping

import pytest

from harness.kernel.patches.guards import code_lines, object_options
from harness.kernel.patches.reach import Reach, reach_of

SWIOTLB = "kernel/dma/swiotlb.c"

TREE = {
    SWIOTLB: """\
/* Pools. */
int used;
#ifdef CONFIG_SWIOTLB_DYNAMIC
int grown;
#else
int fixed;
#endif
""",
    "kernel/dma/Makefile": "obj-$(CONFIG_SWIOTLB) += swiotlb.o\nobj-$(CONFIG_BENCH) += bench.o\n",
    "kernel/dma/bench.c": "int rounds;\n",
    "kernel/dma/Kconfig": "config SWIOTLB\n\tbool\n",
    "arch/x86/kernel/setup.c": "int memory;\n",
    "Documentation/core-api/swiotlb.rst": "Pools\n",
}


def reach(after: Mapping[str, str]) -> Reach:
    """The reach of a series that makes these files of TREE's."""
    new = {**TREE, **after}
    return reach_of(list(after), lambda path: TREE.get(path, ""), lambda path: new.get(path, ""))


def edited(path: str, old: str, new: str) -> dict[str, str]:
    assert old in TREE[path]
    return {path: TREE[path].replace(old, new)}


@pytest.mark.parametrize(
    ("after", "comments", "elsewhere"),
    [
        (edited(SWIOTLB, "Pools.", "Pools, areas\n * and slots."), (SWIOTLB,), ()),
        (edited(SWIOTLB, "int used;", "\nint  used; // slots\n"), (SWIOTLB,), ()),
        (
            edited("kernel/dma/Kconfig", "config", "# an option\nconfig"),
            ("kernel/dma/Kconfig",),
            (),
        ),
        (edited("arch/x86/kernel/setup.c", "int", "long"), (), ("arch/x86/kernel/setup.c",)),
        ({"arch/arm64/boot/dts/a.dts": "/ {};"}, (), ("arch/arm64/boot/dts/a.dts",)),
        ({"Documentation/x.rst": "new"}, (), ("Documentation/x.rst",)),
        ({"MAINTAINERS": "me"}, (), ("MAINTAINERS",)),
        ({"tools/testing/x.c": "int x;"}, (), ("tools/testing/x.c",)),
    ],
)
def test_what_is_not_in_the_guest_has_no_lines(
    after: Mapping[str, str], comments: tuple[str, ...], elsewhere: tuple[str, ...]
) -> None:
    found = reach(after)

    assert (found.lines, found.comments, found.elsewhere) == ((), comments, elsewhere)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("int used;", 'int used; char *name = "/* no comment */ // nor this";'),
        ("int used;", "long used;"),
        ("#ifdef CONFIG_SWIOTLB_DYNAMIC", "#ifdef CONFIG_OTHER"),
    ],
)
def test_a_change_of_code_is_one(old: str, new: str) -> None:
    assert reach(edited(SWIOTLB, old, new)).lines


@pytest.mark.parametrize(
    ("old", "options"),
    [
        ("int used;", {"SWIOTLB"}),
        ("int grown;", {"SWIOTLB", "SWIOTLB_DYNAMIC"}),
        ("int fixed;", {"SWIOTLB", "!SWIOTLB_DYNAMIC"}),
    ],
)
def test_a_line_needs_the_options_around_it_and_those_of_its_file(
    old: str, options: set[str]
) -> None:
    lines = reach(edited(SWIOTLB, old, "int other;")).lines

    assert {line.text for line in lines} == {old, "int other;"}
    assert {line.options for line in lines} == {frozenset(options)}


@pytest.mark.parametrize(
    ("condition", "options"),
    [
        ("#ifndef CONFIG_A", {"!A"}),
        ("#if IS_ENABLED(CONFIG_A) && defined(CONFIG_B)", {"A", "B"}),
        ("#if defined CONFIG_A", {"A"}),
        ("#if !IS_ENABLED(CONFIG_A)", {"!A"}),
        ("#if defined(CONFIG_A) || \\\n    defined(CONFIG_B)", set()),
        ("#if SIZE > 3", set()),
        ("#ifdef __KERNEL__", set()),
    ],
)
def test_conditions_that_are_known(condition: str, options: set[str]) -> None:
    (line,) = code_lines("a.c", f"{condition}\nint a;\n#endif\n")

    assert line.options == options


FUNCTIONS = """\
static int used;
int next(int slot);
static unsigned long
wrapped(int index)
{
	return index;
}
static int search(struct device *dev, int area,
		int slot)
{
	if (slot) {
		go(slot);
	}
	return next(area);
}
EXPORT_SYMBOL(search);
"""


@pytest.mark.parametrize(
    ("old", "new", "function"),
    [
        ("int used", "long used", ""),
        ("int next(int", "int next(long", ""),
        ("return index", "return 0", "wrapped"),
        ("int slot)\n{", "long slot)\n{", "search"),
        ("go(slot)", "go(0)", "search"),
        ("return next(area)", "return 0", "search"),
    ],
)
def test_a_changed_line_is_in_its_function(old: str, new: str, function: str) -> None:
    before = {"a.c": FUNCTIONS, "Makefile": ""}
    after = {**before, "a.c": FUNCTIONS.replace(old, new)}

    found = reach_of(["a.c"], before.__getitem__, after.__getitem__)

    assert found.lines
    assert found.functions == ((function,) if function else ())


def test_a_part_of_an_object_needs_what_the_object_needs() -> None:
    makefile = (
        "obj-$(CONFIG_NET) += net.o # all\nnet-y := core.o \\\n\tqueue.o\nnet-$(CONFIG_X) += x.o\n"
    )

    assert object_options(makefile) == {
        "net": {"NET"},
        "core": {"NET"},
        "queue": {"NET"},
        "x": {"NET", "X"},
    }


def test_lines_of_an_option_that_is_off_are_counted() -> None:
    dynamic = {"SWIOTLB": "y", "SWIOTLB_DYNAMIC": "y"}

    found = reach(edited(SWIOTLB, "int grown;", "long grown;"))

    assert found.off({"SWIOTLB": "y"}) == {"SWIOTLB_DYNAMIC": 2}
    assert found.misses({"SWIOTLB": "y"})
    assert not found.misses(dynamic)
    assert found.off(dynamic) == {}


def test_an_option_that_is_added_is_named() -> None:
    kconfig = TREE["kernel/dma/Kconfig"] + "\nconfig SWIOTLB_NEW\n\tbool\n"

    found = reach({"kernel/dma/Kconfig": kconfig})

    assert found.options == ("SWIOTLB_NEW",)
    assert {line.options for line in found.lines} == {frozenset({"SWIOTLB_NEW"})}


def test_the_option_of_a_kunit_suite_is_found() -> None:
    makefile = TREE["kernel/dma/Makefile"] + "obj-$(CONFIG_DMA_KUNIT_TEST) += dma_test.o\n"
    suite = "static struct kunit_suite dma;\nkunit_test_suite(dma);\n"

    found = reach({"kernel/dma/Makefile": makefile, "kernel/dma/dma_test.c": suite})

    assert found.kunit == ("DMA_KUNIT_TEST",)
