# SPDX-License-Identifier: Apache-2.0
"""Whether a series fits a source, found out before anything is compiled."""

from harness.kernel.patches.apply import Attempt, try_series
from harness.kernel.patches.files import read_series
from harness.kernel.source.sources import resolve_source
from harness.kernel.source.workspace import open_workspace
from harness.kernel.spec import KernelSpec


def fit_series(spec: KernelSpec) -> tuple[Attempt, ...]:
    """Say of each patch of *spec* whether it fits, up to the first that does not.

    The source is unpacked if need be. Raises SourceError, and SeriesError if a file holds no patch.
    """
    source, patches = resolve_source(spec.source), read_series(spec.series)
    with open_workspace(source.workspace) as workspace:
        tree = workspace.tree
        if tree.state.pristine != source.identity:
            source.populate(tree)
        return try_series(patches, tree.pristine)
