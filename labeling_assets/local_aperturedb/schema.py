"""The SQLite schema and the migrations that lead to it."""

import sqlite3
from typing import Final

from labeling_assets.local_aperturedb.errors import LocalServerError

ENTITY: Final = "entity"
CONNECTION: Final = "connection"

IMAGE: Final = "_Image"
VIDEO: Final = "_Video"
BLOB: Final = "_Blob"
BOUNDING_BOX: Final = "_BoundingBox"
POLYGON: Final = "_Polygon"
BOX_OF_IMAGE: Final = "_BoundingBoxToImage"
POLYGON_OF_IMAGE: Final = "_PolygonToImage"

# Class numbers seen in answers of real servers; those without an observation fill the gaps.
BUILT_IN_ENTITIES: Final = {
    BOUNDING_BOX: 1,
    "_DescriptorSet": 2,
    "_Descriptor": 3,
    POLYGON: 4,
    VIDEO: 5,
    "_Clip": 6,
    IMAGE: 7,
    BLOB: 11,
    "_Frame": 24,
}
BUILT_IN_CONNECTIONS: Final = {BOX_OF_IMAGE: 12, POLYGON_OF_IMAGE: 13}
_FIRST_USER_CLASS: Final = 25

_FIRST_SCHEMA: Final = (
    "CREATE TABLE counter (next_object INTEGER NOT NULL, next_txn INTEGER NOT NULL)",
    "INSERT INTO counter VALUES (1, 1)",
    "CREATE TABLE class (id INTEGER PRIMARY KEY, target TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (target, name))",
    # A type is fixed for ever, so this table only grows.
    """CREATE TABLE property (class INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL,
        PRIMARY KEY (class, name)) WITHOUT ROWID""",
    # How many objects there are ('' as property) and how many have a property, so that GetSchema reads no objects.
    """CREATE TABLE tally (class INTEGER NOT NULL, src INTEGER NOT NULL, dst INTEGER NOT NULL, property TEXT NOT NULL,
        matched INTEGER NOT NULL, PRIMARY KEY (class, src, dst, property)) WITHOUT ROWID""",
    """CREATE TABLE property_index (class INTEGER NOT NULL, property TEXT NOT NULL, kind TEXT NOT NULL,
        PRIMARY KEY (class, property, kind)) WITHOUT ROWID""",
    # width and height are those of the image, of the box, or of the bounds of the polygon in `shape`.
    """CREATE TABLE entity (id INTEGER PRIMARY KEY, class INTEGER NOT NULL, txn INTEGER NOT NULL, props TEXT NOT NULL,
        label TEXT, x INTEGER, y INTEGER, width INTEGER, height INTEGER, area INTEGER, shape TEXT, size INTEGER)""",
    """CREATE TABLE connection (id INTEGER PRIMARY KEY, class INTEGER NOT NULL, txn INTEGER NOT NULL,
        props TEXT NOT NULL, src INTEGER NOT NULL, dst INTEGER NOT NULL)""",
    "CREATE INDEX entity_class ON entity (class)",
    "CREATE INDEX entity_label ON entity (class, label) WHERE label IS NOT NULL",
    "CREATE INDEX entity_blob ON entity (size) WHERE size IS NOT NULL",
    "CREATE INDEX connection_class ON connection (class)",
    "CREATE INDEX connection_src ON connection (src, class, dst)",
    "CREATE INDEX connection_dst ON connection (dst, class, src)",
    # Statistics by hand, of a large database: a class is a poor filter, everything else a good one. Without them
    # SQLite would rather read all objects of a class than follow a connection or a property index.
    "ANALYZE",
    "DELETE FROM sqlite_stat1",
    """INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
        ('entity', 'entity_class', '1000000 100000'), ('entity', 'entity_label', '500000 50000 500'),
        ('entity', 'entity_blob', '100000 10'),
        ('connection', 'connection_class', '1000000 100000'),
        ('connection', 'connection_src', '1000000 10 8 1'), ('connection', 'connection_dst', '1000000 10 8 1')""",
    "ANALYZE sqlite_schema",
)


def migrate(database: sqlite3.Connection) -> None:
    """Bring the database to the newest schema, each step and its record in one transaction.

    Raises LocalServerError when a newer version of this package has written it.
    """
    migrations = (_create,)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        raise LocalServerError(f"the data directory has schema version {version}, newer than {len(migrations)}")
    for number, migration in enumerate(migrations[version:], start=version + 1):
        database.execute("BEGIN IMMEDIATE")
        try:
            migration(database)
            database.execute(f"PRAGMA user_version = {number}")
            database.execute("COMMIT")
        except BaseException:
            database.execute("ROLLBACK")
            raise


def _create(database: sqlite3.Connection) -> None:
    for statement in _FIRST_SCHEMA:
        database.execute(statement)
    built_in = [(number, ENTITY, name) for name, number in BUILT_IN_ENTITIES.items()]
    built_in += [(number, CONNECTION, name) for name, number in BUILT_IN_CONNECTIONS.items()]
    database.executemany("INSERT INTO class (id, target, name) VALUES (?, ?, ?)", built_in)


def next_class_id(database: sqlite3.Connection) -> int:
    (largest,) = database.execute("SELECT max(id) FROM class").fetchone()
    return max(int(largest) + 1, _FIRST_USER_CLASS)
