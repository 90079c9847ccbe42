# SPDX-License-Identifier: Apache-2.0
"""Check before a build whether a series applies to its source."""

from collections.abc import Mapping, Sequence

from harness.kernel.patches.apply import Attempt, apply_series, try_series
from harness.kernel.patches.diff import Patch
from harness.kernel.patches.reach import Reach, Read, reach_of
from harness.kernel.patches.series import read_series
from harness.kernel.patches.unpacked import Trial
from harness.kernel.source.content import Content
from harness.kernel.source.sources import Source, resolve_source, update_tree
from harness.kernel.source.tree import SourceTree
from harness.kernel.source.workspace import open_workspace
from harness.kernel.spec import KernelSpec


def fit_series(spec: KernelSpec) -> tuple[Attempt, ...]:
    """Try each patch of *spec*, up to the first that does not apply.

    Unpacks the source if necessary. Raises SourceError, and SeriesError for a file without patch.
    """
    return _try(read_series(spec.series), resolve_source(spec.source))


def reach_series(base: KernelSpec, whole: KernelSpec) -> Reach:
    """What the series of *whole* changes of *base*, the same source with the first patches of it.

    Raises SeriesError if it does not apply.
    """
    source = resolve_source(whole.source)
    with open_workspace(source.workspace) as workspace:
        tree = workspace.tree
        update_tree(tree, source)
        before, after = (
            apply_series(read_series(one.series), tree.pristine) for one in (base, whole)
        )
        changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        return reach_of(sorted(changed), _reader(tree, before), _reader(tree, after))


def _reader(tree: SourceTree, changed: Mapping[str, Content | None]) -> Read:
    """Reads files of *tree*, of which some are *changed*."""
    return lambda path: _text(changed[path] if path in changed else tree.pristine(path))


def _text(content: Content | None) -> str:
    return content.data.decode(errors="replace") if content else ""


def try_source(patches: Sequence[Patch], text: str) -> Trial:
    """Try *patches* on the kernel source that *text* names; unpacks it if necessary."""
    source = resolve_source(text)
    return Trial(text, str(source.version), _try(patches, source))


def _try(patches: Sequence[Patch], source: Source) -> tuple[Attempt, ...]:
    with open_workspace(source.workspace) as workspace:
        update_tree(workspace.tree, source)
        return try_series(patches, workspace.tree.pristine)
