"""A change that nobody can read stops no subscriber of a stream that others may write to: the store keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio
import pytest

from actors import AskRejected
from backbone.store.records import DeadLetter
from backbone.stream.consumer import ConsumerActor
from backbone.stream.errors import StreamUnavailable
from backbone.stream.last import LastActor, Newest
from backbone.stream.letters import Message
from backbone.stream.messages import LettersSent, ReadLag, SendBack
from backbone.stream.sink import TopicRefuses
from tests.backbone.stream.kit import house, row
from tests.backbone.stream.test_consumer import Consuming, positions


@asynccontextmanager
async def consuming(*, shared: bool = True) -> AsyncIterator[Consuming]:
    async with house(shared=shared) as plain:
        made = Consuming(plain.system, plain.outbox, plain.stream)
        made.publisher = made.stream.inner.publisher()
        await made.publisher.open()
        made.consumer = await made.start("consumer", ConsumerActor)
        yield made


async def test_what_is_no_frame_is_passed_over_and_kept_with_its_reason() -> None:
    async with consuming() as made:
        await made.publish(1)
        await made.publisher.publish([row(2, payload=b"no frame"), row(3)])
        answer = await made.ask(0)
        assert positions(answer) == [1, 3]
        assert positions(await made.ask(answer.place)) == []
        await made.outbox.kept(1)
        [letter] = made.outbox.letters
        assert "not a frame" in letter.reason
        assert Message.unpacked(letter.payload).value == b"no frame"
        assert made.outbox.letters[0].group == "backbone"


async def test_with_nothing_but_rubbish_a_subscriber_gets_nothing_and_goes_on_behind_it() -> None:
    async with consuming() as made:
        await made.publisher.publish([row(n, payload=b"no frame") for n in (1, 2)])
        answer = await made.ask(0)
        assert positions(answer) == []
        await made.publish(3)
        assert positions(await made.ask(answer.place)) == [3]
        await made.outbox.kept(2)


async def test_letters_wait_while_the_store_is_away() -> None:
    async with consuming() as made:
        answer = await made.ask(0)
        made.outbox.down = "no room"
        await made.publisher.publish([row(1, payload=b"no frame")])
        answer = await made.ask(answer.place)
        await anyio.sleep(1)
        assert made.outbox.letters == []
        made.outbox.down = None
        await made.ask(answer.place)
        await made.outbox.kept(1)


async def test_where_nobody_subscribes_who_follows_for_last_keeps_them() -> None:
    async with house(shared=True) as made:
        await made.start("last", LastActor, Newest())
        await anyio.sleep(0.1)
        made.stream.subscribed[-1].letters.add(("topic", 0), 7, "no header", Message())
        await made.outbox.kept(1)
        assert made.outbox.letters[0].offset == 7


async def test_a_letter_goes_to_the_topic_for_them_once_whoever_reads_it() -> None:
    async with consuming() as made:
        await made.start("last", LastActor, Newest())
        await anyio.sleep(0.1)
        await made.publisher.publish([row(1, payload=b"no frame")])
        await made.ask(0)
        await anyio.sleep(60)
        assert made.stream.passed_on == made.outbox.letters
        assert len(made.stream.passed_on) == 1


async def test_letters_wait_while_the_topic_for_them_is_away_and_the_store_has_them() -> None:
    async with consuming() as made:
        made.stream.keeping_back = [StreamUnavailable("no broker"), StreamUnavailable("no broker")]
        await made.publisher.publish([row(n, payload=b"no frame") for n in (1, 2)])
        answer = await made.ask(0)
        await made.outbox.kept(2)
        await anyio.sleep(1)
        assert made.stream.passed_on == []
        for _ in range(2):
            await made.ask(answer.place)
            await anyio.sleep(1)
        assert made.stream.passed_on == made.outbox.letters


async def test_a_letter_goes_to_its_topic_also_where_the_stores_answer_was_lost() -> None:
    async with consuming() as made:
        made.outbox.keeps_silently = 1
        await made.publisher.publish([row(1, payload=b"no frame")])
        answer = await made.ask(0)
        await anyio.sleep(1)
        assert len(made.outbox.letters) == 1
        await made.ask(answer.place)
        await anyio.sleep(1)
        assert made.stream.passed_on == made.outbox.letters


async def test_a_letter_is_sent_back_first_and_then_forgotten() -> None:
    async with consuming() as made:
        await made.publisher.publish([row(1, payload=b"no frame")])
        await made.ask(0)
        await made.outbox.kept(1)
        letters = tuple(made.outbox.letters)
        last = await made.start("last", LastActor, Newest())
        await anyio.sleep(0.1)
        made.stream.failing = [StreamUnavailable("no broker")]
        with pytest.raises(AskRejected, match="no broker"):
            await last.ask(SendBack(letters), 60)
        assert made.outbox.letters == list(letters)
        assert await last.ask(SendBack(letters), 60) == LettersSent(1, 0)
        assert (made.stream.sent_back, made.outbox.letters) == (list(letters), [])
        senders = made.stream.subscribed[-2:]
        assert not made.stream.clients & {*senders}  # sent or not, nobody keeps what it was sent by


async def test_letters_of_a_topic_that_takes_them_no_more_hold_up_no_others_and_none_is_sent_again() -> None:
    async with house(shared=True) as made:
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        letters = tuple(
            DeadLetter("backbone", topic, 0, n, "poison", b"", moment) for topic in "ab" for n in range(300)
        )
        made.outbox.letters = list(letters)
        last = await made.start("last", LastActor, Newest())
        await anyio.sleep(0.1)
        made.stream.failing = [TopicRefuses("no topic a"), TopicRefuses("no topic a")]
        with pytest.raises(AskRejected, match="no topic a; of 600 dead letters 300 were sent back"):
            await last.ask(SendBack(letters), 60)
        assert made.stream.sent_back == list(letters[300:])
        assert made.outbox.letters == list(letters[:300])


async def test_a_stream_within_the_process_takes_no_letters_back() -> None:
    async with consuming() as made:
        await made.publisher.publish([row(1, payload=b"no frame")])
        await made.ask(0)
        await made.outbox.kept(1)
        letters = tuple(made.outbox.letters)
    async with house() as plain:
        last = await plain.start("last", LastActor, Newest())
        with pytest.raises(AskRejected, match=r"stream\.backend=kafka"):
            await last.ask(SendBack(letters), 60)


async def test_a_stream_within_the_process_has_no_lag_to_tell() -> None:
    async with consuming(shared=False) as made:
        assert await made.consumer.ask(ReadLag(), 60) == ()


async def test_letters_that_wait_outlive_the_client_that_found_them() -> None:
    async with house(shared=True) as made:
        await made.start("last", LastActor, Newest())
        await anyio.sleep(0.1)
        made.outbox.down = "no room"
        made.stream.subscribed[-1].letters.add(("topic", 0), 7, "no header", Message())
        made.stream.failing = [StreamUnavailable("no broker")]
        await anyio.sleep(60)
        assert len(made.stream.subscribed) > 1
        made.outbox.down = None
        await made.outbox.kept(1)
        assert [each.offset for each in made.outbox.letters] == [7]


async def test_letters_are_kept_soon_after_the_store_is_back_though_nobody_asks() -> None:
    async with house(shared=True) as made:
        await made.start("last", LastActor, Newest())
        await anyio.sleep(0.1)
        made.outbox.down = "no room"
        made.stream.keeping_back = [StreamUnavailable("no broker")]
        made.stream.subscribed[-1].letters.add(("topic", 0), 7, "no header", Message())
        await anyio.sleep(1)
        made.outbox.down = None
        await anyio.sleep(5)
        assert [each.offset for each in made.outbox.letters] == [7]
        assert made.stream.passed_on == made.outbox.letters


async def test_a_letter_is_kept_at_once_that_comes_while_another_is_on_its_way_to_the_topic() -> None:
    async with house(shared=True) as made:
        await made.start("last", LastActor, Newest())
        await anyio.sleep(0.1)
        letters = made.stream.subscribed[-1].letters
        made.stream.taking = anyio.Event()
        letters.add(("topic", 0), 7, "no header", Message())
        await anyio.sleep(1)
        letters.add(("topic", 0), 8, "no header", Message())
        made.stream.taking.set()
        await anyio.sleep(1)
        assert [each.offset for each in made.stream.passed_on] == [7, 8]


async def test_who_leaves_has_what_waits_kept_first() -> None:
    async with house(shared=True) as made:
        await made.start("last", LastActor, Newest())
        await anyio.sleep(0.1)
        made.outbox.down = "no room"
        made.stream.subscribed[-1].letters.add(("topic", 0), 7, "no header", Message())
        await anyio.sleep(0.1)
        made.outbox.down = None
        await made.system.terminate_child("last")
        assert [each.offset for each in made.outbox.letters] == [7]


async def test_who_leaves_while_the_store_is_silent_does_not_wait_for_it() -> None:
    async with house(shared=True) as made:
        await made.start("last", LastActor, Newest())
        await anyio.sleep(0.1)
        made.outbox.down = "no room"
        made.stream.subscribed[-1].letters.add(("topic", 0), 7, "no header", Message())
        with anyio.fail_after(5):
            await made.system.terminate_child("last")
        assert made.stream.clients == set()
