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
CLIP: Final = "_Clip"
FRAME: Final = "_Frame"
DESCRIPTOR: Final = "_Descriptor"
DESCRIPTOR_SET: Final = "_DescriptorSet"
BOX_OF_IMAGE: Final = "_BoundingBoxToImage"
POLYGON_OF_IMAGE: Final = "_PolygonToImage"
CLIP_OF_VIDEO: Final = "_ClipToVideo"
FRAME_OF_VIDEO: Final = "_FrameToVideo"
SET_OF_DESCRIPTOR: Final = "_DescriptorSetToDescriptor"  # the set is the source

# Class numbers seen in answers of real servers; those without an observation fill the gaps.
BUILT_IN_ENTITIES: Final = {
    BOUNDING_BOX: 1,
    DESCRIPTOR_SET: 2,
    DESCRIPTOR: 3,
    POLYGON: 4,
    VIDEO: 5,
    CLIP: 6,
    IMAGE: 7,
    BLOB: 11,
    FRAME: 24,
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

# Connections of parts of videos and of descriptors.
_LATER_CONNECTIONS: Final = {CLIP_OF_VIDEO: 14, FRAME_OF_VIDEO: 15, SET_OF_DESCRIPTOR: 16}

_SYSTEM_PROPERTIES: Final = (
    # JSON of what the server itself knows about videos, clips, frames, descriptors and their sets; the keys that start
    # with _ are what a client sees. Videos that were added before this column stay without it.
    "ALTER TABLE entity ADD COLUMN system TEXT",
    "CREATE TABLE vector (id INTEGER PRIMARY KEY, descriptor_set INTEGER NOT NULL, content BLOB NOT NULL)",
    "CREATE INDEX vector_set ON vector (descriptor_set)",
)


def migrate(database: sqlite3.Connection) -> None:
    """Bring the database to the newest schema, each step and its record in one transaction.

    Raises LocalServerError when a newer version of this package has written it.
    """
    migrations = (_create, _add_system_properties)
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


def _add_system_properties(database: sqlite3.Connection) -> None:
    for statement in _SYSTEM_PROPERTIES:
        database.execute(statement)
    connections = [(number, CONNECTION, name) for name, number in _LATER_CONNECTIONS.items()]
    database.executemany("INSERT INTO class (id, target, name) VALUES (?, ?, ?)", connections)


def next_class_id(database: sqlite3.Connection) -> int:
    (largest,) = database.execute("SELECT max(id) FROM class").fetchone()
    return max(int(largest) + 1, _FIRST_USER_CLASS)
