# SPDX-License-Identifier: Apache-2.0
"""Check before a build whether a series applies to its source."""

from collections.abc import Sequence

from harness.kernel.patches.apply import Attempt, try_series
from harness.kernel.patches.diff import Patch
from harness.kernel.patches.series import read_series
from harness.kernel.patches.unpacked import Trial
from harness.kernel.source.sources import Source, resolve_source, update_tree
from harness.kernel.source.workspace import open_workspace
from harness.kernel.spec import KernelSpec


def fit_series(spec: KernelSpec) -> tuple[Attempt, ...]:
    """Try each patch of *spec*, up to the first that does not apply.

    Unpacks the source if necessary. Raises SourceError, and SeriesError for a file without patch.
    """
    return _try(read_series(spec.series), resolve_source(spec.source))


def try_source(patches: Sequence[Patch], text: str) -> Trial:
    """Try *patches* on the kernel source that *text* names; unpacks it if necessary."""
    source = resolve_source(text)
    return Trial(text, str(source.version), _try(patches, source))


def _try(patches: Sequence[Patch], source: Source) -> tuple[Attempt, ...]:
    with open_workspace(source.workspace) as workspace:
        update_tree(workspace.tree, source)
        return try_series(patches, workspace.tree.pristine)
