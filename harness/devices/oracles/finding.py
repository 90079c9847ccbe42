# SPDX-License-Identifier: Apache-2.0
"""What an oracle has to say."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.base.errors import BrokenPromise


@dataclass(frozen=True)
class Finding:
    """Something that is not as promised: the *ids* of what is broken, in *text* what was seen."""

    ids: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{' '.join(self.ids)}: {self.text}"


def broken_promise(findings: Sequence[Finding]) -> BrokenPromise:
    """The failure that *findings*, at least one, come to; their promises are named once each."""
    ids = dict.fromkeys(name for finding in findings for name in finding.ids)
    return BrokenPromise("\n".join(finding.text for finding in findings), *ids)
