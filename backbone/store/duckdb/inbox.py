"""What consumers have taken of what others sent, and what they could not take."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from backbone.domain.arrays import array_of
from backbone.domain.clock import from_us, to_us
from backbone.domain.text import excerpt
from backbone.store.duckdb.part import Part, question
from backbone.store.duckdb.parts import LARGEST_WHOLE, Parts, number_of
from backbone.store.duckdb.session import transaction
from backbone.store.duckdb.sql import Connection, count, given, parameter
from backbone.store.letters import Name, named, those_at
from backbone.store.records import DeadLetter

__all__ = ["Inbox", "drop_parts"]

PARTS: Final = Parts("telemetry.dead_letter_parts")
"""Of payloads."""

_LETTER = 'd."group", d.topic, d.partition, d."offset", d.reason, d.payload, epoch_us(d.recorded_at), d.large'
_SAME = 'd."group" = l."group" AND d.topic = l.topic AND d.partition = l.partition AND d."offset" = l."offset"'


class Inbox(Part):
    """Events seen, offsets, and dead letters."""

    @question("delivery")
    def seen(self, connection: Connection, consumer: str, event_ids: Collection[str]) -> set[str]:
        """Those of the events whose effects are committed."""
        found = connection.execute(
            "SELECT event_id FROM telemetry.seen WHERE consumer = ? AND list_contains(?, event_id)",
            [consumer, list(event_ids)],
        ).fetchall()
        return {event for (event,) in found}

    @question("delivery")
    def record_seen(self, connection: Connection, consumer: str, event_ids: Collection[str]) -> int:
        """Remember events that are not remembered yet."""
        with given(connection, "events", pa.table({"event_id": array_of(sorted(set(event_ids)), pa.string())})):
            return count(
                connection,
                """
                INSERT INTO telemetry.seen SELECT ?, event_id, make_timestamptz(?) FROM events
                WHERE event_id NOT IN (SELECT event_id FROM telemetry.seen WHERE consumer = ?)
                """,
                [consumer, parameter(self._clock()), consumer],
            )

    @question("delivery")
    def offsets(self, connection: Connection, group: str) -> dict[tuple[str, int], int]:
        """The next offset by topic and partition."""
        found = connection.execute(
            'SELECT topic, partition, "offset" FROM telemetry.offsets WHERE "group" = ?', [group]
        ).fetchall()
        return {(topic, partition): offset for topic, partition, offset in found}

    @question("delivery")
    def commit_offsets(self, connection: Connection, group: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Set offsets, all or none."""
        with transaction(connection):
            for (topic, partition), offset in offsets.items():
                connection.execute(
                    """
                    INSERT INTO telemetry.offsets VALUES (?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET "offset" = excluded."offset"
                    """,
                    [group, topic, partition, offset],
                )

    @question("delivery")
    def add_dead_letters(self, connection: Connection, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Keep letters that are not kept yet."""
        large = {named(each): number_of(connection) for each in letters if len(each.payload) > LARGEST_WHOLE}
        with transaction(connection):
            with given(connection, "letters", _table(letters, large)):
                new = connection.execute(
                    f"""
                    INSERT INTO telemetry.dead_letters
                    SELECT DISTINCT ON ("group", topic, partition, "offset") * FROM letters l
                    WHERE NOT EXISTS (SELECT 1 FROM telemetry.dead_letters d WHERE {_SAME})
                    RETURNING "group", topic, partition, "offset"
                    """,  # noqa: S608
                ).fetchall()
            kept = those_at(letters, new)
            PARTS.keep(connection, [(large[named(each)], each.payload) for each in kept if named(each) in large])
        return kept

    @question("delivery")
    def dead_letters(
        self, connection: Connection, limit: int = 100, skip: int = 0, until: datetime | None = None
    ) -> list[DeadLetter]:
        """Letters, newest first."""
        return _letters(
            connection,
            f"""
            SELECT {_LETTER} FROM telemetry.dead_letters d
            WHERE recorded_at <= coalesce(make_timestamptz(?), recorded_at)
            ORDER BY epoch_us(recorded_at) DESC, "group", topic, partition, "offset" LIMIT ? OFFSET ?
            """,  # noqa: S608
            [parameter(until), limit, skip],
        )

    @question("delivery")
    def dead_letters_at(self, connection: Connection, places: Sequence[tuple[str, int, int]]) -> list[DeadLetter]:
        """Letters at places."""
        named = pa.table(
            {
                "topic": array_of([topic for topic, _, _ in places], pa.string()),
                "partition": array_of([partition for _, partition, _ in places], pa.int64()),
                "offset": array_of([offset for _, _, offset in places], pa.int64()),
            }
        )
        with given(connection, "places", named):
            return _letters(
                connection,
                f"""
                SELECT {_LETTER} FROM telemetry.dead_letters d
                SEMI JOIN places p ON d.topic = p.topic AND d.partition = p.partition AND d."offset" = p."offset"
                ORDER BY d.topic, d.partition, d."offset", d."group"
                """,  # noqa: S608
            )

    @question("writing")
    def delete_dead_letters(self, connection: Connection, letters: Sequence[DeadLetter]) -> int:
        """Forget letters."""
        with transaction(connection):
            with given(connection, "letters", _table(letters)):
                gone = count(connection, f"DELETE FROM telemetry.dead_letters d USING letters l WHERE {_SAME}")  # noqa: S608
            if gone:
                drop_parts(connection)
        return gone


def drop_parts(connection: Connection) -> None:
    """Delete the parts of letters that are gone."""
    PARTS.drop_but_of(connection, "large", "telemetry.dead_letters")


def _letters(connection: Connection, query: str, parameters: Sequence[object] = ()) -> list[DeadLetter]:
    with transaction(connection):
        found = connection.execute(query, parameters).fetchall()
        payloads = PARTS.of(connection, [large for *_, large in found if large is not None])
    return [
        DeadLetter(group, topic, partition, offset, reason, payloads.get(large, payload), from_us(at))
        for group, topic, partition, offset, reason, payload, at, large in found
    ]


def _table(letters: Sequence[DeadLetter], large: Mapping[Name, int] = MappingProxyType({})) -> pa.Table:
    """The letters as columns, in the order of the table's.

    Args:
        letters: each once, or more than once.
        large: the numbers of those whose payload lies in parts.
    """
    moments = array_of([to_us(letter.at) for letter in letters], pa.int64())
    return pa.table(
        {
            "group": array_of([letter.group for letter in letters], pa.string()),
            "topic": array_of([letter.topic for letter in letters], pa.string()),
            "partition": array_of([letter.partition for letter in letters], pa.int32()),
            "offset": array_of([letter.offset for letter in letters], pa.int64()),
            "reason": array_of([excerpt(letter.reason) for letter in letters], pa.string()),
            "payload": array_of([b"" if named(each) in large else each.payload for each in letters], pa.binary()),
            "recorded_at": moments.cast(pa.timestamp("us", tz="UTC")),
            "large": array_of([large.get(named(each)) for each in letters], pa.int64()),
        }
    )
