"""The command line without a stack: help for newcomers, and one sentence for each mistake."""

import gzip
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import typer
from command_line import COMMAND, Said
from command_line import run as run_process
from prunella.cli import main
from prunella.cli.app import app
from prunella.cli.stack import free_port_base, new_home
from prunella.config import Settings, StackSettings, save
from prunella.journal import JournalWriter
from prunella.trading.runtime import TradingSettings
from typer.testing import CliRunner

SNAPSHOT = '1000 {"lastUpdateId":10,"bids":[["100.00","2"]],"asks":[["101.00","3"]]}\n'
TICKER = '{"stream":"t","data":{"u":%d,"s":"B","b":"100.00","B":"1","a":"101.00","A":"1"}}'
TICKERS = "".join(f"{n + 1000} {TICKER % n}\n" for n in range(11, 4_000))

Typed = Callable[..., Said]

HELP = {
    "demo": ("break things for real", "--market", "--json", "--keep", "Exit status 0"),
    "up": ("Start a stack", "--market", "--home"),
    "status": ("Show every process", "--json"),
    "down": ("Stop the stack", "--json"),
    "inject": ("something bad", "venue-freeze", "--seconds"),
    "evaluate": (
        "let every arm heal it",
        "--quick",
        "--arm",
        "--fault",
        "--repeats",
        "--held-out",
        "--resume",
        "--json",
        "Exit status 0",
    ),
    "incidents": ("evidence to outcome", "inc-000007", "--json"),
    "kill": ("Kill switch", "Latched until", "--reason"),
    "switch": ("active one", "--reason"),
    "resume": ("Trade again", "needs a name and a reason", "--name", "--reason"),
    "approvals": ("wait for people's signatures", "--json"),
    "approve": ("Sign for an action", "--sign-with", "--person", "--workflow", "--minutes"),
    "reject": ("Say no to an action", "--sign-with", "--person", "--reason"),
    "agents add": ("one more replica", "learns what is normal", "--json"),
    "agents disable": ("no more", "--name", "--reason"),
    "agents enable": ("Listen to a replica again", "--name", "--reason"),
    "agents remove": ("take over its share at once", "--json"),
    "policy check": ("against their schema", "--json"),
    "policy test": ("Run the tests of the rules", "--mutants", "--json"),
    "policy explain": ("every verdict of an incident", "--json"),
    "maintenance": ("Announce work", "leaves it alone", "--seconds"),
    "freeze": ("Stop the healing plane", "thaw", "--reason"),
    "thaw": ("act again", "--reason"),
    "ledger verify": ("Check the ledger offline", "first bad entry", "--witness", "--needed"),
    "ledger prove": ("lead from its bytes to the signed root", "--folder", "--json"),
    "ledger export": ("checked without the ledger", "--incident", "--since", "--script"),
    "ledger cosign": ("Be a witness", "--sign-with", "--name", "--folder", "--json"),
    "journal verify": ("every entry, link, segment", "first bad place", "--json"),
    "journal ls": ("List the segments", "--json"),
    "journal prune": ("oldest segments", "--keep-gb", "--keep-days", "--json"),
    "order submit": ("immediate-or-cancel", "--limit", "--stop", "--display", "--reduce-only"),
    "order twap": ("equal slices", "--for", "--every", "--worse-ppm-max"),
    "order vwap": ("volume curve", "--curve", "--child-max"),
    "order pov": ("share of what trades", "--share", "--slippage-ppm"),
    "order list": ("orders that the engine keeps", "--json"),
    "order show": ("average price", "--json"),
    "order cancel": ("everything of it that works", "--reason"),
    "order pause": ("works of it is cancelled", "--reason"),
    "order resume": ("paused order go on", "--reason"),
    "order amend": ("cannot fill twice", "--limit", "--quantity"),
    "telemetry ls": ("List the segments", "--json"),
    "telemetry show": ("Sum up each series", "--since", "--entity", "--json"),
    "telemetry export": ("for other programs", ".parquet", "--metric", "--until"),
    "model train": ("walk it forward", "--algorithm", "--horizon-ms", "--folds", "--json"),
    "model list": ("which strategy trades with it", "--json"),
    "model show": ("manifest", "--json"),
    "model check": ("against ONNX Runtime's", "--json"),
    "model promote": ("at once if the stack runs", "--strategy", "--reason", "--json"),
    "model rollback": ("before the current one", "--strategy", "--reason", "--json"),
    "orders": ("each change of one", "PRN-7-42", "--journal", "--json"),
    "best-execution": ("every venue offered", "--journal", "--json"),
    "reason check": ("usable answer", "--json"),
    "detect file": ("Tell what is unusual in a table", "--period", "--plot", "--json"),
    "detect evaluate": ("Score the detector on labelled series", "--json"),
    "limits show": ("every limit in force", "--json"),
    "limits set": ("with your signature", "--reason", "--sign-with", "--person", "--json"),
    "limits reload": ("tighter limits are put in force", "--reason", "--json"),
    "limits key": ("Allow a person to sign", "--home"),
    "limits rearm": ("Let a strategy go on", "--reason", "--json"),
    "trace": ("first telemetry sample to the verified repair", "--otlp", "--json"),
    "postmortem": ("each sentence with the ledger entries", "--html", "--out", "--json"),
    "replay": ("think and decide an incident again", "--policy", "--reasoner", "--json"),
    "backtest": ("Trade recorded markets", "--sweep", "--fees", "--latency", "--report", "--json"),
    "breaks accept": ("the balance is right at the venue", "--name", "--reason"),
    "positions": ("What is held and what it earned", "--by", "--cost", "--journal", "--json"),
    "record": ("exactly as it sends it", "--rotate-mb", "--duration", "--url", "Ctrl-C"),
    "market check": ("Check recordings", "--plot", "--silence-ms", "--json", "Exit status 0"),
    "watch": ("Watch the trading", "--seconds", "--json"),
    "flow": ("Follow the flow of our orders", "--seconds", "--json"),
    "send limit": ("Tighten a limit at once", "--name", "--reason"),
    "send parameters": ("Change a running strategy's parameters", "NAME=VALUE", "--reason"),
    "send kill": ("Halt and cancel everything", "--reason", "--name"),
    "send pause": ("No new orders", "--venue", "--reason"),
    "send reduce": ("make a position smaller", "--reason"),
    "send cancel-all": ("Cancel all working orders", "--venue"),
    "send switch": ("Route new flow to another venue", "--reason"),
    "send rate": ("fewer orders for a while", "--seconds"),
    "send resume": ("Trade again", "--name", "--reason"),
    "bench": ("Measure", "beside other systems", "--only", "--compare", "--json"),
}


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Typed:
    """Types a command in this process, through the very entry point that a person's goes."""

    def typed(*arguments: str | Path) -> Said:
        monkeypatch.setattr("sys.argv", ["prunella", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return Said(int(end.value.code or 0), out, err)

    return typed


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder that is not there yet and that every command takes."""
    path = tmp_path / "h"
    monkeypatch.setenv("PRUNELLA_HOME", str(path))
    return path


def told(said: Said) -> str:
    """The one sentence of a refusal: exit status 2, nothing on standard output, no trace."""
    assert said.status == 2
    assert said.out == ""
    assert said.err.startswith("prunella: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("prunella: ").rstrip("\n")


def commands(group: typer.core.TyperGroup, before: str = "") -> Iterator[str]:
    """Every command by the words that a person types."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name


def test_every_command_is_in_the_table_of_helps() -> None:
    """A command that is added without a tested help is found here."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    assert sorted(commands(group)) == sorted(HELP)


@pytest.mark.parametrize("command", HELP)
def test_help_says_what_a_command_does(command: str) -> None:
    """What it does in its first words, and every option that a newcomer needs."""
    said = CliRunner().invoke(
        app, [*command.split(), "--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    )
    assert said.exit_code == 0
    flat = " ".join(said.output.split())
    assert [words for words in HELP[command] if words not in flat] == []


def test_without_a_command_help_says_where_to_start(typed: Typed) -> None:
    """A newcomer types `prunella` first."""
    said = typed()
    assert "Start with" in said.out + said.err
    assert "demo" in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("status",), "no stack is up in {home}; start one with `prunella up`"),
        (("down",), "no stack is up in {home}; start one with `prunella up`"),
        (("incidents",), "no stack is up in {home}; start one with `prunella up`"),
        (("inject", "engine-crash"), "no stack is up in {home}; start one with `prunella up`"),
        (("maintenance", "engine"), "no stack is up in {home}; start one with `prunella up`"),
        (("freeze",), "no stack is up in {home}; start one with `prunella up`"),
        (("thaw",), "no stack is up in {home}; start one with `prunella up`"),
        (("kill",), "{home}/keys/control.token is missing; `prunella up` makes it"),
        (("switch", "backup"), "{home}/keys/control.token is missing; `prunella up` makes it"),
        (
            ("resume", "--name", "ada", "--reason", "checked"),
            "{home}/keys/control.token is missing; `prunella up` makes it",
        ),
        (("incidents", "nope"), "no incident 'nope'; there are: none"),
        (("replay",), "{home}/journal/engine is not a folder; give the journal folder"),
        (("journal", "verify"), "{home}/journal/engine holds no journal; give the journal folder"),
        (
            ("journal", "prune", "--keep-gb", "1"),
            "{home}/journal/engine holds no journal; give the",
        ),
        (("ledger", "verify"), "{home}/ledger holds no ledger; give the ledger folder of a stack"),
    ],
)
def test_question_without_a_stack_gets_one_sentence_and_makes_nothing(
    typed: Typed, home: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    """Asking about a folder must not leave a folder behind."""
    assert sentence.format(home=home) in told(typed(*arguments))
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (("resume", "--reason", "checked"), "--name"),
        (("resume", "--name", "ada"), "--reason"),
        (("inject",), "fault"),
        (("inject", "engine-crsh"), "engine-crash"),
        (("inject", "engine-crash", "--seconds", "-1"), "--seconds"),
        (("demo", "--speed", "0"), "--speed"),
        (("demmo",), "demmo"),
    ],
)
def test_missing_or_wrong_argument_is_named(
    typed: Typed, arguments: tuple[str, ...], missing: str
) -> None:
    """Exit status 2, and the argument's name in what is said."""
    said = typed(*arguments)
    assert said.status == 2
    assert missing in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("command", ["up", "demo"])
@pytest.mark.parametrize(
    "bad",
    [
        ("gone.gz", None, "expected a recording, cannot open it: No such file or directory"),
        ("plain.gz", SNAPSHOT.encode(), "expected gzip because of the name's ending"),
        (
            "cut.gz",
            gzip.compress((SNAPSHOT + TICKERS).encode())[:-2_000],
            "expected more of the packed file, found its end: it was cut off",
        ),
        ("prices.csv", b"time,price\n1,2\n", "unknown format: expected lines `RECEIVE_TIME_NS"),
        ("broken", f"{SNAPSHOT}1001 {{\n".encode(), ": line 2: expected "),
        ("empty", b"", "expected at least one recorded frame"),
        ("no_snapshot", TICKERS.encode(), "expected a depth snapshot"),
    ],
)
def test_bad_recording_is_told_before_anything_starts(
    typed: Typed, home: Path, command: str, bad: tuple[str, bytes | None, str]
) -> None:
    """The file, the line and what was expected; no process and no settings are left."""
    name, content, sentence = bad
    path = home.parent / name
    if content is not None:
        path.write_bytes(content)
    message = told(typed(command, "--market", path))
    assert str(path) in message
    assert sentence in message
    assert not (home / "settings.toml").exists()


def test_replay_of_a_wrong_folder_says_what_was_expected(typed: Typed, tmp_path: Path) -> None:
    """A folder without a journal, a file, and nothing at all."""
    file = tmp_path / "file"
    file.touch()
    assert "holds no journal of an engine" in told(typed("replay", tmp_path))
    assert "is not a folder" in told(typed("replay", file))
    assert "is not a folder" in told(typed("replay", tmp_path / "gone"))
    assert list(tmp_path.iterdir()) == [file]


def test_verifying_a_folder_without_a_ledger_is_no_success(typed: Typed, tmp_path: Path) -> None:
    """Nothing was checked, so nothing may be called whole."""
    assert "holds no ledger" in told(typed("ledger", "verify", tmp_path, "--key", "k"))


def test_home_path_that_is_too_long_is_told_with_the_remedy(typed: Typed, tmp_path: Path) -> None:
    """A unix socket in it could not be bound, and would fail obscurely."""
    home = tmp_path / ("h" * 120)
    assert "Choose a shorter --home" in told(typed("up", "--home", home))
    assert "no stack is up" in told(typed("status", "--home", home))


def test_home_that_cannot_be_made_is_told(typed: Typed, tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    file = tmp_path / "file"
    file.touch()
    sentence = told(typed("up", "--home", file / "h"))
    assert sentence == f"cannot make the home folder {file / 'h'}: Not a directory"


def test_demo_keeps_nothing_in_a_folder_that_is_in_use(typed: Typed, tmp_path: Path) -> None:
    """A run must not be mixed with what is there."""
    (tmp_path / "mine").touch()
    assert "is not empty; name a new folder" in told(typed("demo", "--keep", tmp_path))


def test_misspelt_setting_stops_up_with_file_key_and_nearest(typed: Typed, home: Path) -> None:
    """Settings are checked before anything starts."""
    new_home(home)
    (home / "settings.toml").write_text("[stack]\nprot_base = 20000\n")
    sentence = told(typed("up"))
    assert f"{home}/settings.toml: " in sentence
    assert "did you mean `port_base`?" in sentence


def test_port_in_use_is_named_with_its_component_and_the_remedy(typed: Typed, home: Path) -> None:
    """Whoever listens there is left alone."""
    settings = Settings(stack=StackSettings(port_base=free_port_base()))
    save(settings, new_home(home).settings)
    port = settings.ports()["engine"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        sentence = told(typed("up"))
    assert f"in use on 127.0.0.1: port {port} (engine)" in sentence
    assert "`port_base` under [stack]" in sentence


def test_real_process_ends_with_status_2_and_one_sentence(home: Path) -> None:
    """As a shell sees it: `python -m prunella`, its exit status, its two streams."""
    said = run_process("status", home=home)
    assert told(said) == f"no stack is up in {home}; start one with `prunella up`"


def test_reader_that_goes_away_makes_no_noise(home: Path) -> None:
    """`prunella --help | head -1` must not end in a traceback."""
    process = subprocess.Popen(
        [*COMMAND, "--help"],
        env=os.environ | {"PRUNELLA_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=20)
    assert b"Traceback" not in err


CHANGE = '{"e":"depthUpdate","E":%d,"s":"X","U":%d,"u":%d,"b":[["1","%d"]],"a":[["2","1"]]}'
SNAPSHOT = '{"lastUpdateId":3,"bids":[["1","3"]],"asks":[["2","1"]]}'
T_NS = 1_723_161_253_937_000_000


def _session(path: Path, numbers: list[int]) -> Path:
    """A recording with these changes, a millisecond apart, and a snapshot after the third."""
    lines = [CHANGE % (T_NS // 1_000_000, number, number, number) for number in numbers]
    lines.insert(3, SNAPSHOT)
    text = "".join(f"{T_NS + at * 1_000_000} {line}\n" for at, line in enumerate(lines))
    path.write_text(text)
    return path


def test_market_check_tells_clean_findings_and_unreadable_apart(
    typed: Typed, tmp_path: Path
) -> None:
    """Exit status 0, 1 and 2; the last names file and line."""
    clean = typed("market", "check", _session(tmp_path / "clean", [1, 2, 3, 4, 5]), "--json")
    found = msgspec.json.decode(clean.out)
    assert (clean.status, found["findings"]) == (0, [])
    assert found["instruments"][0]["top"] == [["1", "5"], ["2", "1"]]
    plot = tmp_path / "plot.html"
    gap = typed("market", "check", _session(tmp_path / "gap", [1, 2, 3, 4, 6, 7]), "--plot", plot)
    assert gap.status == 1
    assert "X: 1 gaps" in gap.out
    assert "X: the book is not in step at the end" in gap.out
    page = plot.read_text()
    assert "mid price" in page
    assert '<script src="http' not in page
    broken = tmp_path / "broken"
    broken.write_text('1723161253937085768 {"e":"depthUpdate"}\n1723161253937085769 {"e":\n')
    assert "broken: line 2: expected a value" in told(typed("market", "check", broken))
    assert "expected frames of Binance" in told(typed("market", "check", _other(tmp_path)))


def _other(folder: Path) -> Path:
    path = folder / "other"
    path.write_text('1723161253937085768 {"hello":"world"}\n')
    return path


def test_record_refuses_what_it_does_not_know(typed: Typed) -> None:
    """A venue without an adapter, an address without a scheme."""
    assert "there are binance, " in told(typed("record", "nowhere", "X"))
    assert "expected an address such as wss://" in told(
        typed("record", "kraken", "X", "--url", "localhost:1")
    )


def test_journal_of_another_version_is_told_in_a_sentence(tmp_path: Path, typed: Typed) -> None:
    """Its states cannot be reached again; nobody is helped by a stack trace."""
    writer = JournalWriter(tmp_path)
    writer.append(1, 1, TradingSettings().core())
    writer.append(2, 11, bytes(32))
    writer.close()
    said = typed("positions", "--journal", tmp_path)
    assert said.status == 2
    assert said.err.startswith("prunella: entry 2: expected the state hash 0000")
    assert "another version of the core wrote this journal" in said.err


def test_policy_commands_check_test_and_name_what_is_wrong(typed: Typed, home: Path) -> None:
    """The shipped rules pass with every bent one noticed; an own rule that permits is refused."""
    assert "they fit the schema" in typed("policy", "check").out
    said = typed("policy", "test", "--mutants", "--json")
    report = msgspec.json.decode(said.out)
    assert (said.status, report["failed"], report["unnoticed"]) == (0, [], [])
    assert report["mutants"] > len(report) * 10
    assert "holds no verdict of 'inc-000007'" in told(typed("policy", "explain", "inc-000007"))
    own = home / "policies"
    own.mkdir(parents=True)
    (own / "all.cedar").write_text('@id("permit-local")\npermit (principal, action, resource);')
    assert "begins forbid-local-" in told(typed("policy", "check"))
    assert "no stack is up" in told(typed("approvals"))
