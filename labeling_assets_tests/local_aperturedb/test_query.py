"""Whatever a client sends, the answer is an answer or one error object, and never our own failure."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling_assets.local_aperturedb import messages
from labeling_assets.local_aperturedb.commands import COMMANDS, UNSUPPORTED
from labeling_assets.local_aperturedb.query import Engine
from labeling_assets.local_aperturedb.session import Lifetimes, Sessions
from labeling_assets.local_aperturedb.wire import Message

SCALARS = st.none() | st.booleans() | st.integers(-2, 100_001) | st.floats() | st.text(max_size=3)
NAMES = st.sampled_from(["a", "b", "_uniqueid", "_label", "_x", "P", "_Image", "ordered", "entity", "in", "out", "x y"])
OPERATORS = st.sampled_from(["==", "!=", "<", ">", "in", "not in", "~"])
VALUES = SCALARS | NAMES | st.lists(SCALARS, max_size=2) | st.fixed_dictionaries({"_date": st.text(max_size=3)})
CONSTRAINTS = st.one_of(
    st.dictionaries(NAMES, st.tuples(OPERATORS, VALUES).map(list), max_size=2),
    st.tuples(NAMES.map(lambda name: "$" + name), OPERATORS, VALUES).map(list),
    VALUES,
)
NESTED = st.dictionaries(
    st.sampled_from(
        ["ref", "class", "list", "count", "group", "sum", "sort", "x", "y", "width", "height", "direction"]
    ),
    VALUES | st.integers(1, 3),
    max_size=4,
)
ARGUMENTS = VALUES | NESTED | CONSTRAINTS | st.integers(1, 3) | st.just([[[0, 0], [3, 0], [3, 3]]])


@st.composite
def queries(draw):
    """One to four commands with declared parameters, their values mostly wrong."""
    query = []
    for name in draw(st.lists(st.sampled_from(sorted(COMMANDS)), min_size=1, max_size=4)):
        parameters = draw(st.lists(st.sampled_from(sorted(COMMANDS[name].parameters) or ["none"]), max_size=4))
        query.append({name: {parameter: draw(ARGUMENTS) for parameter in parameters}})
    return query


@pytest.fixture
def engine(store):
    sessions = Sessions(
        username="admin", password="admin", personal_token=None, lifetimes=Lifetimes(), clock=lambda: 0.0
    )
    return Engine(store, sessions, answer_limit=10**6)


@pytest.fixture
def ask(engine):
    login = engine.answer(Message('[{"Authenticate": {"username": "admin", "password": "admin"}}]'))
    token = json.loads(login.json)[0]["Authenticate"]["session_token"]

    def ask(query, blobs=()):
        text = query if isinstance(query, str) else json.dumps(query)
        return json.loads(engine.answer(Message(text, list(blobs), token)).json)

    return ask


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=queries())
def test_nothing_a_client_sends_is_our_failure(ask, query):
    blobs = [b"not an image"] * sum(COMMANDS[name].blobs for command in query for name in command)
    answer = ask(query, blobs)
    if isinstance(answer, list):
        assert len(answer) == len(query)
    else:
        assert sorted(answer) == ["info", "status"]
        assert answer["info"] != messages.INTERNAL
        assert not answer["info"].startswith("The storage refused")


@pytest.mark.parametrize("command", sorted(UNSUPPORTED))
def test_commands_of_the_real_server_that_are_missing_say_so(ask, command):
    assert ask([{command: {}}]) == {
        "info": f'JSON Command 1: command "{command}" is not supported by the local server',
        "status": -1,
    }


def test_no_command_is_both_there_and_missing():
    assert not UNSUPPORTED & COMMANDS.keys()


@pytest.mark.parametrize(
    ("command", "name"),
    [("FindVideo", "operations"), ("FindClip", "blobs"), ("AddImage", "url"), ("FindPolygon", "decompositions")],
)
def test_parameters_of_the_real_server_that_are_missing_say_so(ask, command, name):
    answer = ask([{command: {name: {}}}], [b"blob"] if command == "AddImage" else [])
    assert answer["info"] == f"JSON Command 1: {command}: {name}: not supported by the local server"


def test_a_flag_that_is_false_asks_for_nothing(ask):
    assert ask([{"FindPolygon": {"blobs": False}}]) == [{"FindPolygon": {"returned": 0, "status": 0}}]


def test_a_key_given_twice_is_refused(ask):
    answer = ask('[{"FindEntity": {"limit": 1, "limit": 2}}]')
    assert answer["info"] == 'Malformed JSON: the key "limit" is given twice'


def test_a_storage_that_fails_is_an_error_object(ask, store):
    store.close()
    assert ask([{"AddEntity": {"class": "P"}}]) == {
        "info": "The storage refused the query: Cannot operate on a closed database.",
        "status": -1,
    }
