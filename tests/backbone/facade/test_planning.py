"""What is remembered of answers that left nothing open."""

from backbone.domain.dimension import Dimension
from backbone.facade.planning import Complete
from backbone.store.records import Query
from tests.backbone.facade.kit import bars


def test_an_answer_is_judged_again_when_finer_bars_reach_further_or_its_rows_are_others() -> None:
    complete, frame = Complete(), bars()
    query = Query(Dimension.INTRADAY_BARS, ("EURUSD",), "1h")
    spans = {"1h": (0, 10), "5m": (0, 5)}
    complete.note(query, frame, [spans])
    assert complete.holds(query, frame, [{"1h": (0, 10), "5m": (0, 5)}])
    spans["5m"] = (0, 20)  # what is known grows in place
    assert not complete.holds(query, frame, [spans])
    assert not complete.holds(query, bars(), [{"1h": (0, 10), "5m": (0, 5)}])


def test_few_answers_are_remembered_and_no_long_ones() -> None:
    complete, frame, long = Complete(), bars(), bars(5_001)
    queries = [Query(Dimension.INTRADAY_BARS, (f"S{number}",), "1h") for number in range(65)]
    for query in queries:
        complete.note(query, frame, [])
    assert [complete.holds(query, frame, []) for query in queries].count(True) == 64
    assert not complete.holds(queries[0], frame, [])
    complete.note(queries[-1], long, [])
    assert not complete.holds(queries[-1], long, [])
