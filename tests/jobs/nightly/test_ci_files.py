# SPDX-License-Identifier: Apache-2.0
"""The ready-made jobs call what there is: the script, the plan, options that exist."""

import argparse
import configparser
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.base.paths import CHECKOUT
from harness.base.tools import CROSS_LIST, PACKAGE_LIST, PACKAGES, run_tool
from harness.cli import main
from harness.jobs.nightly.toml import parse_seconds

READY = CHECKOUT / ".ci/nightly"

MADE_BY_THE_JOB = ("$CI_PROJECT_DIR", "/cache")
"""Directories that are there where the job runs."""


def commands() -> Iterator[Any]:
    """The command line by which each of the ready-made jobs starts a night."""
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # systemd minds the case
    unit.read(READY / "restricted-dma-nightly.service")
    start = unit["Service"]["ExecStart"].replace("%h/restricted-dma-harness/", "")
    yield pytest.param(start, id="systemd")
    gitlab = yaml.safe_load((READY / "gitlab-ci.yml").read_text())
    yield pytest.param(gitlab["nightly"]["script"][0], id="gitlab")
    github = yaml.safe_load((READY / "github-actions.yml").read_text())
    steps = github["jobs"]["nightly"]["steps"]
    run = next(one["run"] for one in steps if one.get("name") == "the night")
    yield pytest.param(run[run.index("scripts/nightly") :], id="github")


@pytest.mark.parametrize("command", list(commands()))
def test_a_ready_made_job_calls_the_script_with_a_plan_and_options_that_exist(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in MADE_BY_THE_JOB:
        command = command.replace(place, str(tmp_path))
    script, *words = shlex.split(command)
    calls: list[argparse.Namespace] = []
    monkeypatch.setattr("harness.cli.nightly.run", lambda call: calls.append(call) or 0)

    main(["nightly", *words])

    assert (CHECKOUT / script).stat().st_mode & 0o100
    assert (CHECKOUT / calls[0].plan).is_file()
    assert parse_seconds(calls[0].budget or "8 h") > 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = sorted(READY.glob("restricted-dma-nightly.*"))
    for unit in units:
        text = unit.read_text().replace("%h/restricted-dma-harness", str(CHECKOUT))
        (tmp_path / unit.name).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / unit.name for unit in units)],
        check=False,
        capture_output=True,
        text=True,
    )

    assert [unit.suffix for unit in units] == [".service", ".timer"]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("script", "tool", "called"),
    [
        ("nightly", "harness", "harness nightly docs/plan.toml --list"),
        ("worker", "dask", "dask worker --nthreads"),
    ],
)
def test_a_script_sets_up_and_hands_its_arguments_on(
    tmp_path: Path, script: str, tool: str, called: str
) -> None:
    for name in ("scripts/setup", f".venv/bin/{tool}"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(f'#!/bin/sh\necho {path.name} "$@"\n')
        path.chmod(0o755)
    shutil.copy(CHECKOUT / "scripts" / script, tmp_path / "scripts")

    done = subprocess.run(
        [tmp_path / "scripts" / script, "docs/plan.toml", "--list"],
        check=True,
        cwd="/",
        capture_output=True,
        text=True,
    )

    setup, call = done.stdout.splitlines()
    assert setup == "setup"
    assert call.startswith(called)
    assert call.endswith("docs/plan.toml --list")


def test_the_image_has_the_packages_of_the_list() -> None:
    text = (CHECKOUT / "scripts/Containerfile").read_text().replace("\\\n", " ")
    install = next(line for line in text.splitlines() if "apt-get install" in line)
    listed = re.search(r"\$\((awk '[^']*') /tmp/packages/\*\)", install)
    assert listed is not None

    said = run_tool(["sh", "-c", f"{listed[1]} {PACKAGE_LIST} {CROSS_LIST}"]).decode()
    copied = next(line for line in text.splitlines() if line.startswith("COPY scripts/"))

    assert set(said.split()) == set(PACKAGES.values())
    assert {f"scripts/{one.name}" for one in (PACKAGE_LIST, CROSS_LIST)} < set(copied.split())
    assert {"ca-certificates", "python3-venv"} <= set(install.split())


def test_the_jobs_build_and_use_that_image() -> None:
    gitlab = yaml.safe_load((READY / "gitlab-ci.yml").read_text())
    github = yaml.safe_load((READY / "github-actions.yml").read_text())
    runs = [step.get("run", "") for step in github["jobs"]["nightly"]["steps"]]

    assert any("-f scripts/Containerfile" in line for line in gitlab["image"]["script"])
    assert gitlab["nightly"]["image"]["name"] == "$HARNESS_IMAGE"
    assert any(run.startswith("docker build -f scripts/Containerfile -t ") for run in runs)
    assert "container" not in github["jobs"]["nightly"]
