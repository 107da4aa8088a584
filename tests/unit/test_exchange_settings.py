"""The exchange's key file."""

from pathlib import Path

import pytest
from prunella.errors import ConfigError
from prunella.exchange import ensure_venue_key, read_key


def test_venue_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """The second call gives the first key back."""
    path = tmp_path / "venue.key"
    key = ensure_venue_key(path)
    assert ensure_venue_key(path) == key == read_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert key.secret not in repr(key)


def test_bad_key_file_names_itself_and_what_was_expected(tmp_path: Path) -> None:
    """Missing, and not a key."""
    path = tmp_path / "venue.key"
    with pytest.raises(ConfigError, match=f"{path}: cannot read the API key"):
        read_key(path)
    path.write_text('{"api_key": 1}')
    with pytest.raises(ConfigError, match=f"{path}: expected"):
        ensure_venue_key(path)
