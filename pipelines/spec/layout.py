"""The layout of a results folder: where everything in it stands, and which names a study cannot take."""

from pathlib import Path

from pipelines.records import FILE

RESERVED = (
    *("jobs", "logs", "units", "benchmarks", "features", "damaged", "paper"),
    *("mlartifacts", "mlflow.db", "tracking.log", "index.html"),
)
"""What stands in results/ beside the studies' own folders; a name cannot be that of a hidden file."""

INDEX = "index.json"
"""In the folder of shards: what they hold."""
LISTING = "listing.json"
"""In the folder of shards: the files that they were packed from."""
LOCK = ".lock"
"""In the folder of shards: held by the process that packs them, or decodes them for others."""
NOTES = ".notes"
"""In the folder of shards: notes on finished ones. They stay: mending a damaged shard packs no other again."""
TRIALS = "trials"
"""In the folder of a tuning study until it is closed: a folder a slot that has begun."""
SPEC, BEST = "spec.json", "best.json"
"""In a job's folder: what it is (its record's name is that of ``records``), and what a tuning study found best."""
PLAN, PAGE, BRIEF, RECORDS = "plan.json", "report.html", "brief.json", "records.csv"
"""In a study's folder: its jobs, its report, the report in a few lines, and its records as a table."""
PRICES = "foreseen.json"
"""In a study's folder: what each job was to take."""
TABLES, FIGURES = "tables", "figures"
"""Folders in a study's folder."""


def is_reserved(name: str) -> bool:
    """Whether a study of this name would write over something else; SQLite keeps mlflow.db-wal beside mlflow.db."""
    lower = name.lower()  # some file systems take two names that differ in case for one
    return lower in RESERVED or lower.startswith("mlflow.db-")


def jobs_folder(results: Path) -> Path:
    """Where the jobs of all studies are."""
    return results / "jobs"


def job_folder(results: Path, stage: str, key: str) -> Path:
    """Where one job writes."""
    return jobs_folder(results) / stage / key


def spec_file(results: Path, stage: str, key: str) -> Path:
    """What a job is, written before it starts."""
    return job_folder(results, stage, key) / SPEC


def record_file(results: Path, stage: str, key: str) -> Path:
    """What came of a job, written last."""
    return job_folder(results, stage, key) / FILE


def listing_file(results: Path, key: str) -> Path:
    """The files that a data set was packed from, by name, size and time."""
    return job_folder(results, "shards", key) / LISTING


def index_file(results: Path, key: str) -> Path:
    """What the shards of a data set hold."""
    return job_folder(results, "shards", key) / INDEX


def worker_file(results: Path, key: str, worker: int) -> Path:
    """The mark that one worker of a tuning study has done its trials."""
    return job_folder(results, "tune", key) / f"worker-{worker}.json"


def best_file(results: Path, key: str) -> Path:
    """The best values of a tuning study."""
    return job_folder(results, "tune", key) / BEST


def marker(results: Path, stage: str, unit: str) -> Path:
    """Says to Snakemake that a unit's jobs are done; the records say it to everybody else, and outlive it."""
    return results / "units" / stage / f"{unit}.done"


def units_file(results: Path) -> Path:
    """The units of the run that is going on, for its jobs on other machines."""
    return results / "units" / "units.json"


def features_file(results: Path, name: str) -> Path:
    """An encoder's features of one data set, where a study keeps them."""
    return results / "features" / f"{name}.safetensors"


def damaged_folder(results: Path) -> Path:
    """Where ``repair`` sets damaged results aside."""
    return results / "damaged"


def made_from_file(results: Path, study: str) -> Path:
    """Which plan and records a study's report was made from, and what was written."""
    return study_folder(results, study) / "made_from.json"


def logs_folder(results: Path) -> Path:
    """Where the logs of all stages are, a folder a stage."""
    return results / "logs"


def log_file(results: Path, stage: str, name: str) -> Path:
    """What a job, or a study's report, has printed."""
    return logs_folder(results) / stage / f"{name}.log"


def benchmark_file(results: Path, stage: str, name: str) -> Path:
    """What a unit took by Snakemake's measurement: seconds, memory at its peak, bytes read and written."""
    return results / "benchmarks" / stage / f"{name}.tsv"


def study_folder(results: Path, study: str) -> Path:
    """What belongs to one study: its plan, its tables and its report."""
    return results / study


def written_plan(results: Path, study: str) -> Path:
    """The jobs of a study, for collect and report."""
    return study_folder(results, study) / PLAN


def prices_file(results: Path, study: str) -> Path:
    """What each job of a study was to take, as foreseen when the run that does it began."""
    return study_folder(results, study) / PRICES


def written_plans(results: Path) -> list[Path]:
    """Those of all studies that were planned, by name."""
    return sorted(results.glob(f"*/{PLAN}"))


def records_table(results: Path, study: str) -> Path:
    """All records of a study in one table; records.parquet beside it holds the same."""
    return study_folder(results, study) / RECORDS


def report_page(results: Path, study: str) -> Path:
    """A study's report."""
    return study_folder(results, study) / PAGE


def tables_folder(results: Path, study: str) -> Path:
    """A study's tables: the report's, and those that the study declares."""
    return study_folder(results, study) / TABLES


def table_file(results: Path, study: str, name: str) -> Path:
    """A declared table as LaTeX; .md, .csv and .html beside it hold the same."""
    return tables_folder(results, study) / f"{name}.tex"


def figures_folder(results: Path, study: str) -> Path:
    """The figures of a study's report, as SVG and PDF."""
    return study_folder(results, study) / FIGURES


def paper_file(results: Path) -> Path:
    """The tables of several studies in one document; paper.pdf is beside it where there is a LaTeX."""
    return results / "paper" / "paper.tex"


def index_page(results: Path) -> Path:
    """A page over the reports of all studies."""
    return results / "index.html"


def mlflow_database(results: Path) -> Path:
    """MLflow's database where no other address is given."""
    return results / "mlflow.db"


def mlflow_artifacts(results: Path) -> Path:
    """Where that MLflow keeps files."""
    return results / "mlartifacts"


def tracking_log(results: Path) -> Path:
    """What the follower that feeds MLflow has printed."""
    return results / "tracking.log"
