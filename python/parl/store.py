"""The run database, read only: tables as data frames, at one moment of a file that may be written to."""
from __future__ import annotations

import os
import sqlite3
import urllib.parse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas

from .errors import Error

APPLICATION = 0x7061726C  # "parl", in the header of the file
SCHEMA = 15  # newest form of the store's own tables that is known here: core/store_schema.c
WAIT_S = 10.0  # for a writer, where the journal is not a WAL

# What rows are named by. Tables that an older parl did not have are empty and have these columns.
KEYS = {
    "metric": ["key", "at_update"],
    "episode": ["policy", "decoding", "at_update", "family", "task_seed", "rollout"],
    "training_episode": ["policy", "decoding", "at_update", "family", "task_seed", "rollout"],
    "failure": ["phase"],
    "checkpoint": ["at_update"],
    "rung": ["at_update"],
}
# What came to the table of runs after the first version.
LATER = ("digest", "seal", "error", "retired")


class Store:
    """<folder>/store.db. Each reading opens the file anew, so no lock outlives a call."""

    def __init__(self, folder: str | os.PathLike[str]):
        self.path = Path(folder) / "store.db"
        if not self.path.is_file():
            raise Error(f"{self.path}: no run database; {folder} is no run folder")
        with closing(self._open()) as db:
            self._check(db)

    def _open(self) -> sqlite3.Connection:
        uri = "file:" + urllib.parse.quote(os.fspath(self.path.absolute()))
        db = sqlite3.connect(uri + "?mode=ro", uri=True, timeout=WAIT_S)
        try:
            db.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError as error:
            db.close()
            # A WAL needs a file beside the database. Where none can be made and nobody writes, the file is whole.
            if "unable to open" not in str(error) and "readonly" not in str(error) or self._has_wal():
                raise Error(f"{self.path}: {error}") from error
            db = sqlite3.connect(uri + "?immutable=1", uri=True)
        except sqlite3.DatabaseError as error:
            db.close()
            raise Error(f"{self.path}: {error}") from error
        return db

    def _has_wal(self) -> bool:
        return self.path.with_name("store.db-wal").exists()

    def _check(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN")  # one moment: the program may be making the tables
        application, = db.execute("PRAGMA application_id").fetchone()
        version, = db.execute("PRAGMA user_version").fetchone()
        n_objects, = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        db.execute("COMMIT")
        if application == version == n_objects == 0:
            raise Error(f"{self.path}: has no runs yet")
        if application != APPLICATION:
            raise Error(f"{self.path}: is a database, but not one of parl's runs")
        if not 1 <= version <= SCHEMA:
            raise Error(f"{self.path}: has schema version {version}, this package reads 1 to {SCHEMA}; "
                        "take the package that came with the program that wrote it")

    def _select(self, sql: str, values: Sequence[Any] = ()) -> pandas.DataFrame:
        try:
            with closing(self._open()) as db:
                cursor = db.execute(sql, tuple(values))
                names = [column[0] for column in cursor.description]
                frame = pandas.DataFrame.from_records(_share_texts(cursor), columns=names)
        except sqlite3.Error as error:
            raise Error(f"{self.path}: {error}") from error
        unknown = [name for name in names if len(frame) and frame[name].isna().all()]
        return frame.astype({name: float for name in unknown})

    def _columns(self, table: str) -> list[str]:
        return list(self._select("SELECT name FROM pragma_table_info(?)", [table])["name"])

    def read_runs(self, retired: bool) -> pandas.DataFrame:
        """The table `run`, in the order of the plan; `id` is called run_id, as elsewhere."""
        missing = "".join(f", NULL AS {name}" for name in LATER if name not in self._columns("run"))
        runs = self._select(f"SELECT *{missing} FROM run ORDER BY id").rename(columns={"id": "run_id"})
        runs["retired"] = runs["retired"].fillna(0).astype(bool)
        runs["error"] = runs["error"].astype(object).fillna("")
        return runs if retired else runs[~runs["retired"]].reset_index(drop=True)

    def read_rows(self, table: str, retired: bool, only: dict[str, Sequence[Any]]) -> pandas.DataFrame:
        """A table of rows of runs, each with its run's arm and seed, by run and key. `only`: values of columns."""
        columns = self._columns(table)
        if not columns:
            return pandas.DataFrame(columns=["run_id", "arm", "seed", *KEYS[table]])
        own = ", ".join(f't."{name}"' for name in columns if name != "run_id")
        where = [] if retired or "retired" not in self._columns("run") else ["coalesce(run.retired, 0) = 0"]
        values: list[Any] = []
        for name, wanted in only.items():
            where.append(f"{name} IN ({', '.join('?' * len(wanted))})")
            values += wanted
        condition = " WHERE " + " AND ".join(where) if where else ""
        order = ", ".join(["t.run_id", *(f"t.{name}" for name in KEYS[table])])
        return self._select(f"SELECT t.run_id, run.arm, run.seed, {own} FROM {table} t JOIN run ON run.id = t.run_id"
                            f"{condition} ORDER BY {order}", values)

    def read_claims(self) -> pandas.DataFrame:
        """The table `claim`."""
        if not self._columns("claim"):
            return pandas.DataFrame(columns=["name"])
        return self._select("SELECT * FROM claim ORDER BY name")


def _share_texts(cursor: sqlite3.Cursor) -> list[tuple[Any, ...]]:
    """All rows, where equal short texts are one object: a store has millions of rows and few names."""
    texts: dict[str, str] = {}
    return [tuple(texts.setdefault(value, value) if type(value) is str and len(value) < 64 else value for value in row)
            for row in cursor]
