"""Others' figures: Debian's node exporter, unmodified, and logs that are rotated while read."""

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prunella.cli.clock import SystemClock
from prunella.detect import Templates
from prunella.telemetry import Readings
from prunella.telemetry.logs import BYTES_MAX, LogTail
from prunella.telemetry.scrape import ForeignTarget, Scraper
from prunella.telemetry.settings import ScrapeSettings

CLOCK = SystemClock()
PATIENCE_S = 20.0
EXPORTER = "prometheus-node-exporter"


class Inbox:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.batches: list[Readings] = []

    def values(self, metric: str) -> dict[tuple[str, ...], float]:
        """The latest value of each series of the metric, by its labels' values."""
        return {
            tuple(each.labels.values()): each.value
            for batch in self.batches
            for each in batch.items
            if each.metric == metric
        }


@pytest.fixture
def exporter() -> Iterator[str]:
    """Debian's node exporter on a free port; its page."""
    if shutil.which(EXPORTER) is None:
        pytest.skip(f"missing: apt-get install -y --no-install-recommends {EXPORTER}")
    command = [EXPORTER, "--web.listen-address=127.0.0.1:0", "--collector.textfile.directory="]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Listening on" in line and "address=" in line:
                address = line.split("address=")[1].split()[0]
                break
        else:
            pytest.fail("the exporter does not listen")
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        yield f"http://{address}/metrics"
        process.terminate()


def test_node_exporter_is_read_whole_and_in_its_domain(exporter: str) -> None:
    """Every series of the real page arrives, in batches that the bus carries; patterns choose."""
    inbox = Inbox()
    settings = ScrapeSettings(url=exporter, domain="io", metrics=("node_*",))
    scraper = Scraper(ForeignTarget("node", settings), inbox.batches.append, CLOCK)
    scraper.look()
    foreign = [each for each in inbox.batches if each.source == "page:node"]
    assert {each.domain for each in foreign} == {"io"}
    assert {item.entity for each in foreign for item in each.items} == {"node"}
    assert sum(len(each.items) for each in foreign) > 300
    assert all(len(each.items) <= 1000 for each in foreign)
    assert inbox.values("scrape_up") == {("node",): 1.0}
    assert inbox.values("node_memory_MemTotal_bytes")[()] > 1 << 20
    assert ("0", "idle") in inbox.values("node_cpu_seconds_total")
    assert inbox.values("go_goroutines") == {}


def test_foreign_page_with_times_escapes_and_secrets_is_understood(tmp_path: Path) -> None:
    """The whole format: times after values, escapes, odd names, no value; the token is sent."""
    page = (
        b'# TYPE a counter\na_total{path="/x y}\\"\\\\",code="200"} 3 1790000000000\n'
        b'b 1.5e3\nc NaN\nd{x="1"}\n\n<html>\nhost_load_runnable 4\n'
    )

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.headers.get("Authorization") == "Bearer t0ken"
            self.send_response(200 if good and self.path == "/m?x=1" else 401)
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    del tmp_path
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/m?x=1"
        settings = ScrapeSettings(url=url, domain="http")
        for token, up in (("t0ken", 1.0), ("wrong", 0.0)):
            inbox = Inbox()
            Scraper(ForeignTarget("app", settings, token), inbox.batches.append, CLOCK).look()
            assert inbox.values("scrape_up") == {("app",): up}
            assert inbox.values("a_total") == ({('/x y}"\\', "200"): 3.0} if up else {})
            assert inbox.values("b") == ({(): 1500.0} if up else {})
            assert inbox.values("c") == {}
            by_catalogue = {
                e.domain for e in inbox.batches if e.items[0].metric == "host_load_runnable"
            }
            assert by_catalogue == ({"cpu"} if up else set())
        server.shutdown()


class Tail:
    """A log in a folder, and what is told of it."""

    def __init__(self, folder: Path, *, warm_up: int = 0) -> None:
        self.path = folder / "app.log"
        self.inbox = Inbox()
        self.tail = LogTail(
            "app",
            self.path,
            "execution",
            templates=Templates(warm_up=warm_up).update,
            publish=self.inbox.batches.append,
            clock=CLOCK,
        )

    def lines(self) -> dict[str, float]:
        """Lines by severity, after one more round."""
        self.tail.look()
        return {key[0]: n for key, n in self.inbox.values("log_lines_total").items()}


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[Tail]:
    """A log that is not there yet."""
    made = Tail(tmp_path)
    yield made
    made.tail.close()


def test_log_is_followed_through_rotation_truncation_and_absence(tail: Tail) -> None:
    """No line is lost or counted twice, however the file is replaced."""
    assert tail.lines() == {}
    assert tail.inbox.values("log_up") == {(): 0.0}
    tail.path.write_text("ERROR one\nwarning: two\n half")
    assert tail.lines() == {"error": 1, "warn": 1}
    with tail.path.open("a") as file:
        file.write(" a line, info\n")
    assert tail.lines() == {"error": 1, "warn": 1, "info": 1}
    with tail.path.open("a") as file:
        file.write("ERROR last words before the rotation\n")
    tail.path.rename(tail.path.with_suffix(".1"))
    tail.path.write_text("ERROR first of the new file\n")
    tail.lines()
    assert tail.lines() == {"error": 3, "warn": 1, "info": 1}
    tail.path.write_text("fatal\n")  # cut short in place
    assert tail.lines()["fatal"] == 1
    tail.path.unlink()
    tail.lines()
    tail.lines()
    assert tail.inbox.values("log_up") == {(): 0.0}


def test_log_that_was_there_before_is_not_news(tmp_path: Path) -> None:
    """Old lines are not counted when following begins."""
    (tmp_path / "app.log").write_text("ERROR old\n" * 10)
    tail = Tail(tmp_path)
    assert tail.lines() == {}
    with tail.path.open("a") as file:
        file.write("ERROR new\n")
    assert tail.lines() == {"error": 1}
    tail.tail.close()


def test_flood_of_lines_is_bounded_and_counted(tail: Tail) -> None:
    """A log that grows faster than it may be read loses its middle, and says how much."""
    tail.lines()
    line = b"x" * 99 + b"\n"
    tail.path.write_bytes(line * (3 * BYTES_MAX // 100))
    read = tail.lines()["unset"]
    (skipped,) = tail.inbox.values("log_skipped_bytes_total").values()
    assert BYTES_MAX // 100 - 2 <= read <= BYTES_MAX // 100 + 1
    assert abs(skipped + BYTES_MAX - 3 * BYTES_MAX) < 200


def test_new_template_is_told_without_what_varies_or_what_bites(tmp_path: Path) -> None:
    """What was never said before is told once, harmless and short; what was is not."""
    tail = Tail(tmp_path, warm_up=3)
    tail.lines()
    tail.path.write_text("order 1 sent\norder 2 sent\norder 3 sent\norder 4 sent\n")
    tail.lines()
    assert tail.inbox.values("log_novel_templates_total") == {}
    with tail.path.open("a") as file:
        file.write("disk sda1 full; `ignore` $(all) previous\n")
    tail.lines()
    assert tail.inbox.values("log_novel_templates_total") == {
        ("disk <*> full_ _ignore_ __all_ previous",): 1.0
    }
    tail.tail.close()
