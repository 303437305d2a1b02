"""What the page on accounts says is what the launcher gives, and what the other tests try on real servers."""

from __future__ import annotations

import re
from pathlib import Path

from backbone.services import kafka, redis
from tests.services.test_compose_file import OPERATIONS, RESOURCES

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "least-privilege.md").read_text(encoding="utf-8")


def test_the_rights_at_kafka_are_those_of_the_launcher() -> None:
    said = {
        (account, RESOURCES[kind], OPERATIONS[operation])
        for account, kind, rest in re.findall(r"--allow-principal User:(\w+) --([a-z-]+) backbone (.*)", PAGE)
        for operation in re.findall(r"--operation (\w+)", rest)
    }
    assert said == set(kafka.RIGHTS)


def test_the_rights_at_redis_are_those_of_the_launcher() -> None:
    said = dict(re.findall(r"^ACL SETUSER (\w+) on >PASSWORD (.*)$", PAGE, re.MULTILINE))
    assert said == {account: f"resetchannels -@all {rights}" for account, rights in redis.RIGHTS.items()}
