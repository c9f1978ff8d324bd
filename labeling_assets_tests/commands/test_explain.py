"""`labeling-assets explain`: exit codes, messages, sizes."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from labeling_assets.cli import main

CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="label" toName="image"><Label value="Car"/></RectangleLabels></View>"""
BOX = {
    "id": "a",
    "type": "rectanglelabels",
    "from_name": "label",
    "to_name": "image",
    "original_width": 1000,
    "original_height": 500,
    "value": {"x": 10, "y": 10, "width": 10, "height": 20, "rotation": 0, "rectanglelabels": ["car"]},
}
TASK = {"id": 3, "data": {"image": "a.jpg"}, "annotations": [{"id": 5, "result": [BOX]}]}


@pytest.fixture
def run(tmp_path: Path):
    """Runs the command on a document, or on the text or bytes of a file."""

    def run(content: Any, *options: str) -> Result:
        file = tmp_path / "export.json"
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return CliRunner().invoke(main, ["explain", str(file), *options])

    return run


def test_it_says_what_becomes_of_an_export(run):
    result = run([TASK], "--round-trip")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "annotation 5 of task 3, image @ $[0].annotations[0]",
        '  1 BoundingBox box "car"',
        "1 annotation of 1 task: 1 region",
        "in ApertureDB: 1 BoundingBox",
        "kinds: 1 box",
        "unknown kinds: none",
        "problems: 0",
        "way back: the same, through the annotation's JSON; also the geometry of 1 of 1 region, checked both ways",
    ]


def test_json_is_one_document_with_every_object(run):
    given = json.loads(run([TASK, TASK], "--json").stdout)
    assert [it["regions"][0]["rectangle"] for it in given["annotations"]] == 2 * [
        {"x": 100, "y": 50, "width": 100, "height": 100}
    ]
    assert given["totals"]["objects"] == {"BoundingBox": 2}
    assert "round_trip" not in given["totals"]


def test_json_without_annotations_is_a_document_too(run):
    assert json.loads(run([], "--json").stdout)["annotations"] == []


def test_the_configuration_names_what_it_does_not_know(run, tmp_path: Path):
    (tmp_path / "config.xml").write_text(CONFIG)
    result = run([TASK], "--config", str(tmp_path / "config.xml"))
    assert result.exit_code == 0
    assert "configuration: 'label' has no label 'car'; did you mean 'Car'? (1 time)" in result.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("{", "is not JSON: Expecting property name"),
        ('{"id": 1}\n{"id": 2}', "is not JSON: Extra data"),
        (b"\xff\xfe\xfa", "is not JSON"),
        (b"\x89PNG\r\n\x1a\n\x00", "is not JSON"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("[" + "9" * 5000 + "]", "is not JSON"),
        ("null", "nothing of Label Studio's: expected an object @ $"),
        ('{"a": 1}', "nothing of Label Studio's: no annotations and no data of a task @ $"),
        ("[1, 2, 3, 4]", "expected an object @ $[0]"),
    ],
)
def test_what_cannot_be_read_is_exit_code_2(run, content: str | bytes, message: str):
    result = run(content)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("xml", ["", "<View>", "<View/>", b"\xff\xfe"])
def test_a_wrong_configuration_is_exit_code_2(run, tmp_path: Path, xml: str | bytes):
    (tmp_path / "config.xml").write_bytes(xml.encode() if isinstance(xml, str) else xml)
    result = run([TASK], "--config", str(tmp_path / "config.xml"))
    assert result.exit_code == 2
    assert "config.xml" in result.stderr


def test_no_file_is_exit_code_2():
    assert CliRunner().invoke(main, ["explain", "no/such/file.json"]).exit_code == 2


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbf{"result": []}',
        '{"result": []}'.encode("utf-16"),
        '{"result": [{"id": "\\ud800", "type": "choices", "value": {"choices": ["\\udc00x", "\\u0000"]}}]}',
        '{"result": [], "big": 123456789012345678901234567890, "float": 0.30000000000000004, "one": 1.0}',
        '{"result": [{"type": "tomorrow", "value": {"x": [[[]]]}}], "null": null}',
    ],
    ids=["byte order mark", "UTF-16", "half of a surrogate pair", "numbers", "unknown kind"],
)
def test_what_comes_back_the_same(run, content: str | bytes):
    result = run(content, "--round-trip")
    assert result.exit_code == 0, result.output
    assert "way back: the same" in result.stdout


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_difference_on_the_way_back_is_exit_code_1(run, options: list[str]):
    result = run('{"result": [{"type": "number", "value": {"number": NaN}}]}', "--round-trip", *options)
    assert result.exit_code == 1
    assert "nan is no number of JSON, and Label Studio refuses it @ $.result[0].value.number" in result.stdout
    assert run('{"result": [{"type": "number", "value": {"number": NaN}}]}').exit_code == 0


def test_ten_thousand_annotations_are_a_page(run):
    """The first ten and the totals; all of them only if asked for."""
    document = [{**TASK, "id": number} for number in range(10_000)]
    started = time.perf_counter()
    result = run(document, "--round-trip")
    assert time.perf_counter() - started < 30
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) < 40
    assert "... and 9990 more annotations; --all shows them." in result.stdout
    assert "10000 annotations of 10000 tasks: 10000 regions" in result.stdout
    assert len(run(document[:50], "--all").stdout.splitlines()) > 100


def test_it_runs_as_a_program_and_loads_nothing_heavy(tmp_path: Path):
    (tmp_path / "a.json").write_text(json.dumps([TASK], ensure_ascii=False))
    code = (
        "import sys\nfrom labeling_assets.cli import main\n"
        "try:\n    main(['explain', sys.argv[1], '--round-trip', '--json'])\n"
        "except SystemExit as end:\n    print(end.code)\n"
        "print(sorted({'dagster', 'aperturedb', 'label_studio_sdk', 'pandas', 'pyarrow', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.json")], capture_output=True, text=True)
    assert done.stdout.splitlines()[-2:] == ["0", "[]"], done.stderr
    command = [sys.executable, "-m", "labeling_assets.cli", "explain", str(tmp_path / "a.json")]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "1 BoundingBox" in done.stdout


def test_a_key_that_stands_twice_is_named(run):
    result = run('{"result": [], "id": 1, "id": 2}')
    assert "not read: the key 'id' stands twice in one object, of which the last counts (1 time)" in result.stdout
    assert "problems: 1" in result.stdout.splitlines()


def test_annotations_of_coco_are_exit_code_2(run):
    coco = {"images": [{"id": 1}], "annotations": [{"id": 1, "bbox": [1, 2, 3, 4]}], "categories": []}
    assert run(coco).exit_code == 2
