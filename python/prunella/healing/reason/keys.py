"""Settings and environment in, the endpoints' keys out; a key is never in the settings."""

from collections.abc import Mapping
from pathlib import Path

from prunella.errors import ConfigError
from prunella.healing.reason.settings import EndpointSettings


def load_key(name: str, endpoint: EndpointSettings, environment: Mapping[str, str]) -> str:
    """The key of an endpoint; empty where it needs none.

    Raises:
        ConfigError: The variable or the file is not there, is empty, or others can read the file.
    """
    where = f"[healing.reason.endpoints.{name}]"
    if endpoint.key_env:
        key = environment.get(endpoint.key_env, "").strip()
        if not key:
            raise ConfigError(f"{where}: environment variable {endpoint.key_env} is not set")
        return _checked(key, where)
    if not endpoint.key_file:
        return ""
    path = Path(endpoint.key_file).expanduser()
    try:
        mode = path.stat().st_mode
        key = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError(f"{where}: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: {path}: expected a key in ASCII") from None
    if mode & 0o077:
        raise ConfigError(f"{where}: {path}: others can read it; chmod 600 {path}")
    if not key:
        raise ConfigError(f"{where}: {path}: it is empty")
    return _checked(key, where)


def _checked(key: str, where: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{where}: the key should be one printable word")
    return key
