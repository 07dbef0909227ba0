"""A scripted model provider that the tests of the agent share."""

from collections.abc import Iterator

import pytest

from tests.providers import Provider, running_provider


@pytest.fixture(scope="session")
def shared_provider() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def provider(shared_provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The provider, to which the variables of this process lead."""
    for name, value in shared_provider.environment().items():
        monkeypatch.setenv(name, value)
    return shared_provider
