"""A whole institutional backbone on the real servers, with a database, topics and keys of its own."""

from __future__ import annotations

import secrets
from typing import Any

from backbone import load_settings
from backbone.services import native
from backbone.settings import Settings

__all__ = ["institutional"]


def institutional(services: native.Services, dsn: str, **more: Any) -> Settings:
    """The profile as operators use it; only names differ from what other tests use."""
    own = secrets.token_hex(4)
    env = {**services.environment, "BACKBONE_STORE_URL": dsn}
    names = {
        "stream.topic": f"backbone.c{own}.{{dimension}}",
        "stream.create_topics": True,
        "cache.namespace": f"backbone:c{own}",
        "control.enabled": False,
    }
    return load_settings(profile="institutional", env=env, overrides={**names, **more})
