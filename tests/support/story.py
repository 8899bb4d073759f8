"""Checks, second by second, that what is said of a target is one story; also of recordings.

    python -m tests.support.story RECORDING ...

plays recordings, as `record` writes them or with `connections` by application, and prints where two
things that are said contradict each other, or one contradicts what was sampled.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable

from pgheadroom.forecast.application_trends import Verdict
from pgheadroom.forecast.climb import least_rise
from pgheadroom.judge.blame import rising
from pgheadroom.judge.firing import held
from pgheadroom.model.alert import AlertName, Severity
from pgheadroom.model.reading import Outcome, Reading
from pgheadroom.state import State
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.figures import growth_rates, verdicts
from pgheadroom.status.standing import Standing, standing
from pgheadroom.status.status import Status, status
from pgheadroom.status.titles import superseded_by, title
from pgheadroom.step import step
from pgheadroom.storage.recording_reader import RecordingReader
from tests.support.readings import POLICY

RECOVERS_SECONDS = 10.0
NOISE = 1.5
"""While use climbs, the time left grows by no more than this factor at once ..."""
NOISE_SECONDS = 15.0
"""... and by so many seconds."""
_GRAVE = (AlertName.EXHAUSTED, AlertName.IMMINENT)
_RANK = {
    Condition.STEADY: 0,
    Condition.RECOVERING: 0,
    Condition.RISING: 1,
    Condition.WARNING: 1,
    Condition.UNKNOWN: 1,
    Condition.CRITICAL: 2,
}


class Story:
    """What was said of one target so far, and every contradiction in it."""

    def __init__(self) -> None:
        self.contradictions: list[tuple[float, str]] = []
        self.conditions: Counter[Condition] = Counter()
        self._left: float | None = None
        self._peak = 0
        self._cured_at: float | None = None

    def sees(self, state: State, at: float) -> None:
        """Take in the state of a moment."""
        says = status(state)
        self.conditions[says.condition] += 1
        found = [
            *_of_one_moment(state, says),
            *_of_alerts(state, says),
            *_of_applications(state, says),
            *self._of_time(state),
            *self._of_the_cure(state, at),
        ]
        self.contradictions += [(at, words) for words in found]

    def _of_time(self, state: State) -> Iterable[str]:
        """While use climbs the time left does not grow by more than noise."""
        left = state.countdown.seconds if state.countdown.told else None
        climbs = state.usage.used >= self._peak - least_rise(state.usage.limit)
        if left is None or not climbs:
            self._left, self._peak = left, state.usage.used
            return
        self._peak = max(self._peak, state.usage.used)
        if self._left and left > NOISE * self._left + NOISE_SECONDS:
            yield f"{self._left:.0f} s left, and then {left:.0f}"
        self._left = left

    def _of_the_cure(self, state: State, at: float) -> Iterable[str]:
        """With room again and nothing that grows, nothing is critical any more."""
        limit = state.usage.limit
        few = max(state.thresholds.low_free_ratio * limit, 2 * least_rise(limit))
        over = (
            state.outcome is Outcome.OK
            and (state.free or 0) > 2 * few
            and rising(state) is None
            and all(held(state, alert) for alert in state.alerts if alert.name in _GRAVE)
        )
        if not over:
            self._cured_at = None
            return
        self._cured_at = at if self._cured_at is None else self._cured_at
        grave = {alert.name for alert in state.alerts if alert.severity is Severity.CRITICAL}
        late = at - self._cured_at > RECOVERS_SECONDS
        if late and grave and grave <= {*_GRAVE} and condition(state) is Condition.CRITICAL:
            yield f"critical {at - self._cured_at:.0f} s after the cure, {state.free} free"


def _of_one_moment(state: State, says: Status) -> Iterable[str]:
    """Free and used are of one moment everywhere, and no word says otherwise."""
    sample, free = state.sample, state.free
    if sample is None or sample.main.limit is None:
        return
    stands = standing(state)
    if state.outcome is Outcome.OK and free != max(0, sample.main.limit - sample.main.used):
        yield f"{free} free, {sample.main.used} used of {sample.main.limit}"
    if says.left != f"{free} of {sample.main.limit} slots free":
        yield f"{says.left!r} of {free}"
    if says.left not in says.sentence:
        yield f"{says.sentence!r} without {says.left!r}"
    if state.outcome is Outcome.OK and free and re.search(r"FULL|being refused", says.sentence):
        yield f"{says.sentence!r} with {free} free"
    if stands is Standing.FULL and says.condition is not Condition.CRITICAL:
        yield f"full and {says.condition}"


def _of_alerts(state: State, says: Status) -> Iterable[str]:
    """No condition says less than what fires, and no alert speaks of another number."""
    fires = [alert for alert in state.alerts if not held(state, alert)]
    pages = any(alert.severity is Severity.CRITICAL for alert in fires)
    if _RANK[says.condition] < (2 if pages else 1 if fires else 0):
        yield f"{says.condition} while {', '.join(alert.name for alert in fires)} fires"
    grave = pages and any(alert.name in _GRAVE for alert in fires)
    if says.when == "not filling up" and grave:
        yield f"not filling up while {', '.join(alert.name for alert in fires)} fires"
    shown = [alert for alert in state.alerts if superseded_by(state, alert) is None]
    if state.alerts and not shown:
        yield "no alert is shown, and some fire"
    for alert in fires:
        told = re.search(r"(\d+) of (\d+) slots free", title(state, alert))
        if told is not None and int(told[1]) != state.free:
            yield f"{title(state, alert)!r} with {state.free} free"
        told = re.search(r"(\d+) of (\d+) slots free", alert.description)
        new = state.sample is not None and alert.told_at == state.sample.at
        if told is not None and new and int(told[1]) != state.free:
            yield f"{alert.description!r} with {state.free} free"


def _of_applications(state: State, says: Status) -> Iterable[str]:
    """Verdict, growth and headline of an application agree, and advice names nobody who is gone."""
    verdict, rates = verdicts(state), growth_rates(state)
    climbs = {name for name, one in verdict.items() if one in {Verdict.STORM, Verdict.CLIMBING}}
    if says.condition is Condition.STEADY and climbs:
        yield f"{says.condition} while {', '.join(climbs)} climbs"
    if says.when == "not filling up" and climbs and state.outcome is Outcome.OK:
        yield f"not filling up while {', '.join(climbs)} climbs"
    if says.condition is Condition.RISING and "No action" in says.advice:
        yield f"rising: {says.advice}"
    pages = says.condition is Condition.CRITICAL and standing(state) is Standing.RUNNING_OUT
    took = pages and not says.change.startswith("holds most")
    if took and verdict.get(says.who) is Verdict.STABLE and rates.get(says.who, 0.0) > 0:
        yield f"{says.who} is stable and to blame"
    gone = [name for name, count in state.applications.totals.items() if not count]
    for name in gone:
        if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", says.advice):
            yield f"{says.advice!r}, and {name} is gone"


def story(found: Iterable[Reading]) -> Story:
    """Return what is said while all that was *found* is played."""
    state, told = State("db"), Story()
    for one in found:
        state = step(state, one, POLICY)
        told.sees(state, one.at)
    return told


def main(paths: list[str]) -> int:
    """Play the recordings of *paths*; return how many contradict themselves."""
    bad = 0
    for path in paths:
        told = story(RecordingReader(path))
        bad += bool(told.contradictions)
        conditions = ", ".join(f"{name} {count}" for name, count in told.conditions.items())
        sys.stdout.write(f"{path}: {len(told.contradictions)} contradictions ({conditions})\n")
        for at, words in told.contradictions[:5]:
            sys.stdout.write(f"  {at:.0f}: {words}\n")
    return bad


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
