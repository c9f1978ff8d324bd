"""What can be wrong with ApertureDB, made to happen on a local server."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from labeling_assets import names
from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.clients.constraints import Dialect
from labeling_assets.diagnose.database import database_findings, dialect_findings, reached
from labeling_assets.diagnose.finding import Finding
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.projects import load_project
from labeling_assets.settings import Settings, load_settings
from labeling_assets_tests.sync.world import write_project


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalServer]:
    with LocalServer(tmp_path / "aperturedb") as server:
        yield server


@pytest.fixture
def db(server: LocalServer) -> Iterator[ApertureDB]:
    with ApertureDB(server.key) as db:
        yield db


def looked_at(db: ApertureDB, tmp_path: Path) -> list[Finding]:
    write_project(tmp_path / "projects" / "cars")
    return list(database_findings(db, [load_project(tmp_path / "projects" / "cars")]))


def not_right(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.name, one.level) for one in findings if one.level != "ok"]


def unreached(settings: Settings) -> Finding:
    found: list[ApertureDB] = []
    (finding,) = reached(settings, found)
    assert found == []
    return finding


def changed_key(key: str, **places: Any) -> str:
    parts = json.loads(base64.b64decode(key))
    parts[-1] = places.get("password", parts[-1])
    return base64.b64encode(json.dumps(parts).encode()).decode()


def test_a_database_that_answers(server: LocalServer, tmp_path: Path) -> None:
    found: list[ApertureDB] = []
    (finding,) = reached(load_settings(home=tmp_path, aperturedb_key=server.key), found)
    found[0].close()
    assert (finding.level, "ApertureDB 0.19.6 at 127.0.0.1:" in finding.text) == ("ok", True)


def test_no_key(tmp_path: Path) -> None:
    finding = unreached(load_settings(home=tmp_path))
    assert (finding.level, "No ApertureDB" in finding.text, "APERTUREDB_KEY" in finding.fix) == ("error", True, True)


def test_a_key_that_is_none(tmp_path: Path) -> None:
    assert "not a key of ApertureDB" in unreached(load_settings(home=tmp_path, aperturedb_key="nonsense")).text


def test_a_server_that_was_stopped(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "aperturedb") as server:
        settings = load_settings(home=tmp_path, aperturedb_key=server.key)
    finding = unreached(settings)
    assert (finding.name, finding.level) == ("database.reachable", "error")
    assert "cannot be reached" in finding.text
    assert "Start the server" in finding.fix


def test_a_wrong_password(server: LocalServer, tmp_path: Path) -> None:
    key = changed_key(server.key, password="another password")
    finding = unreached(load_settings(home=tmp_path, aperturedb_key=key))
    assert "refused the login" in finding.text
    assert "right user and password" in finding.fix
    assert "another password" not in finding.text


def test_all_is_well(db: ApertureDB, tmp_path: Path) -> None:
    findings = looked_at(db, tmp_path)
    assert [(one.name, one.level) for one in findings] == [("database.dialect", "ok"), ("database.schema", "ok")]


class OneDialect(ApertureDB):
    """A server that takes the newer dialect only; the local one takes both."""

    def _send(self, commands: Any, blobs: Any) -> Any:
        if '["!=", ""]' in json.dumps(commands):
            return {"status": -1, "info": "constraints must be an array"}, ()
        return super()._send(commands, blobs)


def test_a_dialect_that_the_server_does_not_take(server: LocalServer) -> None:
    with OneDialect(server.key, dialect="legacy") as db:
        (finding,) = dialect_findings(db)
        (rest,) = database_findings(db, [])
    assert (finding.name, finding.level, rest) == ("database.dialect", "error", finding)
    assert "'legacy'" in finding.text
    assert finding.fix == "Set LABELING_ASSETS_APERTUREDB_DIALECT to auto."
    with OneDialect(server.key, dialect=Dialect.EXPRESSION.value) as db:
        assert not_right(list(dialect_findings(db))) == []


def test_another_version_of_the_data_model(db: ApertureDB, tmp_path: Path) -> None:
    db.one("AddEntity", {"class": names.PROJECT, "properties": {names.SLUG: "old", names.SCHEMA_VERSION: 1}})
    findings = looked_at(db, tmp_path)
    assert not_right(findings) == [("database.schema_version", "error")]
    assert "Project 'old' was written in version 1" in findings[-1].text


def test_properties_of_other_types_are_all_named(db: ApertureDB, tmp_path: Path) -> None:
    db.one("AddEntity", {"class": names.ANNOTATION, "properties": {"LS_annotator": 3, "LS_revision": "first"}})
    findings = looked_at(db, tmp_path)
    assert not_right(findings) == [("database.types", "error")] * 2
    assert {"LS_annotator" in one.text for one in findings[1:]} == {True, False}


def test_a_state_property_of_another_type(db: ApertureDB, tmp_path: Path) -> None:
    from labeling_assets.clients.query import Query

    query = Query()
    query.add("AddBlob", {"properties": {"LS_state_cars": 1}}, b"x")
    db.run(query)
    (wrong,) = [one for one in looked_at(db, tmp_path) if one.level == "error"]
    assert "'LS_state_cars'" in wrong.text


def test_a_machine_whose_clock_is_ahead(db: ApertureDB, tmp_path: Path) -> None:
    lease = {"LS_lease_owner": "host-7/4026531836:12:ab", "LS_lease_until": time.time() + 3600.0}
    db.one("AddEntity", {"class": names.SYNC, "properties": {names.KEY: "i|cars|May", **lease}})
    (warned,) = [one for one in looked_at(db, tmp_path) if one.level != "ok"]
    assert (warned.name, warned.level) == ("database.clock", "warning")
    assert "A process on host-7 holds a lease that ends in 3" in warned.text


def test_a_lease_that_anybody_may_hold_is_no_finding(db: ApertureDB, tmp_path: Path) -> None:
    lease = {"LS_lease_owner": "host-7/1:12:ab", "LS_lease_until": time.time() + 119}
    db.one("AddEntity", {"class": names.SYNC, "properties": {names.KEY: "i|cars|May", **lease}})
    assert not_right(looked_at(db, tmp_path)) == []


def test_the_key_is_not_shown(server: LocalServer, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, aperturedb_key=SecretStr(changed_key(server.key, password="secret-x")))
    finding = unreached(settings)
    assert "secret-x" not in f"{finding}"
