"""The form of a ledger's SQLite file, and the migration of older forms."""

import sqlite3
from typing import Any
from uuid import uuid4

VERSION = 6
"""The form of the file, as `PRAGMA user_version`. A file of version 0 is new, or has the oldest form."""
# The table keeps its name and changed its columns, so that a process that still runs the oldest code fails, and sends
# nothing, instead of starting a table of its own.
_FIRST = (
    """CREATE TABLE sends (
        id TEXT PRIMARY KEY,
        service TEXT NOT NULL, operation TEXT NOT NULL, key TEXT, target TEXT, old_key TEXT NOT NULL,
        is_done INTEGER NOT NULL, owner TEXT NOT NULL, started_at REAL NOT NULL, digest TEXT NOT NULL,
        UNIQUE (service, operation, key, old_key)
    )""",
    "CREATE UNIQUE INDEX targets ON sends (service, target, coalesce(key, ''), old_key)",
    "CREATE INDEX old_keys ON sends (service, old_key) WHERE old_key != ''",
)
_SECOND = (
    "ALTER TABLE sends ADD COLUMN service_time REAL",
    "ALTER TABLE sends ADD COLUMN monotonic REAL",
    # Which file this is, and how many transactions have changed it: an older copy of it has fewer.
    "CREATE TABLE ledger (id TEXT NOT NULL, changes INTEGER NOT NULL)",
    "INSERT INTO ledger VALUES (lower(hex(randomblob(16))), 0)",
)
_THIRD = (
    # For creations: the id of what was created, and what was known before the request left.
    "ALTER TABLE sends ADD COLUMN result TEXT",
    "ALTER TABLE sends ADD COLUMN evidence TEXT NOT NULL DEFAULT ''",
)
_FOURTH = (
    # When the owner last said that it is about to begin, by the machine's clock that nobody can set.
    "ALTER TABLE sends ADD COLUMN renewed REAL",
)
_FIFTH = (
    # There are few of them, however many sends with the same target are done.
    "CREATE INDEX unfinished ON sends (service, target) WHERE NOT is_done",
)
_SIXTH = (
    # Nothing looks for a send without a key by its key, nor for one without a target by its target. Indexes that leave
    # them out save a transaction from writing pages that nobody reads.
    "ALTER TABLE sends RENAME TO sends_5",
    """CREATE TABLE sends (
        id TEXT PRIMARY KEY,
        service TEXT NOT NULL, operation TEXT NOT NULL, key TEXT, target TEXT, old_key TEXT NOT NULL,
        is_done INTEGER NOT NULL, owner TEXT NOT NULL, started_at REAL NOT NULL, digest TEXT NOT NULL,
        service_time REAL, monotonic REAL, result TEXT, evidence TEXT NOT NULL DEFAULT '', renewed REAL
    )""",
    """INSERT INTO sends SELECT
        id, service, operation, key, target, old_key, is_done, owner, started_at, digest,
        service_time, monotonic, result, evidence, renewed
    FROM sends_5 ORDER BY rowid""",
    "DROP TABLE sends_5",
    "CREATE UNIQUE INDEX keys ON sends (service, operation, key, old_key) WHERE key IS NOT NULL",
    "CREATE UNIQUE INDEX targets ON sends (service, target, coalesce(key, ''), old_key) WHERE target IS NOT NULL",
    "CREATE INDEX old_keys ON sends (service, old_key) WHERE old_key != ''",
    "CREATE INDEX unfinished ON sends (service, target) WHERE target IS NOT NULL AND NOT is_done",
)
_MIGRATIONS = {2: _SECOND, 3: _THIRD, 4: _FOURTH, 5: _FIFTH, 6: _SIXTH}
"""The statements that lead to each form from the one before."""
_OLD_ROWS = "SELECT service, key, operation, is_done, owner, since, digest FROM old_sends ORDER BY id"
_INSERT_OLD = "INSERT INTO sends VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def is_empty(database: sqlite3.Connection) -> bool:
    """Return whether the file holds nothing at all."""
    return database.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def ensure_schema(database: sqlite3.Connection) -> None:
    """Create the schema in a new file, and migrate an old one, as part of a transaction.

    Raises:
        sqlite3.NotSupportedError: The file was written by a newer version of the package.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version > VERSION:
        raise sqlite3.NotSupportedError("it was written by a newer version of tingting_async; install that version")
    if version == 0:
        _create(database)
    for form, statements in _MIGRATIONS.items():
        if version < form:
            for statement in statements:
                database.execute(statement)
    database.execute(f"PRAGMA user_version = {VERSION}")


def _create(database: sqlite3.Connection) -> None:
    is_old = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'sends'").fetchone() is not None
    if is_old:
        database.execute("ALTER TABLE sends RENAME TO old_sends")
    for statement in _FIRST:
        database.execute(statement)
    if is_old:
        database.executemany(_INSERT_OLD, [_migrated(row) for row in database.execute(_OLD_ROWS).fetchall()])
        database.execute("DROP TABLE old_sends")


def _migrated(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the first form of a row of the oldest form.

    There, one column held the target (`campaign 7`), or a given key after its target or operation (`campaign 7: word`,
    `otp.send: word`).
    """
    service, old_key, operation, is_done, owner, since, digest = row
    target, _, key = (old_key or "").partition(": ")
    is_target = old_key is not None and target != operation
    # The digest of a target was a salt alone, which says nothing about the content.
    return (
        uuid4().hex,
        service,
        operation,
        key or None,
        target if is_target else None,
        old_key or "",
        is_done,
        owner,
        since,
        "" if is_target else digest,
    )
