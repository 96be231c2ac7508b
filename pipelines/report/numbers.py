"""results.csv: every number of the result tables in full, one line a cell that was planned."""

from collections.abc import Sequence

from pipelines.files import canonical
from pipelines.report.cells import Column, Row
from pipelines.report.comparison import Comparison
from pipelines.report.noise import letters
from pipelines.report.results import Beside
from pipelines.report.tables import csv_text
from pipelines.spec.published import Published


def results_csv(found: Sequence[tuple[Comparison, Beside]]) -> str:
    """A header and the lines of all comparisons."""
    lines = [line for comparison, figures in found for line in _lines(comparison, figures)]
    return csv_text([list(lines[0]), *(list(line.values()) for line in lines)] if lines else [])


def _lines(comparison: Comparison, figures: Beside) -> list[dict[str, str]]:
    noise = {column: letters(comparison, column) for column in comparison.columns}
    lines = []
    for (row, column), cell in comparison.cells.items():
        if cell.expected:
            letter = noise[column].get(row, "")
            lines.append(
                _identity(comparison, row, column)
                | _estimate(comparison, row, column)
                | {
                    "best": "yes" if comparison.best(column) == row else "no",
                    "letters": letter,
                    "within_noise_of_best": ("yes" if "a" in letter else "no") if letter else "",
                    "not_above": "; ".join(floor.title for floor in comparison.not_above(row, column)),
                    "mixes_code": "yes" if (row, column) in comparison.codes.mixed else "no",
                    "flags": " ".join(f"{flag.replace(' ', '_')}:{count}" for flag, count in cell.flags),
                }
                | _published(figures.get((row, column)))
            )
    return lines


def _identity(comparison: Comparison, row: Row, column: Column) -> dict[str, str]:
    return {
        "label": row.label,
        "source": row.origin,
        "pretrained_on": row.trained_on or "",
        "dataset": comparison.dataset.short_name,
        "protocol": column.protocol,
        "evaluation": canonical(column.evaluation.model_dump(mode="json")),
        "metric": str(column.metric),
    }


def _estimate(comparison: Comparison, row: Row, column: Column) -> dict[str, str]:
    cell, test = comparison.cells[row, column], comparison.test
    found = cell.estimate
    return {
        "mean_percent": _number(cell.mean),
        "sd_points": _number(found.sd if found else None),
        "n": "" if cell.is_exact else str(cell.n),
        "expected": "" if cell.is_exact else str(cell.expected),
        "missing": str(cell.missing),
        "low_percent": _number(found.low if found else None),
        "high_percent": _number(found.high if found else None),
        "interval_counts": found.counts if found else "",
        "test_images": str(test.images or ""),
        "one_image_points": _number(test.one_image),
    }


def _published(figure: Published | None) -> dict[str, str]:
    return {
        "published_percent": f"{figure.value:g}" if figure else "",
        "published_on": figure.measured_on if figure else "",
        "published_source": figure.source if figure else "",
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
