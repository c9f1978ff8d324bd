"""The server object: its key, its directory, starting and stopping."""

import pytest

from labeling_assets.local_aperturedb.errors import LocalServerError
from labeling_assets.local_aperturedb.server import LocalServer


def test_the_key_leads_the_official_client_here(server):
    from aperturedb.CommonLibrary import create_connector

    client = create_connector(key=server.key)
    answer, _ = client.query([{"GetStatus": {}}])
    assert (client.config.host, client.config.port, client.config.use_ssl) == ("127.0.0.1", server.port, False)
    assert answer[0]["GetStatus"]["status"] == 0


def test_data_stay_when_the_server_stops(tmp_path, client_of):
    with LocalServer(tmp_path / "db") as server:
        client_of(server).query([{"AddBlob": {"properties": {"guid": "g"}}}], [b"bytes"])
    with LocalServer(tmp_path / "db") as server:
        answer, blobs = client_of(server).query([{"FindBlob": {"blobs": True, "results": {"list": ["guid"]}}}])
    assert answer[0]["FindBlob"]["entities"] == [{"_blob_index": 0, "guid": "g"}]
    assert blobs == [b"bytes"]


def test_a_directory_belongs_to_one_server(server, tmp_path):
    with pytest.raises(LocalServerError, match="another server uses the data directory"):
        LocalServer(tmp_path / "aperturedb")


def test_a_port_in_use_is_an_error_and_frees_the_directory(server, tmp_path):
    with pytest.raises(LocalServerError, match="cannot listen on"):
        LocalServer(tmp_path / "other", port=server.port)
    LocalServer(tmp_path / "other").stop()


def test_stopping_twice_is_harmless(tmp_path):
    server = LocalServer(tmp_path / "db")
    server.stop()
    server.stop()


def test_a_directory_of_a_newer_version_is_refused(tmp_path, store):
    with store.writing() as transaction:
        transaction.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(LocalServerError, match="newer"):
        LocalServer(tmp_path / "store")
