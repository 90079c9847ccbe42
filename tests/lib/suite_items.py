# SPDX-License-Identifier: Apache-2.0
"""Tests of the suite, as far as their needs are read."""

from types import SimpleNamespace

import pytest


class Item:
    """A test with these fixtures and markers; *flavour* is that of a kernel of its own."""

    nodeid = "harness/suite/properties/test_a.py::test_b"

    def __init__(
        self, fixturenames: tuple[str, ...] = (), *marks: pytest.Mark, flavour: str = ""
    ) -> None:
        self.fixturenames, self._marks = fixturenames, marks
        if flavour:
            self.callspec = SimpleNamespace(params={"flavour": flavour})

    def iter_markers(self, name: str) -> list[pytest.Mark]:
        """All markers of that name."""
        return [one for one in self._marks if one.name == name]

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        """The first of them."""
        return next(iter(self.iter_markers(name)), None)
