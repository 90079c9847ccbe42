# SPDX-License-Identifier: Apache-2.0
"""An empty cache, and what is said about evictions from it."""

from pathlib import Path

import pytest

from harness.base.cache.budget import VARIABLE


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    directory = tmp_path / "cache"
    directory.mkdir()
    monkeypatch.setenv("HARNESS_CACHE", str(directory))
    monkeypatch.setenv(VARIABLE, "1G")
    return directory


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said about evictions, and nothing of it was said before."""
    lines: list[str] = []
    monkeypatch.setattr("harness.base.cache.evict.say", lines.append)
    monkeypatch.setattr("harness.base.cache.evict._said", set())
    return lines
