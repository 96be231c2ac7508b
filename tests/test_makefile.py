"""What can be known of the installation without CUDA before PyTorch's own index is asked."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
CUDA = re.compile(r"(nvidia|cuda)-|triton$")


def names(text: str) -> list[str]:
    """The packages that a file of requirements pins."""
    return re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)


def test_install_cpu_takes_every_package_of_the_lock_but_cuda() -> None:
    lines = subprocess.run(["make", "-n", "install-cpu"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (made,) = re.findall(r"^(sed .*) > \.venv/cpu\.txt$", lines, re.MULTILINE)
    text = subprocess.run(made, shell=True, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    locked = names((ROOT / "requirements.lock").read_text())
    assert any(CUDA.match(name) for name in locked)
    assert names(text) == [name for name in locked if not CUDA.match(name)]
    rest = [
        line for line in text.splitlines() if line.strip() and not re.match(r"[A-Za-z0-9._\[\]-]+==\S+( ;.*)?$", line)
    ]
    assert not rest  # no hash, no line that goes on: each is a requirement by itself
