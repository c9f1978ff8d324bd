"""GetStatus, and notes in the log."""

import logging
from typing import Final

from labeling_assets.local_aperturedb.arguments import Arguments, Required, one_of, text
from labeling_assets.local_aperturedb.commands.registry import Answer, Command
from labeling_assets.local_aperturedb.errors import OK
from labeling_assets.local_aperturedb.run import Run

_LOG: Final = logging.getLogger(__name__)

# The newest server whose answers this one was modelled on.
VERSION: Final = "0.19.6"


def _get_status(run: Run, given: Arguments) -> Answer:
    return {
        "info": "OK (embedded server of labeling_assets)",
        "status": OK,
        "system": "ApertureDB",
        "version": VERSION,
    }


def _log_message(run: Run, given: Arguments) -> Answer:
    _LOG.log(logging.getLevelNamesMapping()[given.get("type", "INFO")], "%s", given["text"])
    return {"status": OK}


COMMANDS: Final = (
    Command("GetStatus", _get_status, {}),
    Command("UserLogMessage", _log_message, {"text": Required(text), "type": one_of("INFO", "WARNING", "ERROR")}),
)
