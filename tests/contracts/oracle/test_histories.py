"""The whole oracle against the Python twin: random feeds, random histories, every state and event predicted.

Windows of any kind, hours off, ranges and exclusions; reports by one reporter or many, of one feed or several, on time, too
early or too late; skips, proofs against reporters. `model.py` says what each has to come to.
"""

from datetime import UTC, datetime

import brownie
import pytest
from brownie.test import given
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from relayer.protocol.measurement import Comparison
from relayer.protocol.readings import NO_DATA, NOT_APPLICABLE
from relayer.protocol.report import ALL_INTERVALS
from relayer.protocol.scope import ALL_HOURS, Scope
from tests import samples
from tests.contracts.oracle.bundles import Office, judged_many, selector
from tests.contracts.oracle.desk import PARTIES, Desk, judged, panel, refused
from tests.contracts.oracle.model import Model, Panel, Refusal

THRESHOLD = 100
VALUES = (0, 99, 100, 102, 150, 4_000, NO_DATA, NOT_APPLICABLE)
DEADLINE = 600
DAY = 86_400
# A Monday before the end of a month, in a leap year.
JANUARY_30 = int(datetime(2096, 1, 30, tzinfo=UTC).timestamp())
SELECTORS = {
    "MonitoringOracle_AlreadyJudged": selector("MonitoringOracle_AlreadyJudged(uint256,uint256)"),
    "MonitoringOracle_TooEarly": selector("MonitoringOracle_TooEarly(uint256,uint256)"),
    "MonitoringOracle_Gap": selector("MonitoringOracle_Gap(uint256)"),
    "MonitoringOracle_NoAgreement": selector("MonitoringOracle_NoAgreement(uint256)"),
}

# Feeds


@st.composite
def times(draw):
    """Fixed windows, short at the start or not; or days and half days in months."""
    common = {
        "settle_delay": draw(st.sampled_from([0, 30])),
        "deadline": DEADLINE,
        "cadence": 60,
        "comparison": draw(st.sampled_from(list(Comparison))),
        "threshold": THRESHOLD,
        "notice": draw(st.sampled_from([0, 0, 3_600])),
    }
    if draw(st.integers(0, 3)) == 0:
        start = JANUARY_30 + DAY * draw(st.integers(-3, 3))
        interval = draw(st.sampled_from([DAY, DAY // 2]))
        return common | {"start": start, "interval": interval, "window_intervals": 0}
    size = draw(st.integers(1, 9))
    return common | {
        "start": JANUARY_30 + 3_600 * draw(st.integers(0, 30)),
        "interval": draw(st.sampled_from([900, 1_800, 3_600])),
        "window_intervals": size,
        "offset": draw(st.integers(0, size - 1)),
    }


@st.composite
def scopes(draw, interval):
    best, worst = draw(
        st.sampled_from([(0, 0), (0, 0), (0, 120), (120, 0), (100, 99), (50, 4_000)])
    )
    hours = 0
    if 3_600 % interval == 0:
        hours = draw(st.sampled_from([0, 0, 0b1010, 0xFFF << 6, ALL_HOURS - 0b110, 1 << 24]))
    return Scope(best, worst, draw(st.sampled_from([0, 3, 6, 6])), hours)


@st.composite
def feeds(draw, panel_):
    made = []
    for number in range(draw(st.integers(1, 3))):
        fields = draw(times())
        scope = draw(scopes(fields["interval"]))
        start = fields.pop("start")
        made.append(samples.feed(start, panel_, bytes([number]) * 32, scope, **fields))
    return made


# Histories


@st.composite
def answers(draw, reporters):
    """For each reporter that says anything: how much earlier it begins, and its answers; mostly they say the same."""
    truth = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=10))
    said = {}
    for reporter in range(reporters):
        kind = draw(st.sampled_from("aaaaabcdes"))
        own = list(truth)
        if kind == "b":
            own = [value + 2 if value < NOT_APPLICABLE else value for value in own]
        elif kind == "c":
            own[draw(st.integers(0, len(own) - 1))] = draw(st.sampled_from(VALUES))
        elif kind == "d":
            own = own[: draw(st.integers(1, len(own)))]
        elif kind == "e":
            own += draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=4))
        if kind != "s":
            said[reporter] = (draw(st.sampled_from([0, 0, 0, 1, -1])), own)
    return said


LATE = st.sampled_from([0, 0, 0, 5, DEADLINE, DEADLINE + 3_700, -1])
UP_TO = st.sampled_from([None, None, None, 1, 3, 0])


@st.composite
def steps(draw, count, reporters):
    feed = draw(st.integers(0, count - 1))
    kind = draw(
        st.sampled_from(
            ["report"] * 5 + ["many"] * 4 + ["exclude"] * 3 + ["skip"] * 2 + ["prove", "heed"]
        )
    )
    match kind:
        case "report":
            return kind, feed, draw(answers(reporters)), draw(LATE), draw(UP_TO)
        case "many":
            said = [draw(answers(reporters)) for _ in range(count)]
            chosen = draw(st.sets(st.integers(0, count - 1), min_size=1))
            return kind, sorted(chosen), said, draw(LATE)
        case "skip":
            return kind, feed, draw(st.integers(0, 30)), draw(st.sampled_from([0, 0, 0, -1, 50]))
        case "exclude":
            return kind, feed, draw(st.integers(0, 5)), draw(st.integers(1, 4))
        case _:
            return kind, feed, draw(st.integers(0, reporters - 1))


@st.composite
def stories(draw):
    reporters, quorum = draw(st.sampled_from([(1, 1), (3, 2), (3, 2), (4, 3), (5, 3)]))
    panel_ = panel(reporters, quorum, draw(st.sampled_from([0, 2, 60])), PARTIES)
    made = draw(feeds(panel_))
    told = draw(st.lists(steps(len(made), reporters), min_size=2, max_size=7))
    return made, told


class Chronicle:
    """Tells a story to the oracle and to the model, and holds them against each other."""

    def __init__(self, oracle, at, made):
        shared = Panel()
        self.ignored = shared.ignored
        self.desks = [Desk(oracle, feed, at) for feed in made]
        self.models = [Model(feed, shared) for feed in made]
        self.office = Office(*self.desks)
        # Before any feed starts, so that all that is ahead can be excluded.
        self.now = brownie.chain[-1].timestamp

    def tell(self, story):
        for kind, feeds, *details in story:
            getattr(self, f"_{kind}")(feeds, *details)
            touched = feeds if kind == "many" else [feeds]
            for number in touched:
                self._compare(self.desks[number], self.models[number])
        for desk, model in zip(self.desks, self.models, strict=True):
            self._compare_windows(desk, model)

    def _at(self, time):
        """The time of the next transaction: the time asked for, or the next second if this is over."""
        self.now = max(time, brownie.chain[-1].timestamp + 1)
        for desk in self.desks:
            desk.wait(self.now)

    def _attempt(self, predict, act):
        """Both accept, or both refuse for the same reason."""
        try:
            predicted = predict()
        except Refusal as refusal:
            with refused(refusal.error, *refusal.values):
                act()
            return None, None
        tx = act()
        assert tx.timestamp == self.now
        return predicted, tx

    def _report(self, number, said, late, up_to):
        desk, model = self.desks[number], self.models[number]
        signed = {
            reporter: desk.sign(reporter, max(0, model.next + shift), codes)
            for reporter, (shift, codes) in said.items()
        }
        if not signed:
            return
        end = max(batch.end for batch in signed.values())
        up_to = ALL_INTERVALS if up_to is None else model.next + up_to
        self._at(desk.settled(max(1, min(end, up_to))) + late)
        predicted, tx = self._attempt(
            lambda: model.report(signed, self.now, up_to),
            lambda: desk.send(list(signed.values()), up_to=up_to),
        )
        if tx:
            first, values, heard, dissenters = judged(tx)
            self._compare_values(model, first, values, predicted.codes)
            assert heard == predicted.heard
            assert dissenters - self.ignored == predicted.dissenters - self.ignored

    def _many(self, chosen, said, late):
        """All feeds are signed for; some of them are reported, by all who said anything of any."""
        parts = {}
        for number, answered in enumerate(said):
            for reporter, (shift, codes) in answered.items():
                first = max(0, self.models[number].next + shift)
                part = self.office.part(number, list(codes), first)
                parts.setdefault(reporter, {})[number] = part
        signed = {
            reporter: (self.office.sign_parts(reporter, list(mine.values())), mine)
            for reporter, mine in parts.items()
            if any(number in mine for number in chosen)
        }
        if not signed:
            return
        self.office.settle(*(bundle for bundle, _ in signed.values()))
        self._at(self.desks[0]._time + late)
        expected = []
        for number in chosen:
            readings = {i: mine[number] for i, (_, mine) in signed.items() if number in mine}
            try:
                expected.append(self.models[number].report(readings, self.now))
            except Refusal as refusal:
                expected.append(refusal)
        tx = self.office.send([bundle for bundle, _ in signed.values()], chosen)
        outcome = judged_many(tx)
        assert outcome.heard == set(signed)
        ids = [self.desks[number].feed.id for number in chosen]
        assert outcome.feed_ids == ids
        assert outcome.refused == {
            feed_id: SELECTORS[e.error]
            for feed_id, e in zip(ids, expected, strict=True)
            if isinstance(e, Refusal)
        }
        dissenters = set()
        for number, said_, (first, values) in zip(chosen, expected, outcome.values, strict=True):
            if isinstance(said_, Refusal):
                assert (first, values) == (self.models[number].next, [])
            else:
                self._compare_values(self.models[number], first, values, said_.codes)
                dissenters |= said_.dissenters
        assert outcome.dissenters - self.ignored == dissenters - self.ignored

    def _skip(self, number, count, late):
        desk, model = self.desks[number], self.models[number]
        up_to = model.next + count
        self._at(model.skippable_at(up_to) + late)
        self._attempt(lambda: model.skip(up_to, self.now), lambda: desk.skip(up_to))

    def _exclude(self, number, ahead, length):
        """So many intervals ahead of the next one, and of now; once in a while too late."""
        desk, model = self.desks[number], self.models[number]
        self._at(0)
        m = model.feed.measurement
        begun = max(0, -(-(self.now + m.notice - m.start) // m.interval))
        first = max(model.next, begun - 1) + ahead
        span = (first, first + length)
        self._attempt(lambda: model.exclude(*span, self.now), lambda: desk.exclude(*span))

    def _prove(self, number, reporter):
        desk, model = self.desks[number], self.models[number]
        self._at(0)
        pair = desk.sign(reporter, 0, [7]), desk.sign(reporter, 0, [NO_DATA])
        self._attempt(lambda: model.prove(reporter), lambda: desk.prove(reporter, 0, *pair))

    def _heed(self, number, _):
        self._at(0)
        self._attempt(self.models[number].heed, self.desks[number].heed)

    def _compare_values(self, model, first, values, codes):
        """Of what counts; a unanimous report tells values as they were signed, and clamped they are the judged ones."""
        assert first == model.next - len(codes)
        assert len(values) == len(codes)
        clamp = model.feed.scope.clamp
        for number, (told, code) in enumerate(zip(values, codes, strict=True), first):
            if not model.is_left_out(number):
                assert (clamp(told) if told < NOT_APPLICABLE else told) == code

    def _compare(self, desk, model):
        """What was judged last, and the window that runs."""
        state = desk.oracle.latest(desk.feed.id)
        assert tuple(state) == (model.next, model.verdict, model.advanced_at)
        window = model.feed.measurement.window_of(model.next)
        assert desk.tally(window) == model.tally(window)

    def _compare_windows(self, desk, model):
        for window in range(model.feed.measurement.window_of(model.next) + 2):
            assert desk.tally(window) == model.tally(window), window
            assert (desk.tally_slot(window) != 0) == model.leaves_slot(window), window


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(3))
def test_the_oracle_is_what_the_twin_says(oracle, at, part):
    examples = 8 if brownie.network.show_active() == "ganache" else 12

    @settings(max_examples=examples, deadline=None, suppress_health_check=HealthCheck.all())
    @given(story=stories())
    def tell(story):
        made, told = story
        Chronicle(oracle, at, made).tell(told)

    tell()
