from tests.backbone.sources.server import provider

__all__ = ["provider"]
