"""Scored rows and books in; the final table for people and the same as JSON out."""

from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from prunella.evaluation.books import VenueBooks
from prunella.evaluation.score import FaultRow


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run showed.

    Attributes:
        rows: One per injected fault.
        books: One per venue.
        strays: Ids of incidents in which something was done although nothing had been injected.
        ledger_entries: How many entries the ledger verifies over; 0 when it does not verify.
        ledger_problem: Why it does not; empty when it does.
        replay: What replaying the engine's own journal gave.
    """

    scenario: str
    started_ns: int
    seconds: float
    rows: tuple[FaultRow, ...]
    books: tuple[VenueBooks, ...]
    strays: tuple[str, ...]
    ledger_entries: int
    ledger_problem: str
    replay: dict[str, Any]

    @property
    def good(self) -> bool:
        """Every fault cured, nothing else touched, the books agree, the ledger verifies."""
        return not self.problems()

    def problems(self) -> list[str]:
        """What keeps this run from being good, one sentence each."""
        found = [f"{row.fault}: {row.result}" for row in self.rows if not row.good]
        found += [f"{incident}: acted although nothing was injected" for incident in self.strays]
        found += [f"{book.venue}: the books do not agree" for book in self.books if not book.agree]
        if self.ledger_problem:
            found.append(f"ledger: {self.ledger_problem}")
        if not self.replay.get("hash_equal", False):
            found.append("replaying the engine's journal did not give the same state hash")
        return found

    def to_json(self) -> bytes:
        """The report for machines."""
        body = msgspec.to_builtins(self) | {"good": self.good, "problems": self.problems()}
        return msgspec.json.format(msgspec.json.encode(body), indent=2)


def render(report: Report) -> RenderableType:
    """The report for people."""
    verdict = (
        Text("every fault cured, no negative acted on, the books agree", style="bold green")
        if report.good
        else Text("not good: " + "; ".join(report.problems()), style="bold red")
    )
    return Group(_faults(report), _books(report), _proofs(report), verdict)


def _faults(report: Report) -> Table:
    table = Table(title="What was broken, and what became of it", title_justify="left")
    for heading in (
        "fault",
        "at",
        "detected",
        "diagnosed as",
        "reflex",
        "workflow",
        "cured",
        "result",
    ):
        table.add_column(heading, overflow="fold")
    for row in report.rows:
        back = " (rolled back)" if row.rolled_back else ""
        proof = f"\nledger #{row.ledger_seq}" if row.ledger_seq else ""
        table.add_row(
            row.title,
            f"{(row.effective_ns - report.started_ns) / 1e9:.1f} s",
            _seconds(row.detected_ms),
            f"{row.fault_class}\n{row.culprit}" if row.fault_class else "–",
            row.reflex or "–",
            f"{row.workflow}{back}" + "".join(f"\n{a}" for a in row.actions)
            if row.workflow
            else "–",
            _seconds(row.cured_ms),
            Text(row.result + proof, style="green" if row.good else "bold red"),
        )
    return table


def _books(report: Report) -> Table:
    table = Table(title="Do the books agree?", title_justify="left")
    table.add_column("venue")
    for heading in (
        "sent",
        "booked",
        "refused",
        "acked",
        "fills: ours",
        "theirs",
        "position: ours",
        "theirs",
        "duplicates",
        "lost",
    ):
        table.add_column(heading, justify="right")
    for book in report.books:
        table.add_row(
            book.venue,
            str(book.orders_sent),
            str(book.orders_received),
            str(book.orders_refused),
            str(book.acknowledged),
            str(book.fills_engine),
            str(book.fills_venue),
            book.position_engine,
            book.position_venue,
            str(book.duplicates),
            str(book.lost),
            style=None if book.agree else "bold red",
        )
    return table


def _proofs(report: Report) -> Text:
    ledger = (
        f"ledger: {report.ledger_entries} entries verified"
        if not report.ledger_problem
        else f"ledger: {report.ledger_problem}"
    )
    replay = report.replay
    return Text(
        f"{ledger}; engine journal: {replay.get('entries', 0)} entries replayed, state hash "
        f"{'equal' if replay.get('hash_equal') else 'NOT equal'}; oldest market data that an order "
        f"was sent on: {replay.get('market_age_ns_max', 0) / 1e6:.0f} ms"
    )


def _seconds(milliseconds: float | None) -> str:
    # The healing plane may be quicker than the injector's own probe.
    return "–" if milliseconds is None else f"{max(milliseconds, 0.0) / 1e3:.2f} s"
