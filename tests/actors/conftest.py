"""What actor tests have in common."""

import pytest

from pyshare.store.faults import Faults
from pyshare.store.interface import StoreLimits
from pyshare.store.memory import MemoryStore


@pytest.fixture
def faults() -> Faults:
    """What the store is told to do wrong."""
    return Faults()


@pytest.fixture
def store(faults: Faults) -> MemoryStore:
    """A store that instances share."""
    return MemoryStore(StoreLimits(), faults=faults)
