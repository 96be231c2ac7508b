"""Make the screenshots of these docs from a finished run: its report, and its study in MLflow.

    python docs/images/screenshots.py results quickstart

Needs Chromium on the PATH. MLflow is started for it on the loopback, and ended again.
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
        _wait()
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


def _wait() -> None:
    for _ in range(120):
        try:
            urlopen(f"http://127.0.0.1:{PORT}/version", timeout=2).close()
            return
        except OSError:
            time.sleep(1)
    raise SystemExit("MLflow does not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("study")
    given = parser.parse_args()
    if not shutil.which("chromium"):
        raise SystemExit("chromium is not on the PATH; install it (Debian: apt install chromium)")
    save(picture((given.results / given.study / "report.html").resolve().as_uri(), (1300, 1350)), "report")
    mlflow_pages(given.results, given.study)


if __name__ == "__main__":
    main()
