# SPDX-License-Identifier: Apache-2.0
"""Parameters of which the default tier has a few, and the nightly tier all."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import pytest
from _pytest.mark.structures import ParameterSet

REASON = "the default tier has some parameters of this test"


def in_default_tier(
    values: Iterable[object] | Mapping[str, object],
    *names: str,
    marks: Mapping[str, pytest.MarkDecorator] = MappingProxyType({}),
) -> list[ParameterSet]:
    """The *values* as parameters; those that are not in *names* are nightly.

    The name of a mapping's value is its key; the name of any other value is its text. *marks* are
    more marks of parameters, by their names.
    """
    named = values if isinstance(values, Mapping) else {str(one): one for one in values}
    missing = (set(names) | marks.keys()) - named.keys()
    assert not missing, f"no value is named {missing}"
    return [
        pytest.param(
            value,
            id=name,
            marks=[
                *([] if name in names else [pytest.mark.nightly(REASON)]),
                *([marks[name]] if name in marks else []),
            ],
        )
        for name, value in named.items()
    ]
