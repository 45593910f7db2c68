"""Statements that are compiled once, and reach SQLite past SQLAlchemy, whose way there is longer than SQLite's own."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

_Converter = Callable[[Any], Any] | None
DRIVER = "reelflow_driver"
"""The option of a connection that holds SQLite's own beneath it. One that has none is spoken to by SQLAlchemy."""

_DIALECT = sqlite_dialect(paramstyle="qmark")


class Prepared:
    """A statement with named parameters, the same on both databases; SQLite's driver keeps it compiled.

    `columns` are those that an insert fills. A parameter that is not given has the value that the statement was written
    with, and must be given where it was written with none.
    """

    def __init__(self, statement: sa.Select[Any] | sa.Insert | sa.Update, *, columns: Sequence[str] | None = None
                 ) -> None:
        self._statement, self._columns = statement, columns

    def row(self, connection: sa.Connection, parameters: Mapping[str, Any]) -> dict[str, Any] | None:
        """The one row that it finds, by the names of its columns; None where there is none."""
        driver = connection.get_execution_options().get(DRIVER)
        if driver is None:
            found = connection.execute(self._statement, parameters).one_or_none()
            return None if found is None else found._asdict()
        raw = self._execute(driver, parameters).fetchone()
        if raw is None:
            return None
        return {name: value if converter is None or value is None else converter(value)
                for (name, converter), value in zip(self._found, raw, strict=True)}

    def run(self, connection: sa.Connection, parameters: Mapping[str, Any]) -> int:
        """Do what it says; gives the number of rows that it was done to."""
        driver = connection.get_execution_options().get(DRIVER)
        if driver is None:
            return connection.execute(self._statement, parameters).rowcount
        return self._execute(driver, parameters).rowcount

    def _execute(self, driver: sqlite3.Connection, parameters: Mapping[str, Any]) -> sqlite3.Cursor:
        text, names, written, converted = self._compiled
        given = {**written, **parameters} if written else parameters
        values = [given[name] for name in names]
        for place, convert in converted:
            if values[place] is not None:
                values[place] = convert(values[place])
        return driver.execute(text, values)

    @functools.cached_property
    def _compiled(self) -> tuple[str, list[str], dict[str, Any], list[tuple[int, Callable[[Any], Any]]]]:
        """The text; the names of its parameters in their order; the values that some were written with; which are
        converted, and how.
        """
        compiled: Any = self._statement.compile(dialect=_DIALECT, column_keys=self._columns)
        bound = {name: parameter for parameter, name in compiled.bind_names.items()}
        ways = [_way_in(bound[name].type) for name in compiled.positiontup]
        return (
            compiled.string, list(compiled.positiontup),
            {name: parameter.value for name, parameter in bound.items() if not parameter.required},
            [(place, way) for place, way in enumerate(ways) if way is not None],
        )

    @functools.cached_property
    def _found(self) -> list[tuple[str, _Converter]]:
        """The name of each column that it finds, and the way back of its values."""
        assert isinstance(self._statement, sa.Select)
        return [(str(column.key), column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None))
                for column in self._statement.selected_columns]


def _way_in(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any] | None:
    """How a value of a type is handed to SQLite; None where it is as it is."""
    if isinstance(kind, sa.types.TypeDecorator):
        inner = kind.impl_instance.dialect_impl(_DIALECT).bind_processor(_DIALECT)
        if inner is None:
            return functools.partial(kind.process_bind_param, dialect=_DIALECT)
    return kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)
