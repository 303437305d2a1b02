"""The cycle under the name by which the definition of done asks for it."""

from tests.services.conftest import services, swept
from tests.services.test_full_cycle import settings, test_operational_backbone_pipeline_full_cycle

__all__ = ["services", "settings", "swept", "test_operational_backbone_pipeline_full_cycle"]
