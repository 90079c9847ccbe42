# SPDX-License-Identifier: Apache-2.0
"""Check before a build whether a series applies to its source."""

from harness.kernel.patches.apply import Attempt, try_series
from harness.kernel.patches.series import read_series
from harness.kernel.source.sources import resolve_source
from harness.kernel.source.workspace import open_workspace
from harness.kernel.spec import KernelSpec


def fit_series(spec: KernelSpec) -> tuple[Attempt, ...]:
    """Try each patch of *spec*, up to the first that does not apply.

    Unpacks the source if necessary. Raises SourceError, and SeriesError for a file without patch.
    """
    source, patches = resolve_source(spec.source), read_series(spec.series)
    with open_workspace(source.workspace) as workspace:
        tree = workspace.tree
        if tree.state.pristine != source.identity:
            source.populate(tree)
        return try_series(patches, tree.pristine)
