# SPDX-License-Identifier: Apache-2.0
"""Parameters of which a few are tried by day, and all of them at night."""

from collections.abc import Iterable, Mapping

import pytest
from _pytest.mark.structures import ParameterSet

REASON = "one of many like it; some of them are tried by day"


def some_by_day(values: Iterable[object] | Mapping[str, object], *daily: str) -> list[ParameterSet]:
    """The *values* as parameters, or their names; those not named in *daily* are nightly.

    A mapping's values are known by its keys, other values by what they are as text.
    """
    named = values if isinstance(values, Mapping) else {str(one): one for one in values}
    missing = set(daily) - named.keys()
    assert not missing, f"no value is named {missing}"
    return [
        pytest.param(value, id=name, marks=() if name in daily else pytest.mark.nightly(REASON))
        for name, value in named.items()
    ]
