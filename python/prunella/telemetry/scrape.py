"""One target's /metrics page in, readings out, round after round, on a thread of its own.

Each target has its own thread, connection and time limit, so that a frozen target costs its own
readings and nobody else's.
"""

import contextlib
import http.client
import ssl
import threading
from collections.abc import Callable
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from prunella.telemetry.exposition import Exposition
from prunella.telemetry.reading import BATCH_MAX, Domain, Reading, Readings
from prunella.telemetry.settings import ScrapeSettings
from prunella.values import Clock

Publish = Callable[[Readings], None]

ROUND_NS = 100_000_000
TIMEOUT_S = 0.25
"""Two and a half rounds: longer than any pause of a healthy process, short enough to notice."""
PAGE_BYTES_MAX = 1 << 20
"""A page that is larger is no page of ours, and is not read to its end."""
FOREIGN_PAGE_BYTES_MAX = 16 << 20
FOREIGN_SERIES_MAX = 20_000
FOREIGN_TIMEOUT_S = 5.0


class Target:
    """A process of ours that is scraped.

    Args:
        name: Component name.
        port: Its HTTP port on loopback.
        token: Bearer token for its /metrics.

    Attributes:
        source: Who says what the page says, on the bus.
        page: What reads its text.
        round_ns: How often it is scraped.
    """

    def __init__(self, name: str, port: int, token: str) -> None:
        self.name = name
        self.source = f"scrape:{name}"
        self.page = Exposition()
        self.round_ns = ROUND_NS
        self._path = "/metrics"
        self._page_bytes_max = PAGE_BYTES_MAX
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def fetch(self) -> tuple[str | None, bool]:
        """The page's text (None when there is none) and whether it was the time limit."""
        try:
            self._connection.request("GET", self._path, headers=self._headers)
            response = self._connection.getresponse()
            body = response.read(self._page_bytes_max + 1)
        except TimeoutError:
            self.close()
            return None, True
        except (OSError, http.client.HTTPException):
            self.close()
            return None, False
        if response.status != http.client.OK or len(body) > self._page_bytes_max:
            self.close()
            return None, False
        return body.decode("utf-8", "replace"), False

    def close(self) -> None:
        """Drops the connection; the next fetch makes another."""
        self._connection.close()


class ForeignTarget(Target):
    """Somebody else's page, as the settings name it.

    Args:
        name: As set; the entity of its readings.
        settings: Where, how often, and what of it.
        token: Bearer token; empty for none.
    """

    def __init__(self, name: str, settings: ScrapeSettings, token: str = "") -> None:
        url = urlsplit(settings.url)
        super().__init__(name, url.port or 80, token)
        self.source = f"page:{name}"
        self.page = Exposition(
            settings.domain,
            lambda metric: any(fnmatchcase(metric, each) for each in settings.metrics),
            FOREIGN_SERIES_MAX,
        )
        self.round_ns = round(settings.interval_s * 1e9)
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._page_bytes_max = FOREIGN_PAGE_BYTES_MAX
        timeout_s = min(settings.interval_s, FOREIGN_TIMEOUT_S)
        if url.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                url.hostname or "",
                url.port,
                timeout=timeout_s,
                context=ssl.create_default_context(),
            )
        else:
            self._connection = http.client.HTTPConnection(
                url.hostname or "", url.port, timeout=timeout_s
            )


class Scraper:
    """Scrapes one target again and again and publishes what it says.

    Args:
        target: Whom.
        publish: Called with one `Readings` per domain; from this scraper's thread.
        clock: The time.
    """

    def __init__(self, target: Target, publish: Publish, clock: Clock) -> None:
        self._target = target
        self._publish = publish
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"scrape-{target.name}", daemon=True)
        self.rounds = 0

    def start(self) -> None:
        """Scrapes from now on."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it still scrapes."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Scrapes no more."""
        self._stop.set()
        self._thread.join(timeout=2 * TIMEOUT_S)

    def look(self) -> None:
        """One round."""
        name, began_ns = self._target.name, self._clock.monotonic_ns()
        text, timed_out = self._target.fetch()
        seconds = (self._clock.monotonic_ns() - began_ns) / 1e9
        now_ns = self._clock.now_ns()

        def reading(metric: str, value: float, labels: dict[str, str]) -> Reading:
            return Reading(
                metric=metric,
                entity=name,
                value=value,
                labels=labels,
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
            )

        own = {"target": name}
        facts = (
            reading("scrape_up", float(text is not None), own),
            reading("scrape_timeout", float(timed_out), own),
            reading("scrape_duration_seconds", seconds, own),
        )
        self._publish(Readings(domain="network", source="host", items=facts))
        by_domain: dict[Domain, list[Reading]] = {}
        for series, value in self._target.page.read(text or ""):
            by_domain.setdefault(series.domain, []).append(
                reading(series.metric, value, series.labels)
            )
        for domain, items in by_domain.items():
            for at in range(0, len(items), BATCH_MAX):
                batch = tuple(items[at : at + BATCH_MAX])
                self._publish(Readings(domain=domain, source=self._target.source, items=batch))
        self.rounds += 1

    def _run(self) -> None:
        with contextlib.closing(self._target):
            due_ns = self._clock.monotonic_ns()
            while not self._stop.wait(max(0, due_ns - self._clock.monotonic_ns()) / 1e9):
                self.look()
                # After a pause the next round is one round away: no burst catches up.
                due_ns = max(due_ns + self._target.round_ns, self._clock.monotonic_ns())
