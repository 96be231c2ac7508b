"""Make the screenshots of these docs from a finished run: its report, its study in MLflow, and a search in optuna-dashboard.

    PYTHONPATH=. python docs/images/screenshots.py results quickstart
    PYTHONPATH=. python docs/images/screenshots.py results quickstart --search results/jobs/tune/KEY

Needs Chromium on the PATH, and with --search optuna-dashboard too. Both servers are started on the loopback, and ended again.
Pictures of the terminal are made by terminal.py.
"""

import argparse
import io
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.request import urlopen

from PIL import Image

from pipelines.tracking.saved_views import BEST, SEEDS

HERE = Path(__file__).parent
PORT = 5078
SEARCH_PORT = 5079
CLOSED = b"<script>localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')</script>"
"""A page after which MLflow, at the same address, does not open its assistant's panel by itself."""
MOUSE = "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"
"""A browser without a window has no mouse, and charts then show the toolbars that others show under the mouse only."""


def picture(address: str, size: tuple[int, int], profile: Path | None = None) -> Image.Image:
    """What a window of this size shows. profile: the browser's folder, for what it shall remember."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.png"
        line = [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--virtual-time-budget=120000",
            f"--blink-settings={MOUSE}",
            f"--user-data-dir={profile or Path(folder) / 'profile'}",
        ]
        window = [f"--window-size={size[0]},{size[1]}", f"--screenshot={file}"]
        subprocess.run([*line, *window, address], check=True, capture_output=True, timeout=180)
        return Image.open(io.BytesIO(file.read_bytes())).convert("RGB")


def save(shown: Image.Image, name: str) -> None:
    """As a small file: pages have few colours. An octree keeps those of a few small marks; median cut lost them."""
    shown.quantize(128, Image.Quantize.FASTOCTREE).save(HERE / f"{name}.png", optimize=True)
    print(HERE / f"{name}.png")


class _Closing(BaseHTTPRequestHandler):
    """Answers everything with ``CLOSED``."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(CLOSED)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def close_assistant(profile: Path) -> None:
    """Let the browser of this profile remember that MLflow has shown its assistant."""
    server = HTTPServer(("127.0.0.1", PORT), _Closing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    picture(f"http://127.0.0.1:{PORT}", (600, 400), profile)
    server.shutdown()
    server.server_close()


def mlflow_pages(results: Path, study: str, profile: Path) -> None:
    """The rows of a study as charts, and as a table."""
    close_assistant(profile)
    line = [sys.executable, "-m", "pipelines", "track", "ui", "--results", str(results), "--study", study]
    server = subprocess.Popen([*line, "--port", str(PORT)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        charts = server.stdout.readline().split(": ", 1)[1].strip()
        _wait(f"http://127.0.0.1:{PORT}/version")
        runs = charts.replace("CHART", "TABLE").replace(f"={BEST}", f"={SEEDS}")
        save(picture(charts, (1400, 1200), profile), "mlflow_charts")
        save(picture(runs, (1400, 700), profile), "mlflow_runs")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def search_page(search: Path) -> None:
    """What optuna-dashboard shows of a search's journal."""
    line = ["optuna-dashboard", str(search / "journal.log"), "--host", "127.0.0.1", "--port", str(SEARCH_PORT)]
    server = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{SEARCH_PORT}/api/studies")
        save(picture(f"http://127.0.0.1:{SEARCH_PORT}/dashboard/studies/0", (1500, 1150)), "optuna_dashboard")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


def _wait(address: str) -> None:
    for _ in range(120):
        try:
            urlopen(address, timeout=2).close()
            return
        except OSError:
            time.sleep(1)
    raise SystemExit(f"{address} does not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("study")
    parser.add_argument("--mlflow", action="store_true", help="leave the report out")
    parser.add_argument("--search", type=Path, help="folder of a search that is done")
    given = parser.parse_args()
    if not shutil.which("chromium"):
        raise SystemExit("chromium is not on the PATH; install it (Debian: apt install chromium)")
    if not given.mlflow:
        save(picture((given.results / given.study / "report.html").resolve().as_uri(), (1300, 1350)), "report")
    with tempfile.TemporaryDirectory() as profile:
        mlflow_pages(given.results, given.study, Path(profile))
    if given.search:
        search_page(given.search)


if __name__ == "__main__":
    main()
