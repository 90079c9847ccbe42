# SPDX-License-Identifier: Apache-2.0
"""Parameters of which the default tier has a few, and the nightly tier all."""

from collections.abc import Iterable, Mapping

import pytest
from _pytest.mark.structures import ParameterSet

REASON = "the default tier has some parameters of this test"


def in_default_tier(
    values: Iterable[object] | Mapping[str, object], *names: str
) -> list[ParameterSet]:
    """The *values* as parameters; those that are not in *names* are nightly.

    The name of a mapping's value is its key; the name of any other value is its text.
    """
    named = values if isinstance(values, Mapping) else {str(one): one for one in values}
    missing = set(names) - named.keys()
    assert not missing, f"no value is named {missing}"
    return [
        pytest.param(value, id=name, marks=() if name in names else pytest.mark.nightly(REASON))
        for name, value in named.items()
    ]
