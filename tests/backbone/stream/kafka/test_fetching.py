"""The client of Kafka under the fetching of records: what it is told, and what is done where it does not do its work.

A double stands for aiokafka's consumer, as far as it is used; everything else of reading is tested on real brokers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import anyio
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError, TopicAuthorizationFailedError

from backbone.settings.sections.stream import StreamSettings
from backbone.stream.errors import StreamUnavailable
from backbone.stream.kafka import fetching, tail
from backbone.stream.kafka.connection import Connection
from backbone.stream.kafka.fetching import Fetched, Fetcher, OffsetsGone
from backbone.stream.kafka.identity import Seen
from backbone.stream.kafka.judging import Judge
from backbone.stream.kafka.portion import PORTION_BYTES
from backbone.stream.kafka.standing import Identity
from backbone.stream.kafka.tail import Tail
from backbone.stream.kafka.wire import Unreadable, encoded
from backbone.stream.letters import Letters, Message
from backbone.stream.records import Record
from backbone.stream.topics import Topics
from tests.backbone.stream.kit import row

A, B = TopicPartition("backbone.quotes", 0), TopicPartition("backbone.quotes", 1)
TOPICS = Topics.of(StreamSettings())
CONNECTION = Connection.of(StreamSettings(bootstrap="localhost:9092"))


class Raw(NamedTuple):
    """A record as aiokafka hands it out."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def raw(at: TopicPartition, offset: int) -> Raw:
    key, value, headers = encoded(row(offset + 1))
    return Raw(at.topic, at.partition, offset, key, value, headers)


class Client:
    """A consumer over a log in memory that does what it is told to.

    Attributes:
        made: all of them.
        log: what each partition holds; an error lies where a batch is damaged.
        dead: it fetches nothing any more, and says nothing.
    """

    made: list[Client]
    log: dict[TopicPartition, list[Raw | Exception]]

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.at: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.polls = 0
        self.heard: dict[TopicPartition, int] = {}
        self.dead = self.stopped = False
        self._client = self._fetcher = self
        self.made.append(self)

    async def start(self) -> None:
        self.stopped = False

    async def stop(self) -> None:
        self.stopped = True

    async def close(self) -> None:
        self.stopped = True

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.at = dict.fromkeys(partitions, 0)

    def seek(self, at: TopicPartition, offset: int) -> None:
        self.at[at] = offset

    def pause(self, at: TopicPartition) -> None:
        self.paused.add(at)

    async def position(self, at: TopicPartition) -> int:
        return self.at[at]

    def last_poll_timestamp(self, at: TopicPartition) -> int | None:
        return None if self.dead else self.heard.get(at)

    @property
    def _records(self) -> Collection[TopicPartition]:
        """Where something was fetched that is not handed out: nothing is asked of these meanwhile."""
        return [] if self.dead else [at for at, next_ in self.at.items() if next_ < len(self.log.get(at, []))]

    async def getmany(
        self, *only: TopicPartition, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Raw]]:
        found: dict[TopicPartition, list[Raw]] = {}
        if not self.dead:
            self.polls += 1
            self.heard |= dict.fromkeys(self.at.keys() - {*self._records}, self.polls)
            for at in only or [each for each in self.at if each not in self.paused]:
                for each in self.log.get(at, [])[self.at[at] :][: max_records - sum(map(len, found.values()))]:
                    if isinstance(each, Exception):
                        raise each
                    found.setdefault(at, []).append(each)
                    self.at[at] = each.offset + 1
        if not found:
            await anyio.sleep(timeout_ms / 1000)
        return found


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    class Mine(Client):
        made: list[Client] = []  # noqa: RUF012  one for each test
        log: dict[TopicPartition, list[Raw | Exception]] = {}  # noqa: RUF012

    monkeypatch.setattr(fetching, "AIOKafkaConsumer", Mine)
    return Mine


async def fetcher(**offsets: int) -> Fetcher:
    made = Fetcher(CONNECTION, 2_000_000)
    await made.open()
    made.assign({A: offsets.get("a", 0), B: offsets.get("b", 0)})
    return made


async def test_k4_nothing_is_left_to_the_clients_weak_defaults(client: type[Client]) -> None:
    await (await fetcher()).close()
    [made] = client.made
    wanted = {
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "check_crcs": True,
    }
    assert wanted.items() <= made.given.items()
    assert made.stopped


async def test_k17_a_client_takes_the_largest_batch_that_a_topic_may_hold(client: type[Client]) -> None:
    await (await fetcher()).close()
    [made] = client.made
    assert made.given["max_partition_fetch_bytes"] == 2_000_000
    assert made.given["fetch_max_bytes"] >= 2_000_000


async def test_k13_a_damaged_batch_costs_what_is_in_it_and_nothing_beside_it(client: type[Client]) -> None:
    damaged = CorruptRecordException("Invalid CRC")
    client.log = {A: [raw(A, 0), damaged, damaged, raw(A, 3)], B: [raw(B, 0), raw(B, 1)]}
    made = await fetcher()
    found: list[Fetched] = []
    with anyio.fail_after(60):
        while len(found) < 6:
            found += await made.fetch(0.1, 100)
    read = {(each.at.partition, each.offset) for each in found if isinstance(each.content, Record)}
    lost = [(each.at.partition, each.offset) for each in found if isinstance(each.content, Unreadable)]
    assert read == {(0, 0), (0, 3), (1, 0), (1, 1)}
    assert lost == [(0, 1), (0, 2)]
    assert made.next == {A: 4, B: 2}


async def test_headers_whose_names_are_no_text_are_damage_too(client: type[Client]) -> None:
    client.log = {A: [UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), raw(A, 1)]}
    made = await fetcher()
    found = await made.fetch(0.1, 100)
    assert [type(each.content) for each in found] == [Unreadable, Record]


async def test_what_is_out_of_range_is_told_and_not_jumped_over(client: type[Client]) -> None:
    client.log = {A: [raw(A, 0), OffsetOutOfRangeError({A: 1})]}
    made = await fetcher()
    assert [each.offset for each in await made.fetch(0.1, 1)] == [0]
    with pytest.raises(OffsetsGone) as gone:
        await made.fetch(0.1, 100)
    assert list(gone.value.partitions) == [A]
    assert made.next[A] == 1


async def test_who_may_not_read_is_told_why(client: type[Client]) -> None:
    client.log = {A: [TopicAuthorizationFailedError("backbone.quotes")]}
    made = await fetcher()
    with pytest.raises(StreamUnavailable, match=r"backbone\.quotes"):
        await made.fetch(0.1, 100)


async def test_an_error_takes_nothing_along_that_was_not_handed_out(client: type[Client]) -> None:
    error = TopicAuthorizationFailedError("backbone.quotes")
    client.log = {A: [raw(A, 0)], B: [error]}
    made = await fetcher()
    with pytest.raises(StreamUnavailable):
        await made.fetch(0.1, 100)
    client.log[B] = []
    assert [each.offset for each in await made.fetch(0.1, 100)] == [0]


def large(at: TopicPartition, offset: int) -> Raw:
    return raw(at, offset)._replace(value=bytes(80 * 1024))


async def all_of(made: Fetcher, records: int) -> list[list[Fetched]]:
    """What each fetch gives, until there were so many."""
    portions: list[list[Fetched]] = []
    with anyio.fail_after(60):
        while sum(map(len, portions)) < records:
            portions.append(await made.fetch(0.1, 200))
    return portions


async def test_large_records_are_taken_a_few_at_a_time_for_the_client_unpacks_them_on_the_loop(
    client: type[Client],
) -> None:
    client.log = {A: [raw(A, n) if n < 1000 else large(A, n) for n in range(1300)]}
    portions = await all_of(await fetcher(), 1300)
    assert [each.offset for portion in portions for each in portion] == [*range(1300)]
    sizes = [sum(each.size for each in portion) for portion in portions]
    over = [size for size in sizes if size > PORTION_BYTES]
    assert len(over) <= 1  # the first that has some of them


async def test_what_was_not_taken_at_once_before_it_is_known_how_large_it_is_comes_in_order(
    client: type[Client],
) -> None:
    client.log = {A: [large(A, n) for n in range(40)]}
    portions = await all_of(await fetcher(), 40)
    assert [each.offset for portion in portions for each in portion] == [*range(40)]
    assert max(map(len, portions)) <= 8


async def test_of_small_records_as_many_as_are_wanted_are_taken_soon(client: type[Client]) -> None:
    client.log = {A: [raw(A, n) for n in range(4000)]}
    portions = await all_of(await fetcher(), 4000)
    assert [len(each) for each in portions[:6]] == [8, 16, 32, 64, 128, 200]
    assert {len(each) for each in portions[5:-1]} == {200}


async def test_a_partition_whose_records_wait_behind_those_of_another_is_not_silent(client: type[Client]) -> None:
    """Else the client is made anew again and again for who takes a while for each portion."""
    client.log = {A: [large(A, n) for n in range(200)], B: [raw(B, 0)]}
    made = await fetcher()
    found: list[TopicPartition] = []
    while B not in found:
        found += [each.at for each in await made.fetch(0.1, 200)]
        await anyio.sleep(0.4)
        assert made.silent_for() <= 0.5
    assert found.count(A) == 200


async def judged(at: TopicPartition) -> tuple[Fetcher, Judge]:
    judge = Judge(TOPICS)
    made = Fetcher(CONNECTION, 2_000_000, judge)
    await made.open()
    made.assign({at: 0})
    return made, judge


async def away(claimed: int) -> int:
    raise StreamUnavailable("the store is away")


async def silent(claimed: int) -> int:
    await anyio.sleep_forever()
    return 0


async def reached_all(claimed: int) -> int:
    return claimed


BARS_AT = TopicPartition("backbone.intraday_bars", 0)
DAMAGED = CorruptRecordException("Invalid CRC")


@pytest.mark.parametrize("log", [[raw(BARS_AT, 0), raw(BARS_AT, 1)], [raw(BARS_AT, 0), DAMAGED, raw(BARS_AT, 2)]])
@pytest.mark.parametrize("how", ["the store is away", "cut off"])
async def test_what_came_while_nobody_could_judge_it_comes_again(
    client: type[Client], log: list[Raw | Exception], how: str
) -> None:
    """The client stands behind what it has given."""
    client.log = {BARS_AT: log}
    made, judge = await judged(BARS_AT)
    judge.reached = away if how == "the store is away" else silent
    for _ in range(2):
        with anyio.move_on_after(5), suppress(StreamUnavailable):
            assert await made.fetch(0.1, 100) == []
    judge.reached = reached_all
    found: list[int] = []
    with anyio.fail_after(60):
        while len(found) < len(log):
            found += [each.offset for each in await made.fetch(0.1, 100)]
    assert found == [*range(len(log))]


async def test_what_claims_a_position_that_the_database_has_not_come_to_is_kept_whole_and_not_believed(
    client: type[Client],
) -> None:
    at = TopicPartition("backbone.intraday_bars", 0)
    client.log = {at: [raw(at, 0), raw(at, 2**40), raw(at, 2)]}
    made, judge = await judged(at)

    async def reached(claimed: int) -> int:
        return 3

    judge.reached = reached
    first, foreign, last = await made.fetch(0.1, 100)
    assert (type(first.content), type(last.content)) == (Record, Record)
    assert isinstance(foreign.content, Unreadable)
    assert foreign.content.reason == f"position {2**40 + 1} given; the database has only come to 3"
    given = raw(at, 2**40)
    assert foreign.message == Message(given.key, given.value, tuple(given.headers))


class Quiet:
    """Brokers that answer whatever is asked, and hold nothing."""

    def __init__(self, *_: object) -> None:
        self.asked = 0
        self.current = Identity({}, None)

    def require_open(self) -> None:
        pass

    async def identity(self) -> Identity:
        self.asked += 1
        return Identity({A.topic: Seen("id", 2)}, None)

    async def begins(self, identity: Identity) -> dict[TopicPartition, int]:
        return {A: 0, B: 0}

    async def ends(self) -> dict[TopicPartition, int]:
        return {A: 0, B: 0}

    async def ends_in(self, identity: Identity) -> dict[TopicPartition, int]:
        return {A: 0, B: 0}

    async def newest_positions(self, begins: object, ends: object) -> dict[TopicPartition, int]:
        return {}

    async def close(self) -> None:
        pass


async def test_k11_a_client_that_stops_in_silence_is_made_anew(
    client: type[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "Standing", Quiet)
    shared = Tail(CONNECTION, TOPICS, Letters(), Judge(TOPICS))
    await shared.open()
    client.made[0].dead = True
    with anyio.fail_after(600):
        while shared.rebuilt == 0:
            await shared.step(0.5, anyio.Event())
    assert [each.stopped for each in client.made] == [True, False]
    assert client.made[1].at == {A: 0, B: 0}
    assert shared.down is None
    await shared.close()


async def test_a_client_that_is_heard_of_stays(client: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "Standing", Quiet)
    shared = Tail(CONNECTION, TOPICS, Letters(), Judge(TOPICS))
    await shared.open()
    for _ in range(100):
        await shared.step(0.5, anyio.Event())
    assert (shared.rebuilt, len(client.made)) == (0, 1)
    await shared.close()
