"""The page in a real browser, for tests."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "report"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NARROWEST = 600
"""Pixels of a window; a narrower page is shown inside another one."""
ERRORS = """<script>
window.errors = [];
addEventListener("error", (event) => window.errors.push(String(event.message)));
addEventListener("unhandledrejection", (event) => window.errors.push(String(event.reason)));
for (const kind of ["error", "warn"]) console[kind] = (...words) => window.errors.push(words.join(" "));
</script>"""


def chromium(folder: Path, *arguments: str) -> str:
    """What the browser prints."""
    line = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
    line += [f"--user-data-dir={folder}/profile", "--virtual-time-budget=20000", *arguments]
    return subprocess.run(line, check=True, capture_output=True, text=True, timeout=240).stdout


def look(folder: Path, text: str, width: int, *arguments: str) -> dict[str, Any]:
    """What browser.js finds in the page at this width."""
    script = f'<script type="module">{(HERE / "browser.js").read_text()}</script>'
    head, _, tail = text.replace("<head>", f"<head>{ERRORS}", 1).rpartition("</body>")
    text = f"{head}{script}</body>{tail}"
    (folder / "page.html").write_text(text)
    shown = "page.html"
    if width < NARROWEST:
        shown = "outer.html"
        (folder / shown).write_text((HERE / "browser.html").read_text().replace("WIDTH", str(width)))
    printed = chromium(
        folder, *arguments, f"--window-size={max(width, NARROWEST)},1000", "--dump-dom", f"file://{folder}/{shown}"
    )
    found = re.search(r'<pre id="found">(.*?)</pre>', printed, re.S)
    assert found, printed[:500]
    assert found[1], "the page told nothing: a script ended early"
    return json.loads(html.unescape(found[1]))
