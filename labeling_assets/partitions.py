"""The one partition set: import batches."""

from typing import Final

import dagster as dg

IMPORT_BATCH: Final = dg.DynamicPartitionsDefinition(name="import_batch")
