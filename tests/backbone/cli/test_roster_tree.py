"""The tree, drawn from rosters made by hand; and the judgement on them."""

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from actors import Health, RosterEntry, RosterSnapshot
from backbone.cli.commands.symbols import severity, word
from backbone.cli.show.output import console
from backbone.cli.show.roster import draw_tree
from backbone.domain.status import Status
from backbone.operations.probes.connectivity import ConnectivityReport
from backbone.operations.probes.status import judge

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)


def entry(path: str, **fields: Any) -> RosterEntry:
    given = {
        "path": path,
        "id": path,
        "kind": "actor",
        "state": "running",
        "health": Health(),
        "incarnation": 1,
        "restarts": 0,
        "restarts_in_window": 0,
        "intensity": "3 in 5 s",
        "started_at": NOW - timedelta(minutes=3),
        "state_since": NOW - timedelta(seconds=40),
        "handling": None,
        "handling_for_s": None,
        "waiting_on": None,
        "mailbox_depth": 0,
        "mailbox_capacity": 1024,
        "mailbox_peak": 0,
        "handled": 0,
        "failed": 0,
        "dropped": 0,
        "last_error": None,
        "last_error_at": None,
        "next_restart_in_s": None,
        "metadata": {},
    }
    return RosterEntry(**{**given, **fields})


def snapshot(*entries: RosterEntry) -> RosterSnapshot:
    return RosterSnapshot(1, NOW, "demo", entries, (), (), 0, 0.0)


def drawn(*entries: RosterEntry, width: int = 80) -> list[str]:
    stream = io.StringIO()
    screen = console(stream)
    screen.width = width
    draw_tree(screen, snapshot(*entries))
    return stream.getvalue().splitlines()


TREE = (
    entry("/demo", kind="supervisor"),
    entry("/demo/store", handled=1234, mailbox_depth=7),
    entry("/demo/stream", kind="supervisor"),
    entry("/demo/stream/relay", restarts=2),
    entry("/demo/stream/relay:backbone.Relay.<locals>.poll", kind="task"),
    entry("/demo/ingest", state="stopped"),
)


def test_each_actor_stands_under_its_parent() -> None:
    assert [re.split(r" +(?=running|stopped)", line)[0] for line in drawn(*TREE)[1:]] == [
        "● demo",
        "├─ ● store",
        "├─ ● stream",
        "│  └─ ● relay",
        "│     └─ ● poll",
        "└─ ○ ingest",
    ]


def test_the_columns_tell_restarts_queue_work_and_age() -> None:
    header, *lines = drawn(*TREE)
    assert header.split() == ["STATE", "RESTARTS", "QUEUE", "HANDLED", "AGE"]
    assert lines[1].split()[-5:] == ["0", "7/1024", "1,234", "3", "min"]
    assert lines[3].split()[-5:] == ["2", "0/1024", "0", "3", "min"]
    assert lines[5].split()[-3:] == ["0", "0/1024", "0"]


def test_who_is_not_well_says_why_below() -> None:
    lines = drawn(
        entry("/demo", kind="supervisor"),
        entry("/demo/a", health=Health("degraded", "the disk is 93 % full, postgres://u:hunter2@host")),
        entry("/demo/b", state="backoff", next_restart_in_s=4.25, last_error="ValueError: no\n\x1b[31mluck"),
    )
    text = "\n".join(lines)
    assert "├─ ▲ a" in text
    assert "│      the disk is 93 % full, postgres://u:***@host" in text
    assert "└─ ↻ b" in text
    assert "       next start in 4.2 s" in text
    assert "       last error: ValueError: no [31mluck" in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    deep = [entry(f"/demo{'/level' * depth}", health=Health("failed", "word " * 40)) for depth in range(8)]
    assert max(map(len, drawn(*deep, width=width))) <= width


def test_an_actor_whose_parent_is_gone_is_still_shown() -> None:
    assert any("zombie" in line for line in drawn(entry("/demo", kind="supervisor"), entry("/gone/zombie")))


def test_an_empty_roster_is_a_header() -> None:
    assert len(drawn()) == 1


def test_a_word_tells_the_health_only_of_what_runs() -> None:
    assert word(entry("/a", health=Health("failed"))) == "failed"
    assert word(entry("/a", health=Health("failed"), state="backoff")) == "backoff"
    assert severity("failed") > severity("backoff") > severity("degraded") > severity("running") == 0


def connectivity(status: Status = Status.OK) -> ConnectivityReport:
    return ConnectivityReport(status=status, store=True, cache=True, stream=True, probes=())


def test_all_well_is_ok_and_has_no_problems() -> None:
    report = judge(connectivity(), snapshot(*TREE))
    assert (report.status, report.problems) == (Status.OK, ())


def test_the_worst_comes_first_and_says_why_since_when_what_now_what_to_do() -> None:
    report = judge(
        connectivity(),
        snapshot(
            entry("/demo/a", health=Health("degraded", "slow", NOW, "goes on", "wait")),
            entry("/demo/b", state="failed", last_error="ValueError: x", restarts=3),
            entry("/demo/c", state="backoff", last_error="OSError: y", next_restart_in_s=1.5),
        ),
    )
    assert report.status is Status.FAILED
    assert [(each.path, str(each.status), each.why) for each in report.problems] == [
        ("/demo/b", "failed", "ValueError: x"),
        ("/demo/c", "failed", "OSError: y"),
        ("/demo/a", "degraded", "slow"),
    ]
    failed, backoff, slow = report.problems
    assert (slow.since, slow.now, slow.action) == (NOW, "goes on", "wait")
    assert failed.since == NOW - timedelta(seconds=40)
    assert "gave up" in failed.now
    assert "in 1.5 s" in backoff.now


def test_a_part_that_does_not_answer_counts_even_if_its_actor_says_nothing() -> None:
    assert judge(connectivity(Status.FAILED), snapshot(*TREE)).status is Status.FAILED


def test_the_status_can_be_written_as_json_and_markdown() -> None:
    report = judge(connectivity(), snapshot(entry("/demo/a", state="failed", last_error="x")))
    assert b'"status": "failed"' in report.to_json()
    assert "| /demo/a | failed |" in report.to_markdown()
