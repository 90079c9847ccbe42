# SPDX-License-Identifier: Apache-2.0
"""Which drivers can work in the pool of a shape."""

from pathlib import Path

import pytest

from harness.devices.drivers import DRIVERS
from harness.machine.binary import find_qemu
from harness.machine.devicetree.flat import read_blob
from harness.machine.devicetree.model import KernelVersion, predict
from harness.machine.shape import shaped_devicetree
from harness.suite.lib.shape_parts import ShapeParts

SHAPE = """/dts-v1/;
/plugin/;
&{/} {
	reserved-memory {
		#address-cells = <2>;
		#size-cells = <2>;
		ranges;
		pool: pool@4e000000 {
			compatible = "restricted-dma-pool";
			reg = <0x0 0x4e000000 0x0 %#x>;
		};
	};
};
&{/pcie@10000000} { memory-region = <&pool>; };
"""


@pytest.mark.parametrize(
    ("kernel", "size", "works"),
    [
        ("6.12", 1, False),
        ("6.12", 2, True),
        ("6.16", 4, True),
        ("6.17", 4, False),
        ("7.3", 8, True),
    ],
)
def test_a_disk_needs_a_pool_that_is_larger_than_its_largest_request(
    kernel: str, size: int, works: bool, tmp_path: Path
) -> None:
    shape = tmp_path / "board.dtso"
    shape.write_text(SHAPE % (size << 20))
    devicetree = shaped_devicetree(find_qemu("qemu-system-aarch64"), shape, ram_size=512 << 20)
    prediction = predict(read_blob(devicetree.blob), KernelVersion(kernel))
    (disk,) = (one for one in DRIVERS if one.name == "virtio-blk")

    parts = ShapeParts(devicetree, prediction, (disk,))

    assert parts.drivers() == ((disk,) if works else ())
