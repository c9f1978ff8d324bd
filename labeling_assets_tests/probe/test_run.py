"""Probes: they find what they are meant to find, and leave nothing behind."""

import json

import pytest

from labeling_assets.clients.aperturedb import ApertureDB
from labeling_assets.errors import RefusedError
from labeling_assets.local_aperturedb.server import LocalServer
from labeling_assets.probe.declare import PREFIX, Probe
from labeling_assets.probe.run import PROBES, run_probes


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    with LocalServer(tmp_path_factory.mktemp("db"), rest_port=0) as server, ApertureDB(server.key) as db:
        yield db


def everything(db):
    return db.ask([{"GetSchema": {}}, {"GetIndexes": {}}, {"FindEntity": {"results": {"count": True}}}])


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_the_local_server_does_what_we_assume(db, probe):
    (finding,) = run_probes(db, [probe], built_in=True)
    assert (finding.observed, finding.error, finding.left) == (probe.assumed, None, ())
    assert finding.as_assumed


def test_the_names_are_unique():
    assert len({probe.name for probe in PROBES}) == len(PROBES)


def test_nothing_is_left(db):
    db.ask([{"AddEntity": {"class": "Foreign", "properties": {"n": 1}}}, {"AddBlob": {}}], [b"foreign"])
    before = everything(db)
    list(run_probes(db, built_in=True))
    assert everything(db) == before
    db.ask([{"DeleteEntity": {"with_class": "Foreign"}}])


def test_built_in_classes_are_touched_only_when_asked(db):
    names = {finding.probe.name for finding in run_probes(db)}
    assert names == {probe.name for probe in PROBES if not probe.built_in}


def adding(then):
    """A probe that adds an entity with an index, then does something else."""

    def observe(scratch):
        own = scratch.name("P")
        assert own.startswith(PREFIX)
        scratch.add(own, {"n": 1})
        scratch.ask(scratch.index(own, "n"))
        return then(scratch)

    return Probe("adding", "?", "", None, observe)


def interrupt(scratch):
    raise KeyboardInterrupt


def test_an_interrupted_probe_leaves_nothing(db):
    before = everything(db)
    with pytest.raises(KeyboardInterrupt):
        list(run_probes(db, [adding(interrupt)]))
    assert everything(db) == before


@pytest.mark.parametrize("then", [lambda scratch: {}["gone"], lambda scratch: scratch.add("_wrong", {})])
def test_a_failing_probe_is_a_finding_and_leaves_nothing(db, then):
    before = everything(db)
    (finding,) = run_probes(db, [adding(then)])
    assert finding.error.startswith((KeyError.__name__, RefusedError.__name__))
    assert not finding.as_assumed
    assert everything(db) == before


def test_what_cannot_be_deleted_is_named(tmp_path):
    with LocalServer(tmp_path) as server, ApertureDB(server.key) as db:
        db.check()

        def stop(scratch):
            server.stop()
            return scratch.ask({"GetStatus": {}})

        db._root.config.retry_max_attempts = 1
        db._root.config.retry_interval_seconds = 0
        (finding,) = run_probes(db, [adding(stop)])
    assert "cannot be reached" in finding.error
    assert [name.split()[0] for name in finding.left] == ["index", "Connection", "Entity"]


def test_it_can_be_printed_as_json(db):
    from labeling_assets.probe.report import as_json

    findings = list(run_probes(db, PROBES[:2]))
    printed = json.loads(as_json(db.address, db.check(), findings))
    assert printed["status"]["system"] == "ApertureDB"
    assert [entry["name"] for entry in printed["probes"]] == ["rejected_session", "unknown_command"]
    assert all(entry["as_assumed"] for entry in printed["probes"])


def test_over_rest(tmp_path):
    with LocalServer(tmp_path, rest_port=0) as server, ApertureDB(server.key_for(rest=True)) as db:
        assert [finding.probe.name for finding in run_probes(db, PROBES[:12]) if not finding.as_assumed] == []
