"""Settings files: what a person writes in, settings or a message that names the mistake out."""

from pathlib import Path

import msgspec
import pytest
from prunella.config import (
    COMPONENTS,
    AutonomySettings,
    HealingSettings,
    MarketSettings,
    Settings,
    StackSettings,
    load,
    save,
)
from prunella.errors import ConfigError
from prunella.healing.remediate.catalogue import NAMES
from prunella.trading.venue import local_endpoint


def refusal(tmp_path: Path, text: str) -> str:
    """What is said of a settings file with this text; it always names the file first."""
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ("[stak]\nport_base = 1", "stak", "stack"),
        ("[stack]\nprot_base = 1", "prot_base", "port_base"),
        ('[market]\nrecording = ["a"]', "recording", "recordings"),
        ("[market]\nsped = 2", "sped", "speed"),
        ('[trading]\nloss_mx = "1"', "loss_mx", "loss_max"),
        ('[trading.risk]\nquantity_mx = "1"', "quantity_mx", "quantity_max"),
        (
            "[trading.venues.primary]\norder_rate_per_secnd = 3",
            "order_rate_per_secnd",
            "order_rate_per_second",
        ),
        (
            '[trading.strategies.m]\nkind = "momentum"\nquantity = "1"\nfast_update = 3',
            "fast_update",
            "fast_updates",
        ),
        (
            '[healing.autonomy]\ncontain-cpu-ofender = "approve"',
            "contain-cpu-ofender",
            "contain-cpu-offender",
        ),
    ],
)
def test_misspelt_key_is_named_with_the_nearest_valid_one(
    tmp_path: Path, text: str, key: str, nearest: str
) -> None:
    """In every section: the message names the key and what was probably meant."""
    message = refusal(tmp_path, text)
    assert f"unknown field `{key}`" in message
    assert f"did you mean `{nearest}`?" in message


def test_key_of_another_section_is_not_taken_for_a_near_one(tmp_path: Path) -> None:
    """`speed` is valid under [market] alone, so under [stack] the keys of [stack] are told."""
    message = refusal(tmp_path, "[stack]\nspeed = 2.0")
    assert message.endswith("unknown field `speed` - at `$.stack`; valid here: port_base")


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ('[stack]\nport_base = "high"', "$.stack.port_base", "Expected `int`, got `str`"),
        ("market = 3", "$.market", "Expected `object`, got `int`"),
        ("[market]\nrecordings = [1]", "$.market.recordings[0]", "Expected `str`, got `int`"),
        ("[stack]\nport_base = 80", "$.stack", "port_base: expected 1024 to 65520, found 80"),
        ("[stack]\nport_base = 65530", "$.stack", "port_base: expected 1024 to 65520, found 65530"),
        ("[market]\nspeed = 0.0", "$.market", "speed: expected more than 0, found 0.0"),
        ("[market]\nspeed = nan", "$.market", "speed: expected more than 0, found nan"),
        (
            '[healing.autonomy]\nback-off-and-shed = "maybe"',
            "$.healing.autonomy.back-off-and-shed",
            "Invalid enum value 'maybe'",
        ),
    ],
)
def test_wrong_type_or_value_names_key_found_and_expected(
    tmp_path: Path, text: str, key: str, expected: str
) -> None:
    """The message says where it is, what was found and what was expected."""
    message = refusal(tmp_path, text)
    assert expected in message
    assert f"at `{key}`" in message


@pytest.mark.parametrize("text", ["[stack", "port_base: 18080\n", "[stack]\nport_base = 1\n" * 2])
def test_what_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    """An open bracket, YAML, and a table that is given twice."""
    assert "not valid TOML" in refusal(tmp_path, text)


def test_file_that_is_no_text_or_no_file_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8, and a folder of that name."""
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff\xfe[stack]")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot read the settings: Is a directory"):
        load(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[trading.venues.third]", "venue 'third' needs an address in [trading.endpoints.third]"),
        (
            '[trading.endpoints.prmary]\nrest_url="h"\nstream_url="w"\nws_api_url="w"',
            "[trading.endpoints.prmary] is the address of no venue; there are primary, backup",
        ),
        (
            '[trading.instrument]\nsymbol="A"\nbase="B"\nquote="Q"\ntick="0.01"\nlot="0.3"',
            "quantity_min: expected a multiple of 0.3, found 0.0001",
        ),
    ],
)
def test_tables_that_do_not_fit_together_are_refused_before_anything_starts(
    tmp_path: Path, text: str, expected: str
) -> None:
    """Otherwise the engine would die of it, and a person would have to read its log."""
    assert expected in refusal(tmp_path, text)


def test_file_that_is_not_there_gives_the_defaults(tmp_path: Path) -> None:
    """A stack needs no settings file."""
    assert load(tmp_path / "settings.toml") == Settings()


def test_saved_settings_are_loaded_the_same(tmp_path: Path) -> None:
    """What was written is what is read, privately and with nothing left beside it."""
    path = tmp_path / "settings.toml"
    recording = str(tmp_path / "session.gz")
    settings = Settings(
        stack=StackSettings(port_base=20_000),
        market=MarketSettings(recordings=(recording,), speed=2.5, seed=3),
        healing=HealingSettings(autonomy=AutonomySettings(contain_cpu_offender="observe")),
    )
    save(settings, path)
    assert load(path) == settings
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_relative_recording_begins_at_the_folder_of_the_settings(tmp_path: Path) -> None:
    """Each process finds the same file, wherever it and the person were started."""
    path = tmp_path / "settings.toml"
    path.write_text('[market]\nrecordings = ["session.gz", "/data/other.gz"]')
    assert load(path).market.recordings == (str(tmp_path / "session.gz"), "/data/other.gz")


def test_every_component_has_a_port_of_its_own_after_the_first() -> None:
    """Ports follow each other in the order of the components."""
    ports = Settings(stack=StackSettings(port_base=20_000)).ports()
    assert list(ports) == list(COMPONENTS)
    assert list(ports.values()) == list(range(20_000, 20_000 + len(COMPONENTS)))


def test_endpoint_is_the_own_exchange_unless_configured(tmp_path: Path) -> None:
    """One venue elsewhere, the other on this stack's port."""
    path = tmp_path / "settings.toml"
    elsewhere = local_endpoint(9_001)
    text = {"trading": {"endpoints": {"backup": msgspec.to_builtins(elsewhere)}}}
    path.write_bytes(msgspec.toml.encode(text))
    settings = load(path)
    own = local_endpoint(settings.ports()["exchange-primary"])
    assert settings.endpoints() == {"primary": own, "backup": elsewhere}


def test_autonomy_has_a_key_for_every_workflow_and_no_other() -> None:
    """A workflow without a key could not be restrained."""
    assert tuple(AutonomySettings().by_workflow()) == NAMES
    text = '[healing.autonomy]\ncontain-cpu-offender = "approve"'
    healing = msgspec.toml.decode(text, type=Settings).healing
    assert healing.autonomy.by_workflow()["contain-cpu-offender"] == "approve"
