"""Transactions and blob files."""

import pytest

from labeling_assets.local_aperturedb.store import Store


def add_blob(store, content=b"bytes"):
    with store.writing() as transaction:
        number = transaction.next_object()
        transaction.execute("INSERT INTO entity (id, class, txn, props, size) VALUES (?, 11, 1, '{}', 5)", (number,))
        transaction.write_blob(number, content)
    return number


def delete_blob(store, number):
    with store.writing() as transaction:
        transaction.execute("DELETE FROM entity WHERE id = ?", (number,))
        transaction.delete_blobs([number])


def files(store, tmp_path):
    return sorted(path.name for path in (tmp_path / "store" / "blobs").glob("*/*"))


def test_a_failed_transaction_leaves_nothing(store, tmp_path):
    def fail():
        with store.writing() as transaction:
            transaction.execute("INSERT INTO entity (id, class, txn, props) VALUES (1, 7, 1, '{}')")
            transaction.write_blob(1, b"bytes")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.reading() as transaction:
        assert transaction.rows("SELECT * FROM entity") == []
    assert files(store, tmp_path) == []


def test_numbers_are_never_used_twice(store):
    first = add_blob(store)
    delete_blob(store, first)
    assert add_blob(store) == first + 1


def test_a_reader_keeps_its_snapshot(store):
    """It is taken with the first look."""
    number = add_blob(store)
    with store.reading() as reader:
        assert len(reader.rows("SELECT * FROM entity")) == 1
        delete_blob(store, number)
        assert len(reader.rows("SELECT * FROM entity")) == 1
        assert reader.read_blob(number) == b"bytes"


def test_the_file_goes_with_the_last_reader(store, tmp_path):
    number = add_blob(store)
    with store.reading():
        delete_blob(store, number)
        assert files(store, tmp_path) == [str(number)]
    assert files(store, tmp_path) == []


def test_files_of_a_crash_are_swept_at_the_start(store, tmp_path):
    number = add_blob(store)
    store.close()
    for name in ("7/77", "07/notes.txt", "aa/999"):
        path = tmp_path / "store" / "blobs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left over")
    again = Store(tmp_path / "store")
    assert files(again, tmp_path) == [str(number)]
    again.close()


def test_readers_do_not_wait_for_the_writer(store):
    add_blob(store)
    with store.writing() as writer:
        writer.execute("DELETE FROM entity")
        with store.reading() as reader:
            assert len(reader.rows("SELECT * FROM entity")) == 1


def test_files_in_the_folders_of_earlier_versions_are_found(store, tmp_path):
    number = add_blob(store)
    with store.reading() as reader:
        path = reader.blob_path(number)
    store.close()
    earlier = path.parents[1] / f"{number % 256:02x}" / str(number)
    earlier.parent.mkdir()
    path.rename(earlier)
    again = Store(tmp_path / "store")
    with again.reading() as reader:
        assert reader.read_blob(number) == b"bytes"
    assert not earlier.parent.exists()
    again.close()


def test_a_class_of_a_failed_transaction_is_not_known(store):
    def fail():
        with store.writing() as transaction:
            transaction.catalog.ensure_class("entity", "Person")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.reading() as transaction:
        assert transaction.catalog.class_id("entity", "Person") is None
