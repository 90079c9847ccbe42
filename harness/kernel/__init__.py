# SPDX-License-Identifier: Apache-2.0
"""Kernels under test: where their source comes from, how they are patched, configured and built.

===================  ========================================================================
``build_kernel``     make a :class:`KernelSpec` into a :class:`Kernel`, from the cache if it can
``KernelSpec``       what to build: source, series, configuration fragments
``Kernel``           a built kernel: image, vmlinux, configuration, build id, provenance
``build_initramfs``  the guest programs, packed for one kernel
``Initramfs``        the result of that
``load_kernel``      read a Kernel back from its directory
``cached_kernels``   all kernels in the cache, by key
``Geometry``         the sizes of a kernel's pages and of the slot sets of its pools
===================  ========================================================================
"""

from harness.kernel.build.build import build_kernel
from harness.kernel.build.initramfs import Initramfs, build_initramfs
from harness.kernel.geometry import SLOT, Geometry
from harness.kernel.spec import Kernel, KernelSpec, cached_kernels, default_fragments, load_kernel

__all__ = [
    "SLOT",
    "Geometry",
    "Initramfs",
    "Kernel",
    "KernelSpec",
    "build_initramfs",
    "build_kernel",
    "cached_kernels",
    "default_fragments",
    "load_kernel",
]
