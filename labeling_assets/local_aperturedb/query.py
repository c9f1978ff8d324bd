"""Running queries: JSON in, JSON out, one transaction each. Knows nothing of sockets."""

import json
import logging
import sqlite3
from typing import Any, Final, NoReturn

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.arguments import check_arguments, shown
from labeling_assets.local_aperturedb.commands import COMMANDS, UNSUPPORTED
from labeling_assets.local_aperturedb.commands.registry import Answer, Step
from labeling_assets.local_aperturedb.errors import ERROR, NOT_UNIQUE, QueryError
from labeling_assets.local_aperturedb.repeated import Repeated
from labeling_assets.local_aperturedb.run import Run, answer_too_large
from labeling_assets.local_aperturedb.session import REJECTION, Sessions
from labeling_assets.local_aperturedb.store import Store, Transaction
from labeling_assets.local_aperturedb.wire import Message

_LOG: Final = logging.getLogger(__name__)

# Whoever has not logged in gets nothing longer than this parsed, in characters.
_LONGEST_LOGIN: Final = 65_536


class Engine:
    """`answer_limit` is in bytes."""

    def __init__(self, store: Store, sessions: Sessions, *, answer_limit: int) -> None:
        self._store = store
        self._sessions = sessions
        self._answer_limit = answer_limit
        self._repeated = Repeated()

    def answer(self, request: Message) -> Message:
        """Never raises: what goes wrong is one object instead of the array of answers."""
        try:
            return self._answer(request)
        except QueryError as error:
            return failure(error)
        except (sqlite3.Error, OSError) as error:  # a full disk, mostly
            _LOG.exception("the storage refused a query")
            return failure(QueryError(messages.STORAGE.format(reason=error)))
        except Exception:  # noqa: BLE001  # our bug, which must not take the server down
            _LOG.exception("a query failed inside the server")
            return failure(QueryError(messages.INTERNAL))

    def _answer(self, request: Message) -> Message:
        known = self._sessions.is_valid(request.token)
        if not known and len(request.json) > _LONGEST_LOGIN:
            return Message(_dump(REJECTION))
        asked = self._repeated.read(request.json) if known else None
        step = self._repeated.step(asked) if asked else None
        if step is not None:
            return self._run([step], request.blobs)
        commands = _parse(request.json)
        names = [next(iter(command)) for command in commands]
        logins = [name for name in names if self._sessions.handles(name)]
        if logins and len(commands) > 1:
            raise QueryError(messages.LOGIN_ALONE.format(command=logins[0]))
        if logins:
            (name,) = logins
            return Message(_dump([{name: self._sessions.answer(name, commands[0][name])}]))
        if not known:
            return Message(_dump(REJECTION))
        steps = [_check(number, command) for number, command in enumerate(commands, start=1)]
        if asked and len(steps) == 1:
            self._repeated.learn(asked, steps[0])
        return self._run(steps, request.blobs)

    def _run(self, steps: list[Step], blobs: list[bytes]) -> Message:
        expected, writes = 0, False
        for step in steps:
            expected += step.command.blob_count(step.arguments)
            writes = writes or step.command.writes
        if expected != len(blobs):
            raise QueryError(messages.BLOB_COUNT.format(expected=expected, received=len(blobs)))
        once = len(steps) == 1 and steps[0].one_read
        with self._store.writing() if writes else self._store.reading(once=once) as transaction:
            return self._run_steps(transaction, steps, blobs)

    def _run_steps(self, transaction: Transaction, steps: list[Step], blobs: list[bytes]) -> Message:
        run = Run(transaction, iter(blobs), self._answer_limit)
        answers: list[Answer] = []
        for step in steps:
            try:
                answers.append({step.command.name: step.command.run(run, step.arguments)})
            except QueryError as error:
                # The real text for "not unique" has no name of a command in it.
                named = error if error.status == NOT_UNIQUE else error.inside(step.command.name)
                raise named.inside(step.place) from error
        text = _dump(answers)
        if len(text) + run.blob_bytes > self._answer_limit:
            raise answer_too_large(self._answer_limit)
        return Message(text, run.blobs_out)


def failure(error: QueryError) -> Message:
    return Message(_dump({"info": error.info, "status": error.status}))


def _parse(text: str) -> list[dict[str, Any]]:
    try:
        query = _DECODER.decode(text)
    except RecursionError as error:
        raise QueryError(messages.JSON_TOO_DEEP) from error
    except ValueError as error:
        raise QueryError(messages.MALFORMED_JSON.format(reason=error), ERROR) from error
    if not isinstance(query, list):
        raise QueryError(messages.NOT_A_QUERY.format(got=shown(query)))
    if not query:
        raise QueryError(messages.EMPTY_QUERY)
    for number, command in enumerate(query, start=1):
        if not isinstance(command, dict) or len(command) != 1:
            raise QueryError(messages.NOT_A_COMMAND.format(got=shown(command))).inside(_place(number))
    return query


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" is given twice')
    return parsed


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _check(number: int, given: dict[str, Any]) -> Step:
    ((name, arguments),) = given.items()
    place = _place(number)
    command = COMMANDS.get(name)
    if command is None:
        text = messages.UNSUPPORTED_COMMAND if name in UNSUPPORTED else messages.UNKNOWN_COMMAND
        raise QueryError(text.format(command=name)).inside(place)
    try:
        return Step(place, command, check_arguments(arguments, command.parameters))
    except QueryError as error:
        raise error.inside(name).inside(place) from error


def _place(number: int) -> str:
    return f"JSON Command {number}"


def _dump(value: Any) -> str:
    return _ENCODER.encode(value)


# Made once: `json.dumps` and `json.loads` with options make one for every call.
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False)
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object)
