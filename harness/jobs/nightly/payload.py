# SPDX-License-Identifier: Apache-2.0
"""A job with the files that it needs, for a worker that has only the harness."""

from dataclasses import dataclass, replace
from pathlib import Path

from harness.base.errors import HostError
from harness.jobs.nightly.job import Job
from harness.jobs.nightly.runner import Runner, find_runner
from harness.kernel import default_fragments


@dataclass(frozen=True)
class Payload:
    """*patches* and *config* are names and contents; *qemu* is the banner that the job is for.

    *runner* is the name of the plan's runner, *store* the URL of the shared kernels.
    """

    job: Job
    runner: str
    store: str
    qemu: str
    patches: tuple[tuple[str, bytes], ...]
    config: tuple[tuple[str, bytes], ...]


def pack(job: Job, name: str, store: str) -> Payload:
    """Read what *job* needs, on the machine that planned it; *name* is the runner's."""
    runner, spec = find_runner(name), job.request.spec
    extra = spec.fragments[len(default_fragments()) :]
    return Payload(
        job,
        name,
        store,
        runner.qemu(job.request.qemu).banner,
        runner.look(spec).patches,
        tuple((path.name, path.read_bytes()) for path in extra),
    )


def unpack(payload: Payload, folder: Path) -> tuple[Job, Runner]:
    """Write the files to *folder*, and return the job with their paths.

    Raises HostError if this machine's harness or QEMU is not the one that the job was planned for.
    """
    runner, job = find_runner(payload.runner), payload.job
    _same("harness", runner.basis(job.request), job.basis)
    _same(job.request.qemu, runner.qemu(job.request.qemu).banner, payload.qemu)
    series = _lay(payload.patches, folder / "series")
    config = _lay(payload.config, folder / "config")
    spec = replace(job.request.spec, series=series, fragments=(*default_fragments(), *config))
    _same(f"kernel of {spec.source}", runner.look(spec).key, job.kernel_key)
    return replace(job, request=replace(job.request, spec=spec, workers=job.slots)), runner


def _lay(files: tuple[tuple[str, bytes], ...], folder: Path) -> tuple[Path, ...]:
    """Write each file below a number of its own: two may have one name."""
    paths = tuple(folder / f"{number:04}" / name for number, (name, _) in enumerate(files))
    for path, (_, content) in zip(paths, files, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return paths


def _same(what: str, here: str, there: str) -> None:
    if here != there:
        raise HostError(
            f"the {what} on this machine differs from that of the machine that planned the night "
            f"({here} here, {there} there). Workers need the same checkout, compiler and QEMU, and "
            "local kernel sources at the same path."
        )
