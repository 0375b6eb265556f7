"""Distributions that are laid down for one test."""

import pytest

from support.dists import Installed


@pytest.fixture
def dists(tmp_path):
    return Installed(tmp_path)
