"""The last step of a backtest: thresholds over the values that the differences of all shares add up to.

Values meet at one owner, so this is done once, for both versions, after the shares. Pure but for the file that is read.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from rules import Definitions, Reference, ThresholdJudge, Totals
from stagewatch.backtest_decode import read_share
from stagewatch.backtest_judge import Both, Judged
from stagewatch.backtest_versions import Versions


def judge_values(both: Both, share: Path, versions: Versions, until: int, *, mail_domain: str) -> None:
    """Add what thresholds raise, up to and including `until` (epoch ms), to what both versions raised.

    `share` is the file of any share: all of them have the whole of the reference data.
    """
    if not (both.running.deltas or both.changed.deltas):
        return
    reference = Reference(versions.sources.entities(reference=True), versions.sources.believed)
    for piece in read_share(share):
        for change in piece:
            if change.entity in reference.entities:
                reference.add(change)
    for judged, definitions in ((both.running, versions.running), (both.changed, versions.changed)):
        _judge(judged, definitions, reference, until, mail_domain)


def _judge(judged: Judged, definitions: Definitions, reference: Reference, until: int, mail_domain: str) -> None:
    totals = Totals()
    judge = ThresholdJudge(definitions, reference, totals, mail_domain=mail_domain)
    for at, together in groupby(sorted(judged.deltas, key=lambda delta: delta.at), key=lambda delta: delta.at):
        for delta in together:
            judge.note(totals.add(delta), delta)
        judge.advance(at - 1)  # as in `replay`: at this moment there may still come more
        judge.take_rows()
    judge.advance(until)
    judged.hear(*judge.take_alerts())
