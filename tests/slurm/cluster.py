"""A real Slurm on loopback: munged, slurmctld and one slurmd a node in a temporary folder, two simulated GPUs a node.

For tests, and by hand: ``python tests/slurm/cluster.py snakemake --profile slurm reproduce_all`` runs a command inside.
No accounting database and no limits of memory unless they are asked for, no systemd. All state is in the folder but one
link, /etc/slurm/slurm.conf: the plugin's inner ``srun`` loses SLURM_CONF, so the configuration has to stand where Slurm
looks by itself.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from slurm import accounts, memory

SYSTEM_CONF = Path("/etc/slurm/slurm.conf")
KEPT_CONF = Path("/etc/slurm/slurm.conf.kept-by-ssl-pipelines-tests")
LOCK = Path(tempfile.gettempdir()) / "ssl-pipelines-slurm.lock"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sinfo", "scontrol", "setpriv")
FOLDER_PREFIX = "ssl-slurm-"
ADMIN_PATH = "/usr/sbin:/sbin"  # Debian keeps the daemons there, outside an ordinary user's PATH
DEVICES = ("/dev/null", "/dev/zero")  # stand for GPUs: Slurm wants device nodes, and counts and allots them
START_SECONDS = 60.0
PRIMARY = "Running as primary controller"
HOSTS = Path("/etc/hosts")
HOSTS_MARK = "# ssl-pipelines tests"
TEMPLATE = Path(__file__).with_name("slurm.conf.template")


class ClusterError(RuntimeError):
    """The cluster did not come up, or may not be brought up on this machine."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster: its folder, and the seconds from the first process to an idle node."""

    folder: Path
    start_seconds: float
    stack: contextlib.ExitStack
    controller: list[subprocess.Popen[bytes]]
    nodes: dict[str, subprocess.Popen[bytes]]

    def ask(self, *command: str) -> str:
        """Standard output of a Slurm command (``squeue``, ``scontrol show job 1``, ...)."""
        return _ask(*command)

    def restart_controller(self) -> None:
        """End slurmctld and start it again, with the state that it saved."""
        log = self.folder / "slurmctld.log"
        _end(self.controller.pop())
        seen = log.read_text().count(PRIMARY)
        self.controller.append(_start(self.folder, self.stack, "slurmctld", "-D", "-f", f"{self.folder}/slurm.conf"))
        _wait_for(self.folder, "slurmctld", lambda: log.read_text().count(PRIMARY) > seen)

    def kill_node(self, name: str) -> None:
        """kill -9 for a node's slurmd, whose jobs run on below slurmstepd."""
        self.nodes[name].kill()
        self.nodes[name].wait()

    def start_node(self, name: str) -> None:
        """Start its slurmd again, and wait until the node is there."""
        self.nodes[name] = _start_node(self.folder, self.stack, name)
        _wait_for(self.folder, f"slurmd of {name}", lambda: self.node_state(name) in ("idle", "mixed", "allocated"))

    def node_state(self, name: str) -> str:
        """In Slurm's words, with a ``*`` where it does not answer."""
        return _ask("sinfo", "-h", "-n", name, "-p", "main", "-o", "%T").strip()


def obstacle() -> str | None:
    """Why no cluster can be brought up here, with the way out; None when nothing is in the way."""
    if missing := [name for name in PROGRAMS if _program(name) is None]:
        return f"not installed: {', '.join(missing)}; apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return f"slurmd and {SYSTEM_CONF} need root; run as root (in a container, say)"
    if SYSTEM_CONF.exists() and not _ours() and "is UP" in _ask("scontrol", "ping", check=False):
        return f"{SYSTEM_CONF} belongs to a running Slurm, which stays untouched; use another machine"
    return None


@contextlib.contextmanager
def running_cluster(
    nodes: int = 1, cpus: int = 2, memory_mb: int = 256_000, accounting: bool = False, limits: bool = False
) -> Iterator[Cluster]:
    """Idle nodes for the length of a ``with`` block; ended, and /etc/slurm put back, however the block ends.

    Each node is a slurmd of its own on this machine with ``cpus`` cores, ``memory_mb`` and two GPUs, as declared, and a
    name that resolves. ``accounting``: slurmdbd and MariaDB keep the jobs, for sacct. ``limits``: the system kills what
    takes more memory than its job has asked for.

    Waits for another such cluster on this machine to end. ClusterError says what ``obstacle`` says, or gives the last
    log lines when a daemon does not come up.
    """
    if reason := obstacle():
        raise ClusterError(reason)
    with LOCK.open("w") as lock, contextlib.ExitStack() as stack:
        fcntl.flock(lock, fcntl.LOCK_EX)
        temporary = tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(temporary))
        node = f"CPUs={cpus} RealMemory={memory_mb} Gres=gpu:{len(DEVICES)} State=UNKNOWN"
        storage = accounts.configure(folder, *_free_ports(2)) if accounting else accounts.NONE
        _write_configuration(folder, nodes, node, storage, memory.configure(folder) if limits else "task/none")
        stack.enter_context(_system_link(folder / "slurm.conf"))
        stack.enter_context(_names(nodes))
        begin = time.monotonic()
        controller, slurmds = _start_daemons(folder, nodes, accounting, stack)
        _wait_for(
            folder,
            "slurmd",
            lambda: _ask("sinfo", "-h", "-N", "-p", "main", "-o", "%T", check=False).split() == ["idle"] * nodes,
        )
        stack.callback(_cancel_everything)
        yield Cluster(folder, time.monotonic() - begin, stack, [controller], slurmds)


def _write_configuration(folder: Path, nodes: int, node: str, accounting: str, task_plugin: str) -> None:
    for name in ("state", "munge"):
        (folder / name).mkdir(mode=0o755)
    folder.chmod(0o755)
    key = folder / "munge" / "key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(1024))
    (folder / "gres.conf").write_text("AutoDetect=off\n" + "".join(f"Name=gpu File={device}\n" for device in DEVICES))
    controller_port, *ports = _free_ports(1 + nodes)
    host = socket.gethostname().split(".")[0]
    here = f"NodeHostname={host} NodeAddr=127.0.0.1"
    lines = [f"NodeName=node{i} {here} Port={port} {node}" for i, port in enumerate(ports, start=1)]
    values = {"folder": folder, "host": host, "controller_port": controller_port, "node_lines": "\n".join(lines)}
    values |= {"accounting": accounting, "task_plugin": task_plugin}
    (folder / "slurm.conf").write_text(TEMPLATE.read_text().format(**values))


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def _system_link(conf: Path) -> Iterator[None]:
    """Let /etc/slurm/slurm.conf point at ``conf``; a file that was there before is kept and put back."""
    if _ours():  # left by a killed run, whose daemons ended with it
        shutil.rmtree(SYSTEM_CONF.readlink().parent, ignore_errors=True)
    _put_back()
    SYSTEM_CONF.parent.mkdir(parents=True, exist_ok=True)
    if SYSTEM_CONF.exists() or SYSTEM_CONF.is_symlink():
        SYSTEM_CONF.rename(KEPT_CONF)
    SYSTEM_CONF.symlink_to(conf)
    try:
        yield
    finally:
        _put_back()


@contextlib.contextmanager
def _names(nodes: int) -> Iterator[None]:
    """Let the nodes' names resolve, as the meeting of several torchruns needs."""

    def kept() -> list[str]:
        return [line for line in HOSTS.read_text().splitlines() if HOSTS_MARK not in line]

    names = " ".join(f"node{i}" for i in range(1, nodes + 1))
    HOSTS.write_text("\n".join([*kept(), f"127.0.0.1 {names} {HOSTS_MARK}\n"]))
    try:
        yield
    finally:
        HOSTS.write_text("\n".join([*kept(), ""]))


def _ours() -> bool:
    return SYSTEM_CONF.is_symlink() and FOLDER_PREFIX in str(SYSTEM_CONF.readlink())


def _put_back() -> None:
    if _ours():
        SYSTEM_CONF.unlink()
    if KEPT_CONF.exists() and not SYSTEM_CONF.exists():
        KEPT_CONF.rename(SYSTEM_CONF)


def _start_daemons(
    folder: Path, nodes: int, accounting: bool, stack: contextlib.ExitStack
) -> tuple[subprocess.Popen[bytes], dict[str, subprocess.Popen[bytes]]]:
    munge = [f"--key-file={folder}/munge/key", f"--socket={folder}/munge.socket", f"--pid-file={folder}/munge/pid"]
    munge += [f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge/seed"]
    conf = f"{folder}/slurm.conf"
    _start(folder, stack, "munged", "--foreground", "--force", *munge)
    _wait_for(folder, "munged", (folder / "munge.socket").exists)
    if accounting:
        _start_accounting(folder, stack)
    controller = _start(folder, stack, "slurmctld", "-D", "-c", "-f", conf)
    log = folder / "slurmctld.log"  # a client that asks too early waits ten seconds before it asks again
    _wait_for(folder, "slurmctld", lambda: log.exists() and PRIMARY in log.read_text())
    return controller, {f"node{i}": _start_node(folder, stack, f"node{i}") for i in range(1, nodes + 1)}


def _start_node(folder: Path, stack: contextlib.ExitStack, name: str) -> subprocess.Popen[bytes]:
    return _start(folder, stack, "slurmd", "-D", "-N", name, "-f", f"{folder}/slurm.conf")


def _start_accounting(folder: Path, stack: contextlib.ExitStack) -> None:
    _start(folder, stack, "mariadbd", *accounts.prepared(folder))
    _wait_for(folder, "mariadbd", lambda: "ready for connections" in (folder / "mariadbd.out").read_text())
    _start(folder, stack, "slurmdbd", "-D")
    _wait_for(folder, "slurmdbd", lambda: "started" in (folder / "slurmdbd.log").read_text())
    _ask("sacctmgr", "-i", "add", "cluster", "ssltest", check=False)  # slurmctld may have said so itself
    _ask("sacctmgr", "-i", "add", "account", "tests")
    _ask("sacctmgr", "-i", "add", "user", "root", "account=tests")


def _start(folder: Path, stack: contextlib.ExitStack, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    output = stack.enter_context((folder / f"{name}.out").open("ab"))
    program = _program(name)
    assert program, f"{name} is not installed: ask obstacle() first"
    command = ["setpriv", "--pdeathsig", "TERM", program, *arguments]  # ends with us, even when we are killed
    where = {**os.environ, "SLURM_CONF": f"{folder}/slurm.conf"}  # slurmdbd looks beside it for its own
    daemon = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=where)
    stack.callback(_end, daemon)
    return daemon


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _wait_for(folder: Path, name: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            logs = [*folder.glob("*.log"), *folder.glob("*.out")]
            tails = "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)
            raise ClusterError(f"{name} was not ready after {START_SECONDS:.0f} s\n{tails}")
        time.sleep(0.1)


def _cancel_everything() -> None:
    """Jobs a failed test left: cancelled, and waited for, since their processes would outlive slurmd."""
    for how in (["--signal=KILL", "--full"], []):
        _ask("scancel", "--me", *how, check=False)
    deadline = time.monotonic() + 20
    while _ask("squeue", "-h", check=False).strip() and time.monotonic() < deadline:
        time.sleep(0.2)


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + ADMIN_PATH)


def _ask(*command: str, check: bool = True) -> str:
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=30).stdout


def main(arguments: list[str]) -> int:
    """Run a command (default: a shell) inside a cluster; its exit code. ``--nodes N`` may stand before it."""
    nodes = 1
    if arguments[:1] == ["--nodes"]:
        nodes, arguments = int(arguments[1]), arguments[2:]
    if reason := obstacle():
        raise SystemExit(reason)
    with running_cluster(nodes) as cluster:
        print(f"Slurm is idle after {cluster.start_seconds:.1f} s: {cluster.folder}", file=sys.stderr)
        return subprocess.run(arguments or [os.environ.get("SHELL", "/bin/bash")], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
