"""Count, sum, average, minimum, maximum, and all of them by group."""

import json
from typing import TYPE_CHECKING, Any, Final

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.errors import QueryError
from labeling_assets.local_aperturedb.properties import BOOLEAN, DATETIME, NUMBER
from labeling_assets.local_aperturedb.results import AGGREGATES, Wanted
from labeling_assets.local_aperturedb.run import Run

if TYPE_CHECKING:
    from labeling_assets.local_aperturedb.search import Search

_SQL_FUNCTIONS: Final = {"sum": "sum", "average": "avg", "min": "min", "max": "max"}


def totals(run: Run, found: "Search", asked: Wanted) -> dict[str, Any]:
    """Over all that is found, whatever the limit."""
    answer: dict[str, Any] = {}
    if asked.count:
        answer["count"] = found.count(run)
    if not asked.property_names:
        return answer
    if found.scope.types is None:
        raise QueryError(messages.NEEDS_ONE_OF.format(names="with_class"))
    columns = _columns(found, asked)
    select = ", ".join(f"{function}({found.scope.value_of(name)})" for _, function, name in columns)
    if not asked.group:
        (row,) = found.select(run, select)
        return answer | _aggregates(found, columns, tuple(row), prefix="")
    keys = [found.scope.value_of(name) for name in asked.group]
    select = ", ".join([*keys, "count(*)", *([select] if select else [])])
    order = ", ".join(str(number) for number, _ in enumerate(keys, start=1))
    rows = found.select(run, select, f"GROUP BY {order} ORDER BY {order}")
    answer["groups"] = [_group(found, asked, columns, tuple(row)) for row in rows]
    return answer


def _columns(found: "Search", asked: Wanted) -> list[tuple[str, str, str]]:
    """Aggregate, SQL function and property, for each number asked for."""
    columns = []
    for aggregate, names in asked.aggregates.items():
        for name in names:
            known = found.scope.type_of(name)
            if aggregate in ("sum", "average") and known not in (NUMBER, None):
                raise QueryError(messages.NOT_NUMERIC.format(name=name, known=known))
            columns.append((aggregate, _SQL_FUNCTIONS[aggregate], name))
    return columns


def _group(found: "Search", asked: Wanted, columns: list[tuple[str, str, str]], row: tuple[Any, ...]) -> dict[str, Any]:
    size = len(asked.group)
    keys = {name: _typed(found, name, value) for name, value in zip(asked.group, row[:size], strict=True)}
    return keys | {"_group_count": row[size]} | _aggregates(found, columns, row[size + 1 :], prefix="_group")


def _aggregates(
    found: "Search", columns: list[tuple[str, str, str]], values: tuple[Any, ...], *, prefix: str
) -> dict[str, Any]:
    answer: dict[str, dict[str, Any]] = {}
    for (aggregate, _, name), value in zip(columns, values, strict=True):
        answer.setdefault(prefix + AGGREGATES[aggregate], {})[name] = _typed(found, name, value)
    return answer


def _typed(found: "Search", name: str, value: Any) -> Any:
    known = found.scope.type_of(name)
    if value is None or known not in (BOOLEAN, DATETIME):
        return value
    return bool(value) if known == BOOLEAN else json.loads(value)
