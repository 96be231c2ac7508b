"""Verdicts on claims in words, in a table and as a chart."""

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt

from pipelines.colours import INK, RULE
from pipelines.report.behind import Behind
from pipelines.report.charts import Spec, finished, named
from pipelines.report.claims import JudgedClaim
from pipelines.report.tables import Entry, Printed, Table
from pipelines.spec.claims import PlannedClaim
from pipelines.statistics.claims import Decision, Verdict
from pipelines.statistics.intervals import Estimate

MOST_NAMED = 3
"""Claims that the head of a page names of those that are settled, and of those that are not."""
ORDER: tuple[Decision, ...] = ("supported", "contradicted", "not settled", "not enough runs")
COLOURS: dict[Decision, str] = {
    "supported": "#00694B",
    "contradicted": "#B03A00",
    "not settled": "#5C5C5C",
    "not enough runs": "#767676",
}
"""All with a contrast above 4.5 on white."""
WIDTH, LETTERS, LINE = 400, 64, 14
"""Pixels of the chart of claims, little more than a phone has; letters of a claim in one line of it, and the line's height."""


@dataclass(frozen=True)
class Told:
    """One claim for the head of the page: its verdict, that in words, its text, and the numbers behind it."""

    decision: Decision
    outcome: str
    text: str
    numbers: str
    behind: Behind | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ClaimsTold:
    """Claims of one verdict, by their texts; ``left``: how many more there are, in the section of claims."""

    decision: Decision
    texts: tuple[str, ...]
    left: int


def groups(found: Sequence[JudgedClaim]) -> list[ClaimsTold]:
    """What is settled, then what is not: of both at most three claims in all, the settled ones in the order of verdicts."""
    made, room = [], MOST_NAMED
    for decision in ORDER[:-1]:
        if decision == "not settled":
            room = MOST_NAMED
        texts = list(dict.fromkeys(_sentence(each, found) for each in found if each.decision == decision))
        if texts:
            made.append(ClaimsTold(decision, tuple(texts[:room]), len(texts[room:])))
            room -= min(room, len(texts))
    return made


def _sentence(each: JudgedClaim, among: Sequence[JudgedClaim]) -> str:
    """A claim's text with a full stop; with its data set where it has a verdict for each of several, and with the side on
    which a difference lies where a claim of equality is contradicted."""
    text = each.claim.text.rstrip(". ")
    several = len({other.place for other in among if other.claim.text == each.claim.text}) > 1
    words = [each.place] * several + [each.outcome] * (each.outcome != each.decision)
    return f"{text} ({', '.join(words)})." if words else f"{text}."


def told(found: Sequence[JudgedClaim]) -> list[Told]:
    """Every claim in a line, in the order of the study file."""
    return [Told(each.decision, each.outcome, each.claim.text, _numbers(each), each.behind) for each in found]


def summary(found: Sequence[JudgedClaim]) -> str:
    """``Of 4 claims 2 are supported, 1 is contradicted and for 1 there are not enough runs.``; empty without claims."""
    if not found:
        return ""
    counts = Counter(each.decision for each in found)
    if counts["not enough runs"] == len(found):
        about = "the claim" if len(found) == 1 else f"any of {len(found)} claims"
        return f"There are not enough runs for a verdict on {about}."
    if len(found) == 1:
        return f"The claim is {found[0].decision}."
    parts = [_count(decision, counts[decision]) for decision in ORDER if counts[decision]]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of {len(found)} claims {listed}."


def _count(decision: Decision, count: int) -> str:
    verb = "is" if count == 1 else "are"
    return f"for {count} there are not enough runs" if decision == "not enough runs" else f"{count} {verb} {decision}"


def _numbers(each: JudgedClaim) -> str:
    """``difference 1.2 points [0.4, 2.0] on digits, 6 of 6 pairs of seeds; claimed: above 0``."""
    verdict = each.verdict
    if verdict is None:
        return f"on {each.place}: no seed of both groups has finished yet ({each.planned} are planned)"
    n = verdict.difference.estimate.n
    text = f"difference {_estimate(verdict.difference.estimate, each.unit)} on {each.place}"
    text += f", {n} of {each.planned} pairs of seeds; claimed: {_claimed(each)}"
    if each.decision == "not settled":
        text += f"; {_p(each.claim, verdict)}"
    if each.decision in ("not enough runs", "not settled"):
        text += f"; {_needed(each)}"
    return text


def _p(claim: PlannedClaim, verdict: Verdict) -> str:
    """The p of a claim that is not settled, with a word where the interval alone looks as if it were."""
    low, high = verdict.difference.estimate.low, verdict.difference.estimate.high
    clear = low is not None and high is not None and not any(low <= bound <= high for bound in _bounds(claim))
    text = f"p {verdict.p:.3f} over seeds"
    return f"{text}, above 0.05 although the interval is clear of the bound" if clear and verdict.p > 0.05 else text


def _estimate(found: Estimate, unit: str) -> str:
    interval = "" if found.low is None or found.high is None else f" [{_number(found.low)}, {_number(found.high)}]"
    return f"{_number(found.mean)}{f' {unit}' if unit else ''}{interval}"


def _number(value: float) -> str:
    """Points to a tenth; small numbers of monitors to three digits."""
    return f"{value:z.1f}" if abs(value) >= 1 or value == 0 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def _claimed(each: JudgedClaim) -> str:
    margin = f"{each.claim.margin:g}"
    bounds = {
        "greater": f"above {margin}",
        "less": f"below {'−' if each.claim.margin else ''}{margin}",
        "at_least": f"above {'−' if each.claim.margin else ''}{margin}",
        "equivalent": f"within ±{margin}",
    }
    return bounds[each.claim.relation]


def _needed(each: JudgedClaim) -> str:
    verdict = each.verdict
    if verdict is None or verdict.needed is None:
        return "a thousand seeds would be too few at the spread seen"
    if not verdict.missing:
        return "more seeds would not settle it at the spread seen; more test images might"
    return f"about {verdict.needed} seeds would settle it at the spread and distance seen ({verdict.missing} more)"


def claims_table(found: Sequence[JudgedClaim], caption: str) -> Table:
    """A row a claim and data set."""
    header = ("claim", "on", "verdict", "difference", "claimed", "pairs", "p", "effect", "seeds needed")
    rows = tuple(
        (
            Entry(each.claim.text, detail=each.claim.source or ""),
            Entry(each.place),
            Entry(each.outcome, bold=each.decision in ("supported", "contradicted"), colour=COLOURS[each.decision]),
            *_measured(each),
        )
        for each in found
    )
    return Table("claims", caption, header, rows, text_columns=3, printed=Printed(left_out=2))


def _measured(each: JudgedClaim) -> tuple[Entry, ...]:
    verdict = each.verdict
    if verdict is None:
        return (
            Entry("missing", muted=True, behind=each.behind),
            Entry(_claimed(each)),
            Entry(f"0 of {each.planned}", behind=each.behind),
            *[Entry("–", muted=True)] * 3,
        )
    effect = verdict.difference.effect
    n = verdict.difference.estimate.n
    return (
        Entry(_estimate(verdict.difference.estimate, each.unit), behind=each.behind),
        Entry(_claimed(each)),
        Entry(str(n) if n == each.planned else f"{n} of {each.planned}", behind=each.behind),
        Entry(f"{verdict.p:.3f}", behind=each.behind),
        Entry("–" if effect is None else f"{effect:z.1f}", muted=effect is None, behind=each.behind),
        Entry("over 1000" if verdict.needed is None else str(verdict.needed), behind=each.behind),
    )


def claims_chart(found: Sequence[JudgedClaim]) -> Spec | None:
    """The difference of every claim in points with its interval, and the bounds of what is claimed; None for none.

    Claims on monitors have units of their own and stand in the table alone.
    """
    shown = [each for each in found if each.unit == "points" and each.verdict]
    if not shown:
        return None
    drawn = [row for each in shown if (row := _row(each))]
    order = list(dict.fromkeys(_name(each) for each in shown))
    bounds = [{"claim": _name(each), "value": bound} for each in shown for bound in _bounds(each.claim)]
    y = alt.Y("claim:N", title=None, sort=order, axis=None)
    x = "first minus second (points)"
    scale = alt.Scale(domain=list(ORDER), range=[COLOURS[name] for name in ORDER])
    colour = alt.Color("verdict:N", scale=scale, legend=None)
    tips = [alt.Tooltip(f"{name}:N", title=name) for name in ("claim", "verdict")]
    tips += [alt.Tooltip(f"{name}:Q", title=name, format=".2f") for name in ("mean", "low", "high")]
    zero = [{"value": 0.0}]
    words = [{"claim": _name(each), "words": "\n".join(textwrap.wrap(_titled(each), LETTERS))} for each in shown]
    lines = 1 + max(row["words"].count("\n") for row in words)
    layers = [
        named(zero).mark_rule(color=RULE).encode(x=alt.X("value:Q", title=x)),
        named(bounds).mark_tick(thickness=2, size=14, color=INK, strokeDash=[2, 2]).encode(y=y, x="value:Q"),
        named(drawn).mark_rule(strokeWidth=2.5).encode(y=y, x=alt.X("low:Q", title=x), x2="high:Q", color=colour),
        named(drawn).mark_circle(size=70, opacity=1).encode(y=y, x="mean:Q", color=colour, tooltip=tips),
        named(words)
        .mark_text(
            align="left", baseline="bottom", dy=-9 - LINE * (lines - 1), fontSize=11.5, color=INK, lineBreak="\n"
        )
        .encode(y=y, x=alt.value(0), text="words:N"),
    ]
    return finished(alt.layer(*layers), WIDTH, (LINE * lines + 26) * len(order), zero, bounds, drawn, words)


def _row(each: JudgedClaim) -> dict[str, Any] | None:
    if each.verdict is None:
        return None
    found = each.verdict.difference.estimate
    return {
        "claim": _name(each),
        "verdict": each.decision,
        "mean": round(found.mean, 3),
        "low": round(found.mean if found.low is None else found.low, 3),
        "high": round(found.mean if found.high is None else found.high, 3),
    }


def _name(each: JudgedClaim) -> str:
    return f"{each.claim.text} ({each.place})"


def _titled(each: JudgedClaim) -> str:
    """With the verdict first: colour alone does not tell it."""
    return f"{each.decision}: {_name(each)}"


def _bounds(claim: PlannedClaim) -> list[float]:
    """Where the difference has to lie above or below."""
    signs = {"greater": [1], "less": [-1], "at_least": [-1], "equivalent": [-1, 1]}
    return [sign * claim.margin for sign in signs[claim.relation]]
