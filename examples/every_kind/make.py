"""Makes the media and the annotations of this example; the files in the repository were made by it.

The pictures and the videos are cut out of the photographs of the sample (labeling_assets/stack/sample_data/SOURCES.md
says whose they are), the sounds are plucked strings, computed, the series are swings of a pendulum, computed.
"""

import base64
import csv
import io
import json
import math
import random
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
from label_studio_sdk.converter import brush
from PIL import Image

HERE = Path(__file__).parent
PHOTOS = HERE.parent.parent / "labeling_assets" / "stack" / "sample_data" / "media"
RATE = 16_000
FPS = 10
FRAMES = 30

Result = list[dict[str, Any]]


def main() -> None:
    random.seed(1)
    images()
    videos()
    sounds()
    texts()
    dialogs()
    pages()
    documents()
    series()


def folder(batch: str) -> Path:
    path = HERE / "media" / batch
    path.mkdir(parents=True, exist_ok=True)
    return path


def save(project: str, annotations: dict[str, dict[str, Result]]) -> None:
    """File name -> `first`, what is labeled, and `changed`, how it is changed afterwards."""
    path = HERE / "annotations" / f"{project}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(annotations, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def item(name: str, to: str, kind: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    region = more.pop("region", None) or uuid.UUID(int=random.getrandbits(128)).hex[:10]
    return {"id": region, "from_name": name, "to_name": to, "type": kind, "origin": "manual", "value": value, **more}


# ---- images


def images() -> None:
    given = {}
    for name, turned in (("cat", 1), ("windmill", 6), ("igloo", 1)):
        photo = Image.open(PHOTOS / f"{name}.jpg").convert("RGB")
        photo.thumbnail((320, 320))
        shown = photo.size
        if turned == 6:  # stored turned to the left; the browser turns it back
            photo = photo.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = turned
        photo.save(folder("images") / f"{name}.jpg", quality=85, exif=exif)
        first = image_labels(*shown)
        given[f"{name}.jpg"] = {"first": first, "changed": changed_image(first)}
    save("images", given)


def image_labels(width: int, height: int) -> Result:
    size = {"original_width": width, "original_height": height, "image_rotation": 0}

    def on(name: str, kind: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
        return item(name, "image", kind, value, **size, **more)

    box = {"x": 20.5, "y": 10.25, "width": 40, "height": 62.125, "rotation": 0}
    sign = {"x": 2, "y": 80, "width": 30, "height": 12, "rotation": 0}
    rows, columns = np.mgrid[0:height, 0:width]
    grass = ((rows > height * 0.8) & (columns < width * 0.6)).astype(np.uint8) * 255
    shade = (rows - height * 0.3) ** 2 + (columns - width * 0.7) ** 2 < (height * 0.15) ** 2
    points = [[10, 10], [30.5, 5.125], [55, 12], [33.3333, 40]]
    line = [
        {"id": "v1", "x": 5.0, "y": 50.0, "prevPointId": None, "isBezier": False},
        {
            "id": "v2",
            "x": 40.0,
            "y": 45.0,
            "prevPointId": "v1",
            "isBezier": True,
            "controlPoint1": {"x": 30.0, "y": 30.0},
            "controlPoint2": {"x": 50.0, "y": 60.0},
        },
        {"id": "v3", "x": 95.0, "y": 55.0, "prevPointId": "v2", "isBezier": False},
    ]
    result = [
        on("box", "rectanglelabels", {**box, "rectanglelabels": ["Animal"]}, region="animal"),
        on("transcription", "textarea", {**box, "text": ["größer als gedacht 🐈", "second line"]}, region="animal"),
        on("visibility", "choices", {**box, "choices": ["Occluded"]}, region="animal"),
        on("box", "rectanglelabels", {**sign, "rotation": 344.5, "rectanglelabels": ["Building"]}, region="tilted"),
        on("area", "rectangle", sign, region="sign"),
        on("kind_of_area", "labels", {**sign, "labels": ["Sign", "Damage"]}, region="sign"),
        on("ellipse", "ellipselabels", {"x": 50, "y": 40, "radiusX": 12.5, "radiusY": 20, "rotation": 30} | face()),
        on("outline", "polygonlabels", {"points": points, "closed": True, "polygonlabels": ["Roof"]}, region="roof"),
        on("outline", "polygonlabels", {"points": points[:2], "closed": False, "polygonlabels": ["Path"]}),
        on("point", "keypointlabels", {"x": 48.75, "y": 33.5, "width": 0.75, "keypointlabels": ["Eye"]}),
        on("line", "vectorlabels", {"vertices": line, "closed": False, "vectorlabels": ["Edge"]}),
        on("brush", "brushlabels", {"format": "rle", "rle": brush.mask2rle(grass), "brushlabels": ["Grass"]}),
        on("bitmask", "bitmasklabels", {"imageDataURL": data_url(shade), "bitmasklabels": ["Shadow"]}),
        {"type": "relation", "from_id": "animal", "to_id": "roof", "direction": "right", "labels": ["next to"]},
    ]
    return [
        *result,
        item("content", "image", "taxonomy", {"taxonomy": [["Nature", "Animals", "Cat"], ["Architecture"]]}),
        item("season", "image", "choices", {"choices": ["Summer"]}),
        item("sharpness", "image", "rating", {"rating": 4}),
        item("animals", "image", "number", {"number": 2}),
        item("taken", "image", "datetime", {"datetime": "2021-06-30"}),
        item("caption", "image", "textarea", {"text": ["ein Tier 🐾", "二つ目"]}),
    ]


def face() -> dict[str, Any]:
    return {"ellipselabels": ["Face"]}


def data_url(mask: np.ndarray) -> str:
    picture = np.zeros((*mask.shape, 4), np.uint8)
    picture[mask] = 255
    buffer = io.BytesIO()
    Image.fromarray(picture, "RGBA").save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def changed_image(first: Result) -> Result:
    """A box is moved, the ellipse is gone, a point is new, the season is another."""
    result = json.loads(json.dumps([it for it in first if it["type"] != "ellipselabels"]))
    for it in result:
        if it.get("id") == "animal":
            it["value"]["x"] = 31.0
        if it.get("from_name") == "season":
            it["value"]["choices"] = ["Winter"]
    point = next(it for it in result if it["type"] == "keypointlabels")
    return [*result, {**point, "id": "newpoint", "value": {**point["value"], "x": 1.5, "keypointlabels": ["Corner"]}}]


# ---- videos


def videos() -> None:
    """Slow pans over photographs, 160 x 120, three seconds, H.264."""
    given = {}
    for name in ("raccoon", "moose", "stairs"):
        photo = Image.open(PHOTOS / f"{name}.jpg").convert("RGB").resize((240, 180))
        with av.open(str(folder("videos") / f"{name}.mp4"), "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("libx264", rate=FPS, options={"crf": "30", "preset": "veryslow"})
            stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
            for number in range(FRAMES):
                left, top = round(80 * number / FRAMES), round(60 * number / FRAMES)
                frame = av.VideoFrame.from_image(photo.crop((left, top, left + 160, top + 120)))
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        first = video_labels()
        changed = json.loads(json.dumps(first[:-1]))
        changed[0]["value"]["sequence"][1]["x"] = 33.25
        changed.append(item("motion", "video", "choices", {"choices": ["Fast"]}))
        given[f"{name}.mp4"] = {"first": first, "changed": changed}
    save("videos", given)


def keyframe(frame: int, x: float, *, enabled: bool = True) -> dict[str, Any]:
    place = {"x": x, "y": 20.5, "width": 30, "height": 40, "rotation": 0}
    return {"frame": frame, "enabled": enabled, "time": frame / FPS, **place}


def video_labels() -> Result:
    frames = [keyframe(1, 40), keyframe(10, 25.5), keyframe(15, 20, enabled=False), keyframe(20, 10)]
    track = {"framesCount": FRAMES, "duration": FRAMES / FPS, "sequence": frames, "labels": ["Animal"]}
    return [
        item("track", "video", "videorectangle", track, region="animal"),
        item("event", "video", "timelinelabels", {"ranges": [{"start": 1, "end": 24}], "timelinelabels": ["Pan"]}),
        item("event", "video", "timelinelabels", {"ranges": [{"start": 30, "end": 30}], "timelinelabels": ["Still"]}),
        item("summary", "video", "textarea", {"text": ["the camera moves → right"]}),
        item("motion", "video", "choices", {"choices": ["Slow"]}),
    ]


# ---- sounds


def pluck(frequency: float, seconds: float) -> np.ndarray:
    """A plucked string after Karplus and Strong (Computer Music Journal 7/2, 1983)."""
    length = round(RATE / frequency)
    ring = np.random.default_rng(7).uniform(-1, 1, length)
    sound = np.empty(round(RATE * seconds))
    for position in range(len(sound)):
        sound[position] = ring[position % length]
        ring[position % length] = 0.498 * (ring[position % length] + ring[(position + 1) % length])
    return sound


def sounds() -> None:
    given = {}
    for name, codec, notes in (
        ("arpeggio.mp3", "libmp3lame", (220, 277.18, 329.63)),
        ("fifth.ogg", "libopus", (196, 293.66)),
        ("single.wav", "pcm_s16le", (146.83,)),
    ):
        sound = np.concatenate([pluck(note, 0.6) for note in notes] + [np.zeros(RATE // 5)])
        stereo = name.endswith("mp3")
        write_sound(folder("sounds") / name, sound, codec, stereo=stereo)
        first = sound_labels(len(sound) / RATE, channel=1 if stereo else 0)
        changed = json.loads(json.dumps(first))
        changed[0]["value"]["end"] = changed[1]["value"]["end"] = changed[2]["value"]["end"] = 0.512345
        changed[-1]["value"]["number"] = len(notes)
        given[name] = {"first": first, "changed": changed}
    save("sounds", given)


def write_sound(path: Path, sound: np.ndarray, codec: str, *, stereo: bool) -> None:
    samples = (sound / np.abs(sound).max() * 20_000).astype(np.int16)
    frames = np.repeat(samples, 2)[None, :] if stereo else samples[None, :]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout="stereo" if stereo else "mono")
        if codec != "pcm_s16le":
            stream.bit_rate = 24_000
        frame = av.AudioFrame.from_ndarray(frames, format="s16", layout="stereo" if stereo else "mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def sound_labels(length_s: float, *, channel: int) -> Result:
    note = {"start": 0.0125, "end": 0.58, "channel": channel}
    rest = {"start": length_s - 0.2, "end": length_s, "channel": 0, "labels": ["Silence"]}
    length = {"original_length": length_s}
    return [
        item("sound", "audio", "labels", {**note, "labels": ["Note"]}, region="note", **length),
        item("heard", "audio", "textarea", {**note, "text": ["pling"]}, region="note", **length),
        item("loudness", "audio", "rating", {**note, "rating": 3}, region="note", **length),
        item("sound", "audio", "labels", rest, **length),
        item("instrument", "audio", "choices", {"choices": ["String"]}),
        item("notes", "audio", "number", {"number": 1}),
    ]


# ---- texts, dialogs, pages, documents


TEXTS = {
    "walk.txt": (
        "On Sunday 🌞 Ada walked to Łódź, slowly.\nShe came home at dusk.\n",
        "Ada took the train.",
        ("Ada", "Łódź"),
    ),
    "boat.txt": ("Kenji 👩‍🚀 went to 京都 by boat; it took all day.\n", "Kenji stayed at home.", ("Kenji", "京都")),
    "rain.txt": ("Rain again. 🌧🌧 Noor read in Haifa until midnight.\n", "Noor slept.", ("Noor", "Haifa")),
}


def utf16(text: str) -> int:
    """How many units the browser counts."""
    return len(text.encode("utf-16-le")) // 2


def span(text: str, quote: str, label: str, region: str) -> dict[str, Any]:
    before, _, _ = text.partition(quote)
    place = {"start": utf16(before), "end": utf16(before + quote), "text": quote}
    return item("entity", "text", "labels", {**place, "labels": [label]}, region=region)


def texts() -> None:
    """With a manifest, because the comparison needs a second text."""
    given = {}
    rows = []
    for name, (text, other, (person, place)) in TEXTS.items():
        (folder("texts") / name).write_text(text, encoding="utf-8")
        rows.append((name, other))
        first = [
            span(text, person, "Person", "who"),
            span(text, place, "Place", "where"),
            {"type": "relation", "from_id": "who", "to_id": "where", "direction": "right", "labels": ["went to"]},
            {
                "id": "pair",
                "from_name": "better",
                "to_name": "text,other",
                "type": "pairwise",
                "value": {"selected": "left"},
            },
            item("genre", "text", "taxonomy", {"taxonomy": [["Prose", "Diary"]]}),
            item("mood", "text", "choices", {"choices": ["Calm", "Glad"]}),
            item("written", "text", "datetime", {"datetime": "2024-02-29"}),
            item("summary", "text", "textarea", {"text": [f"{person} and {place}"]}),
        ]
        changed = json.loads(json.dumps([it for it in first if it.get("from_name") != "mood"]))
        changed[0]["value"]["labels"] = ["Time"]
        changed[3]["value"]["selected"] = "right"
        given[name] = {"first": first, "changed": changed}
    with (folder("texts") / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "other"), *rows])
    save("texts", given)


def dialogs() -> None:
    given = {}
    for name, lines in {
        "printer.json": [("Mia", "Does the printer work? 🖨"), ("Tom", "Since noon, yes."), ("Mia", "Thanks!")],
        "train.json": [("Lin", "When does it leave?"), ("Desk", "At 9:40, platform 3.")],
    }.items():
        turns = [{"author": author, "text": text} for author, text in lines]
        (folder("dialogs") / name).write_text(json.dumps(turns, ensure_ascii=False, indent=1), encoding="utf-8")
        first = [turn(0, lines[0][1], "Question"), turn(1, lines[1][1], "Answer")]
        first.append(item("solved", "dialog", "choices", {"choices": ["Yes"]}))
        changed = json.loads(json.dumps(first[:2]))
        changed[1]["value"]["endOffset"] = 5
        changed[1]["value"]["text"] = lines[1][1][:5]
        given[name] = {"first": first, "changed": changed}
    save("dialogs", given)


def turn(number: int, text: str, label: str) -> dict[str, Any]:
    value = {"start": str(number), "end": str(number), "startOffset": 0, "endOffset": utf16(text), "text": text}
    return item("act", "dialog", "paragraphlabels", {**value, "paragraphlabels": [label]})


def pages() -> None:
    given = {}
    for name, heading, price in (("tomatoes.html", "Tomatoes 🍅", "3.20 €"), ("pans.html", "Iron pans", "24 €")):
        page = f"<html><body><h1>{heading}</h1><p>Now for <b>{price}</b> only.</p></body></html>\n"
        (folder("pages") / name).write_text(page, encoding="utf-8")
        whole = f"{heading}Now for {price} only."
        start = utf16(whole.partition(price)[0])
        first = [
            hypertext("/h1[1]/text()[1]", (0, utf16(heading)), 0, heading, "Heading"),
            hypertext("/p[1]/b[1]/text()[1]", (0, utf16(price)), start, price, "Price"),
            item("topic", "page", "choices", {"choices": ["Garden"]}),
        ]
        changed = [*json.loads(json.dumps(first[1:2])), item("topic", "page", "choices", {"choices": ["Kitchen"]})]
        given[name] = {"first": first, "changed": changed}
    save("pages", given)


def hypertext(path: str, offsets: tuple[int, int], start: int, text: str, label: str) -> dict[str, Any]:
    place = {"start": path, "end": path, "startOffset": offsets[0], "endOffset": offsets[1]}
    whole = {"globalOffsets": {"start": start, "end": start + utf16(text)}, "text": text}
    return item("part", "page", "hypertextlabels", {**place, **whole, "hypertextlabels": [label]})


def documents() -> None:
    given = {}
    for name, line in (
        ("invoice.pdf", "Invoice 17: two chairs, 80 EUR"),
        ("letter.pdf", "Dear Ada, see you on Sunday."),
    ):
        (folder("documents") / name).write_bytes(pdf(line))
        first = [
            item("kind", "pdf", "choices", {"choices": ["Invoice"]}),
            item("legible", "pdf", "rating", {"rating": 5}),
            item("sender", "pdf", "textarea", {"text": ["Möbel & Söhne"]}),
        ]
        changed = [{**first[0], "value": {"choices": ["Letter"]}}, first[1]]
        given[name] = {"first": first, "changed": changed}
    save("documents", given)


def pdf(line: str) -> bytes:
    """One page with one line."""
    drawn = f"BT /F1 18 Tf 40 150 Td ({line}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 200] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    text = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(text))
        text += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return text + head + table + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(text)


# ---- series


def series() -> None:
    """Twenty readings a second of a pendulum that comes to rest."""
    given = {}
    for name, damping in (("weak.csv", 0.15), ("strong.csv", 0.8)):
        begin = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)
        with (folder("series") / name).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(("time", "angle", "speed"))
            for step in range(200):
                time_s = step / 20
                angle = 30 * math.exp(-damping * time_s) * math.cos(3 * time_s)
                speed = -30 * math.exp(-damping * time_s) * (damping * math.cos(3 * time_s) + 3 * math.sin(3 * time_s))
                moment = begin + timedelta(seconds=time_s)
                table.writerow((round(moment.timestamp() * 1000), f"{angle:.4f}", f"{speed:.4f}"))
        zero = round(begin.timestamp() * 1000)
        first = [
            event(zero, zero, "Start", instant=True),
            event(zero + 250, zero + 6000.5, "Swing"),
            item("damping", "series", "choices", {"choices": ["Weak"]}),
        ]
        changed = [
            first[0],
            {**first[1], "value": {**first[1]["value"], "end": zero + 5000}},
            event(zero + 8000, zero + 9950, "Rest"),
        ]
        given[name] = {"first": first, "changed": changed}
    save("series", given)


def event(start: float, end: float, label: str, *, instant: bool = False) -> dict[str, Any]:
    value = {"start": start, "end": end, "instant": instant, "timeserieslabels": [label]}
    return item("state", "series", "timeserieslabels", value)


if __name__ == "__main__":
    main()
