"""Make the screenshots of these docs from a finished run: its report, its study in MLflow, and a search in optuna-dashboard.

    python docs/images/screenshots.py results quickstart
    python docs/images/screenshots.py results quickstart --search results/jobs/tune/KEY

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
import time
from pathlib import Path
from urllib.request import urlopen

from PIL import Image

HERE = Path(__file__).parent
PORT = 5078
SEARCH_PORT = 5079
ASSISTANT = 0.74
"""MLflow opens a panel for its assistant at the right; the pages are what stands left of it."""


def picture(address: str, size: tuple[int, int]) -> Image.Image:
    """What a window of this size shows."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.png"
        line = [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--virtual-time-budget=30000",
        ]
        window = [f"--window-size={size[0]},{size[1]}", f"--user-data-dir={folder}/profile", f"--screenshot={file}"]
        subprocess.run([*line, *window, address], check=True, capture_output=True, timeout=180)
        return Image.open(io.BytesIO(file.read_bytes())).convert("RGB")


def save(shown: Image.Image, name: str) -> None:
    """As a small file: pages have few colours. An octree keeps those of a few small marks; median cut lost them."""
    shown.quantize(128, Image.Quantize.FASTOCTREE).save(HERE / f"{name}.png", optimize=True)
    print(HERE / f"{name}.png")


def mlflow_pages(results: Path, study: str) -> None:
    """The rows of a study as charts, as a table, and its models."""
    line = [sys.executable, "-m", "pipelines", "track", "ui", "--results", str(results), "--study", study]
    server = subprocess.Popen([*line, "--port", str(PORT)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        charts = server.stdout.readline().split(": ", 1)[1].strip()
        _wait(f"http://127.0.0.1:{PORT}/version")
        runs = charts.split("?")[0]
        for name, address, size in (
            ("mlflow_charts", charts, (1900, 1000)),
            ("mlflow_runs", f"{runs}?workflowType=machine_learning&startTime=ALL&compareRunsMode=TABLE", (1900, 620)),
        ):
            shown = picture(address, size)
            save(shown.crop((0, 0, int(shown.width * ASSISTANT), shown.height)), name)
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
    parser.add_argument("--search", type=Path, help="folder of a search that is done")
    given = parser.parse_args()
    if not shutil.which("chromium"):
        raise SystemExit("chromium is not on the PATH; install it (Debian: apt install chromium)")
    save(picture((given.results / given.study / "report.html").resolve().as_uri(), (1300, 1350)), "report")
    mlflow_pages(given.results, given.study)
    if given.search:
        search_page(given.search)


if __name__ == "__main__":
    main()
