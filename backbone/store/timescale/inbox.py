"""What consumers have taken of what others sent, and what they could not take."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from backbone.domain.text import excerpt, storable
from backbone.store.letters import named, those_at
from backbone.store.records import DeadLetter
from backbone.store.timescale.part import Part, question
from backbone.store.timescale.session import Session
from backbone.store.timescale.values import MAX_BIGINT, moment, plain

__all__ = ["Inbox"]


class Inbox(Part):
    """Events seen, offsets, and dead letters. Rows are written in the order of their keys: nobody waits in a ring."""

    @question
    async def seen(self, session: Session, consumer: str, event_ids: Collection[str]) -> set[str]:
        """Those of the events whose effects are committed."""
        found = await session.fetch(
            "SELECT event_id FROM telemetry.seen WHERE consumer = $1 AND event_id = ANY($2::text[])",
            *(plain("consumer", consumer), list(event_ids)),
        )
        return {event for (event,) in found}

    @question
    async def record_seen(self, session: Session, consumer: str, event_ids: Collection[str]) -> int:
        """Remember events that are not remembered yet."""
        return await session.change(
            """
            INSERT INTO telemetry.seen (consumer, event_id, seen_at) SELECT $1, event, $3 FROM unnest($2::text[]) event
            ON CONFLICT (consumer, event_id) DO NOTHING
            """,
            *(plain("consumer", consumer), sorted(set(event_ids)), moment(self._clock())),
        )

    @question
    async def offsets(self, session: Session, group: str) -> dict[tuple[str, int], int]:
        """The next offset by topic and partition."""
        query = 'SELECT topic, partition, "offset" FROM telemetry.offsets WHERE "group" = $1'
        found = await session.fetch(query, plain("group", group))
        return {(topic, partition): offset for topic, partition, offset in found}

    @question
    async def commit_offsets(self, session: Session, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Set offsets, all or none."""
        ordered = sorted(offsets.items())
        await session.change(
            """
            INSERT INTO telemetry.offsets ("group", topic, partition, "offset")
            SELECT $1, given.* FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS given
            ON CONFLICT ("group", topic, partition) DO UPDATE SET "offset" = excluded."offset"
            """,
            plain("group", group),
            [topic for (topic, _), _ in ordered],
            [partition for (_, partition), _ in ordered],
            [offset for _, offset in ordered],
        )

    @question
    async def add_dead_letters(self, session: Session, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Keep letters that are not kept yet."""
        ordered = sorted(letters, key=named)
        new = await session.fetch(
            """
            INSERT INTO telemetry.dead_letters
                ("group", topic, partition, "offset", reason, payload, recorded_at)
            SELECT * FROM unnest(
                $1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::bytea[], $7::timestamptz[]
            ) ON CONFLICT ("group", topic, partition, "offset") DO NOTHING
            RETURNING "group", topic, partition, "offset"
            """,
            *_places(ordered),
            [excerpt(letter.reason) for letter in ordered],
            [letter.payload for letter in ordered],
            [moment(letter.at) for letter in ordered],
        )
        return those_at(ordered, new)

    @question
    async def dead_letters(
        self, session: Session, limit: int = 100, skip: int = 0, until: datetime | None = None
    ) -> list[DeadLetter]:
        """Letters, newest first."""
        found = await session.fetch(
            """
            SELECT "group", topic, partition, "offset", reason, payload, recorded_at FROM telemetry.dead_letters
            WHERE recorded_at <= coalesce($3::timestamptz, 'infinity')
            ORDER BY recorded_at DESC, "group", topic, partition, "offset" LIMIT $1 OFFSET $2
            """,
            *(min(limit, MAX_BIGINT), min(skip, MAX_BIGINT), moment(until)),
        )
        return [DeadLetter(*row) for row in found]

    @question
    async def dead_letters_at(self, session: Session, places: Sequence[tuple[str, int, int]]) -> list[DeadLetter]:
        """Letters at places."""
        found = await session.fetch(
            """
            SELECT "group", topic, partition, "offset", reason, payload, recorded_at FROM telemetry.dead_letters
            WHERE (topic, partition, "offset") IN (SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[]))
            ORDER BY topic, partition, "offset", "group"
            """,
            [storable(topic) for topic, _, _ in places],
            [min(partition, MAX_BIGINT) for _, partition, _ in places],
            [min(offset, MAX_BIGINT) for _, _, offset in places],
        )
        return [DeadLetter(*row) for row in found]

    @question
    async def delete_dead_letters(self, session: Session, letters: Sequence[DeadLetter]) -> int:
        """Forget letters."""
        return await session.change(
            """
            DELETE FROM telemetry.dead_letters d
            USING unnest($1::text[], $2::text[], $3::integer[], $4::bigint[]) AS l("group", topic, partition, "offset")
            WHERE d."group" = l."group" AND d.topic = l.topic
                AND d.partition = l.partition AND d."offset" = l."offset"
            """,
            *_places(letters),
        )


def _places(letters: Sequence[DeadLetter]) -> tuple[list[str], list[str], list[int], list[int]]:
    return (
        [letter.group for letter in letters],
        [letter.topic for letter in letters],
        [letter.partition for letter in letters],
        [letter.offset for letter in letters],
    )
