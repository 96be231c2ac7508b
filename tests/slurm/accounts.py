"""Accounting for the cluster of the tests: MariaDB in the cluster's folder, and slurmdbd in front of it."""

import subprocess
from pathlib import Path

NONE = "AccountingStorageType=accounting_storage/none"
PROGRAMS = ("mariadbd", "mariadb-install-db", "slurmdbd", "sacct", "sacctmgr")
DAEMON = """AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=root
StorageLoc=accounting
"""


def configure(folder: Path, port: int, database: int) -> str:
    """Write slurmdbd.conf for slurmdbd at ``port`` and MariaDB at ``database``; what slurm.conf says of them."""
    conf = folder / "slurmdbd.conf"
    conf.touch(mode=0o600)  # slurmdbd reads no other
    conf.write_text(DAEMON.format(folder=folder, port=port, database=database))
    (folder / "database.port").write_text(str(database))
    (folder / "slurmdbd.log").touch()
    where = (
        f"AccountingStorageHost=127.0.0.1\nAccountingStoragePort={port}\nAccountingStoragePass={folder}/munge.socket"
    )
    return f"AccountingStorageType=accounting_storage/slurmdbd\n{where}"


def prepared(folder: Path) -> list[str]:
    """Make an empty database in the folder; the arguments of the mariadbd that serves it on loopback to everybody."""
    data = folder / "database"
    make = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db"]
    subprocess.run(make, check=True, capture_output=True, timeout=120)
    port = (folder / "database.port").read_text()
    reach = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder}/database.socket"]
    return ["--no-defaults", f"--datadir={data}", "--user=root", "--skip-grant-tables", "--skip-name-resolve", *reach]
