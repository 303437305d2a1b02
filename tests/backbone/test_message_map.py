"""Each message stands in the room of the actor that handles it, and the map of all is current."""

from __future__ import annotations

from tests.backbone.message_map import PAGE, page, unhandled


def test_every_message_is_handled_by_an_actor_of_its_own_room() -> None:
    assert unhandled() == set()


def test_the_map_of_messages_is_what_the_actors_handle() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.backbone.message_map"
