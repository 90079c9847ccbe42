# SPDX-License-Identifier: Apache-2.0
"""A plan becomes jobs: every combination once, named by all that decides how it ends."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from kernel_trees import SLOTS_PATCH, tiny_tree
from nightly_plans import Desk
from scratch_git import commit_all

from harness.jobs.nightly import expand, find_runner, read_plan
from harness.jobs.nightly.expand import Expansion
from harness.jobs.nightly.runner import SUITE
from harness.kernel import KernelSpec
from harness.results import SuiteRequest


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return Desk(tmp_path)


def jobs(desk: Desk) -> Expansion:
    plan = read_plan(desk.plan)
    return expand(plan, find_runner(plan.runner))


def test_every_combination_is_a_job(desk: Desk) -> None:
    desk.write()

    names = [job.name for job in jobs(desk).jobs]

    assert names == [
        f"{kernel}/plain/plain/default/{group}"
        for kernel in ("one", "two")
        for group in ("first", "second")
    ]


def test_two_names_for_one_thing_are_one_job_with_the_higher_priority(desk: Desk) -> None:
    desk.write(kernels=("one", "alias"))
    desk.kernel("alias", "one")
    desk.plan.write_text(desk.plan.read_text() + "[[cross]]\n[[cross]]\npriority = 7\n")

    assert [(job.kernel, job.priority) for job in jobs(desk).jobs] == [("one", 7), ("one", 7)]


def test_a_kernel_that_cannot_be_had_costs_its_own_jobs_only(desk: Desk) -> None:
    desk.write()
    desk.plan.write_text(desk.plan.read_text() + '[qemus]\nno = "missing"\nyes = "there"\n')

    found = jobs(desk)

    assert [job.qemu for job in found.jobs] == ["yes"] * 4
    assert {one.why for one in found.lost} == {"there is no such QEMU"}


@pytest.fixture
def request_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SuiteRequest:
    """The suite's own request, on a tiny tree, with a checkout of two test files."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.results.identity.CHECKOUT", tmp_path)
    for name in (
        "suite/test_a.py",
        "suite/test_b.py",
        "suite/conftest.py",
        "machine/fence/smmu.py",
    ):
        path = tmp_path / "harness" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        imports = "from harness.machine.fence import smmu\n" if "test_a" in name else ""
        path.write_text(f"{imports}pass\n")
    spec = KernelSpec(str(tiny_tree(tmp_path / "tree")), fragments=())
    return SuiteRequest(spec, tests=("harness/suite/test_a.py::test_it",))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("suite/test_a.py", True),
        ("suite/test_b.py", False),
        ("suite/conftest.py", True),
        ("machine/fence/smmu.py", True),
    ],
)
def test_tests_rest_on_their_own_file_and_on_all_that_is_no_test(
    tmp_path: Path, request_of: SuiteRequest, name: str, changes: bool
) -> None:
    before = SUITE.basis(request_of)
    (tmp_path / "harness" / name).write_text("assert False\n")

    assert (SUITE.basis(request_of) != before) is changes


def test_all_tests_rest_on_every_file(tmp_path: Path, request_of: SuiteRequest) -> None:
    everything = replace(request_of, tests=("harness/suite",))
    before = SUITE.basis(everything)
    (tmp_path / "harness/suite/test_b.py").write_text("assert False\n")

    assert SUITE.basis(everything) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, tier="nightly"),
        lambda one: replace(one, tests=()),
        lambda one: replace(one, words=("-x",)),
    ],
)
def test_what_is_asked_for_is_part_of_it(
    request_of: SuiteRequest, change: Callable[[SuiteRequest], SuiteRequest]
) -> None:
    assert SUITE.basis(change(request_of)) != SUITE.basis(request_of)


def test_how_many_guests_run_at_a_time_is_not(request_of: SuiteRequest) -> None:
    assert SUITE.basis(replace(request_of, workers=9)) == SUITE.basis(request_of)


def test_a_kernel_is_known_by_its_source_and_series(
    tmp_path: Path, request_of: SuiteRequest
) -> None:
    (tmp_path / "slots.patch").write_bytes(SLOTS_PATCH)
    plain = SUITE.look(request_of.spec)
    patched = SUITE.look(replace(request_of.spec, series=(tmp_path / "slots.patch",)))

    assert plain.key != patched.key
    assert patched.patches == (("slots.patch", SLOTS_PATCH),)


def test_the_tip_of_a_branch_is_found_anew_and_then_stays(request_of: SuiteRequest) -> None:
    repository = Path(request_of.spec.source)
    commit_all(repository, "one")
    source = f"git:{repository}@main"
    first = SUITE.pin(source)

    (repository / "README").write_text("two")
    commit_all(repository, "two")

    assert SUITE.pin(source) != first
    kept = SUITE.look(replace(request_of.spec, source=first))
    assert kept.key != SUITE.look(replace(request_of.spec, source=source)).key


def test_the_newest_package_is_found_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    newest = type("Candidate", (), {"suite": "sid", "package": "linux-source-7.3"})
    monkeypatch.setattr("harness.kernel.source.sources.newest", newest)

    assert SUITE.pin("debian:newest") == "debian:sid/linux-source-7.3"
