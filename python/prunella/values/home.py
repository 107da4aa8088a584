"""`Home`: the one folder that a running stack keeps everything in, and where things are in it."""

from pathlib import Path

UNIX_PATH_MAX = 107
"""Longest path that fits a unix socket address on Linux; beyond it, bind fails obscurely."""


class Home:
    """Paths inside the home folder; makes the folders private to their owner.

    Example:
        >>> import tempfile
        >>> home = Home(Path(tempfile.mkdtemp()) / "h").create()
        >>> home.socket("engine").name
        'engine.sock'
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.run = self.root / "run"
        self.keys = self.root / "keys"
        self.logs = self.root / "logs"
        self.ledger = self.root / "ledger"
        self.exchange = self.root / "exchange"
        self.engine_journal = self.root / "journal" / "engine"
        self.models = self.root / "models"
        self.telemetry = self.root / "telemetry"
        self.settings = self.root / "settings.toml"
        self.good_settings = self.root / "settings.good.toml"
        self.policies = self.root / "policies"

    def create(self) -> "Home":
        """Makes every folder (mode 0700) and hands back itself.

        Raises:
            ValueError: The path is too long for a unix socket inside it, or the folder holds
                something else.
        """
        longest = max(
            str(self.exchange_control("primary")), str(self.socket("bus-out-urgent")), key=len
        )
        if len(longest) > UNIX_PATH_MAX:
            raise ValueError(
                f"the home folder's path is too long for a unix socket ({len(longest)} > "
                f"{UNIX_PATH_MAX} characters): {longest}. Choose a shorter --home."
            )
        if self.root.is_dir() and any(self.root.iterdir()) and not self._is_ours():
            raise ValueError(f"{self.root} holds something else; name a new folder with --home")
        for folder in (self.run, self.keys, self.logs, self.ledger, self.exchange):
            folder.mkdir(parents=True, exist_ok=True)
        self.engine_journal.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        return self

    def _is_ours(self) -> bool:
        """Whether the folder is a stack's: somebody else's is not to be made private."""
        return self.settings.exists() or self.keys.is_dir()

    def socket(self, name: str) -> Path:
        """The unix socket of that name."""
        return self.run / f"{name}.sock"

    def exchange_accounts(self, venue: str) -> Path:
        """Where a simulated exchange keeps its accounts."""
        return self.exchange / f"{venue}.json"

    def exchange_control(self, venue: str) -> Path:
        """The unix socket where a simulated exchange is told to misbehave."""
        return self.exchange / f"{venue}.sock"

    def key(self, name: str) -> Path:
        """The key or token file of that name."""
        return self.keys / name

    def log(self, process: str) -> Path:
        """The log file of a process."""
        return self.logs / f"{process}.log"
