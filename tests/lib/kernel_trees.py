# SPDX-License-Identifier: Apache-2.0
"""A tiny source tree that builds like a kernel's, in a moment."""

from pathlib import Path

MAKEFILE = """\
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 3

allnoconfig:
\tmkdir -p $(O)/include/config $(O)/arch/arm64/boot $(O)/kernel/dma
\tgrep -x -F -f Kconfig.known $(KCONFIG_ALLCONFIG) > $(O)/.config || true
\techo 6.12.0-tiny > $(O)/include/config/kernel.release

prepare: $(O)/include/config/auto.conf
\t@echo '  GEN     prepared'

$(O)/include/config/auto.conf: $(O)/.config
\t@cp $< $@

objects := $(O)/kernel/dma/swiotlb.o $(O)/kernel/fork.o

Image: $(O)/include/config/auto.conf $(objects)
\t@$(CROSS_COMPILE)ld --build-id=sha1 -e 0 -o $(O)/vmlinux $(objects)
\t@cp $(O)/vmlinux $(O)/arch/arm64/boot/Image

modules:
\t@mkdir -p $(O)/include/generated $(O)/arch/arm64/include/generated $(O)/scripts
\t@touch $(O)/Module.symvers

$(O)/%.o: %.c
\t@echo '  CC      $*.o'
\t@$(CC) -c -o $@ $<

.PHONY: allnoconfig prepare Image modules
"""

KCONFIG = """\
config PCI
\tbool "PCI support"

if PCI
config DEEP
\tbool "Needs more than PCI"
\tdepends on FIREWALL && !SLOW
\thelp
\t  choice of words that must not be taken for a block
\t  if in doubt, say N
endif

config FIREWALL
\tbool "Fire"

config SELECTED
\tbool

config NUMBER
\tint "A number"
\trange 1 8
"""

FILES = {
    "Makefile": MAKEFILE,
    "Kconfig": KCONFIG,
    "Kconfig.known": "CONFIG_PCI=y\nCONFIG_FIREWALL=y\n",
    "arch/arm64/Makefile": "",
    "arch/arm64/include/asm/io.h": "",
    "include/linux/module.h": "",
    "scripts/Makefile.build": "",
    "kernel/dma/swiotlb.c": "int slots = 128;\nint areas = 1;\nint used;\n",
    "kernel/fork.c": "int children;\n",
    "README": "a tree\n",
}


def tiny_tree(directory: Path) -> Path:
    """Write the tree into *directory* and return that."""
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


SLOTS_PATCH = b"""\
--- a/kernel/dma/swiotlb.c
+++ b/kernel/dma/swiotlb.c
@@ -1,3 +1,3 @@
-int slots = 128;
+int slots = 64;
 int areas = 1;
 int used;
"""
"""A patch for the tree."""

AREAS_PATCH = b"""\
diff --git a/kernel/dma/swiotlb.c b/kernel/dma/swiotlb.c
--- a/kernel/dma/swiotlb.c
+++ b/kernel/dma/swiotlb.c
@@ -1,3 +1,3 @@
 int slots = 64;
-int areas = 1;
+int areas = 2;
 int used;
"""
"""A patch for the tree with SLOTS_PATCH applied."""


FIREWALL_PATCH = b"""\
--- a/Kconfig.known
+++ b/Kconfig.known
@@ -1,2 +1,2 @@
 CONFIG_PCI=y
-CONFIG_FIREWALL=y
+CONFIG_RENAMED=y
"""
"""A patch that renames an option."""
