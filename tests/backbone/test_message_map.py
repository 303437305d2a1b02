"""Each message stands in the room of the actor that handles it, and the map of all is current."""

from __future__ import annotations

from tests.backbone.message_map import PAGE, ROOMS, ROOT, page, unhandled


def test_every_message_is_handled_by_an_actor_of_its_own_room() -> None:
    assert unhandled() == set()


def test_the_map_of_messages_is_what_the_actors_handle() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.backbone.message_map"


def test_every_room_that_has_messages_is_on_the_page() -> None:
    backbone = ROOT / "backbone"
    having = {".".join(file.parent.relative_to(backbone).parts) for file in backbone.rglob("messages.py")}
    assert having == set(ROOMS)
