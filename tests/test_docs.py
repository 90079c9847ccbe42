# SPDX-License-Identifier: Apache-2.0
"""What the documents show is what there is."""

import re

import pytest

from harness.base.paths import CHECKOUT
from harness.devices.attacks import Protection, attacks

SHOWN_FILE = re.compile(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", re.DOTALL)

SHOWN = SHOWN_FILE.findall((CHECKOUT / "CONTRIBUTING.md").read_text())


@pytest.mark.parametrize(("path", "text"), SHOWN, ids=[path for path, _ in SHOWN])
def test_a_file_that_is_shown_is_that_file(path: str, text: str) -> None:
    assert (CHECKOUT / path).read_text() == text


def test_an_attack_a_rogue_and_a_fence_are_shown() -> None:
    assert [path.split("/")[2] for path, _ in SHOWN] == ["attacks", "rogue", "fence"]


@pytest.mark.parametrize("name", attacks())
def test_the_table_in_the_readme_has_every_attack_as_it_is_expected(name: str) -> None:
    attack = attacks()[name]
    cells = [attack.expected[p].value if p in attack.expected else "-" for p in Protection]

    rows = [line.split() for line in (CHECKOUT / "README.md").read_text().splitlines()]

    assert [name, *attack.rogues, *cells] in rows
