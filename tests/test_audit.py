"""The audit of the lock: a finding fails, a database that knows nothing is not taken for a clean bill, no network is told."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from audit import DATABASES, Audit, ask, audit, parse

LOCK = """alpha==1.0 \\
    --hash=sha256:065665c041c42a5938ed220bdcd7230f22527fbec085e1853d2402c8a3615d9d
beta==2.0 \\
    --hash=sha256:9243213661e29250eb41368e5daa826fc017156c3b8a11440826b2e3ed376472
"""
FINDING = {
    "id": "OSV-1",
    "summary": "bad",
    "details": "bad",
    "affected": [
        {
            "package": {"name": "beta", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.1"}]}],
        }
    ],
}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    (tmp_path / "requirements.lock").write_text(LOCK)
    return tmp_path / "requirements.lock"


@pytest.fixture
def database() -> Iterator[tuple[str, set[str]]]:
    """The address of a database that answers as OSV does, and the packages that it finds something in."""
    bad: set[str] = set()

    class Osv(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps({"vulns": [FINDING]} if asked["package"]["name"] in bad else {}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Osv)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", bad
    server.shutdown()


def test_a_known_vulnerability_fails_and_a_clean_lock_passes(lock, database, capsys):
    address, bad = database
    here = [("here", "-s", "osv", "--osv-url", address)]
    if ask(lock, here[0][1:])[0] is None:
        pytest.skip("pip-audit can be fetched from no index here")
    assert audit(lock, here) == 0
    assert capsys.readouterr().out == "audit: 2 packages looked up at here, 0 vulnerabilities known\n"
    bad.add("beta")
    assert audit(lock, here) == 1
    assert "requirements.lock: beta 2.0: OSV-1, mended in 2.1; run: make lock" in capsys.readouterr().out


def test_without_a_network_nobody_looks_and_a_line_says_so(lock, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    assert audit(lock, DATABASES) == 0
    told = capsys.readouterr().out
    assert told.startswith("audit: nobody looked for known vulnerabilities in requirements.lock (osv: ")
    assert told.count("\n") == 1


def test_what_a_database_skipped_is_not_what_it_found_clean():
    """Where an index has no vulnerabilities, pip-audit skips all packages and ends with 'No known vulnerabilities found'."""
    skipped, clean = {"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}
    assert parse(json.dumps({"dependencies": [skipped], "fixes": []})) is None
    assert parse(json.dumps({"dependencies": [skipped, clean], "fixes": []})) == Audit(1, ("a",), ())
    assert parse("") is None
    assert parse("[]") is None
