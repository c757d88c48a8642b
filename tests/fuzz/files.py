"""Files: tables as text, archives of arrays, folders of images."""

import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

import jaxhpo as jh
from tests.fuzz.data import arrays
from tests.fuzz.values import NAMES, one_in, seldom

CELLS = st.one_of(
    st.integers(-5, 99).map(str),
    st.floats(allow_nan=True).map(str),
    st.sampled_from(
        [
            "",
            "NA",
            "1,5",
            "1.234,5",
            "$3",
            "5 %",
            "2024-01-31",
            "31/12/99",
            "true",
            "a",
            "b",
            "é",
            '"',
            "9" * 400,
            "\x1b[0m",
            "\x00",
            "1e400",
            "-",
            "0x1F",
        ]
    ),
)


@st.composite
def csv_texts(draw: Callable[..., Any]) -> str:
    """Draw the text of a table: mostly regular, of columns that have a kind each."""
    columns, rows = draw(st.integers(0, 4)), draw(seldom(st.sampled_from([0, 1, 2]), st.sampled_from([12, 30])))
    kinds = ["label", "number"] + [
        draw(st.sampled_from(["index", "number", "label", "word", "any", "same"])) for _ in range(columns)
    ]
    noise = np.random.default_rng(draw(st.integers(0, 2**31)))
    make = {
        "index": lambda i: str(i),
        "number": lambda i: f"{noise.normal():.3f}",
        "label": lambda i: str(i % 2),
        "word": lambda i: ["red", "blue", "green"][noise.integers(3)],
        "any": lambda i: draw(CELLS),
        "same": lambda i: "1",
    }
    separator, end = (
        draw(seldom(st.sampled_from([";", "\t"]), st.just(","))),
        draw(st.sampled_from(["\n", "\r\n", "\r"])),
    )
    header = [f"{draw(NAMES)}{k}" if k else "y" for k in range(len(kinds))]
    lines = [header] * (not draw(one_in(8))) + [[make[kind](i) for kind in kinds] for i in range(rows)]
    text = end.join(separator.join(line) for line in lines) + end
    return draw(st.sampled_from(["", "\ufeff", "\n"])) + text


def run_csv(drawn: tuple[str, str, dict[str, Any]]) -> None:
    text, suffix, options = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{suffix}"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        assert repr(jh.data.load(path, **options))


@st.composite
def archives(draw: Callable[..., Any]) -> bytes:
    """Draw the bytes of an archive: whole, with a header that lies, cut, or altered."""
    stream = io.BytesIO()
    rows = draw(st.sampled_from([0, 1, 12, 12]))
    good, alter = draw(st.booleans()), draw(st.booleans())
    with zipfile.ZipFile(stream, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as file:
        for name in draw(st.sampled_from([("x", "y"), ("x", "y"), ("x_train", "y_train", "x_test", "y_test"), ("a",)])):
            array = draw(arrays(rows, labels=name.startswith("y")).filter(lambda array: array.dtype.kind != "O"))
            if good:
                array = np.arange(40) % 2 if name.startswith("y") else np.arange(80.0).reshape(40, 2)
            member = io.BytesIO()
            if draw(one_in(6)):
                shape = tuple(draw(st.lists(st.sampled_from([-1, 0, 1, 3, 10**6, 10**12, 10**30]), max_size=3)))
                header = {"descr": draw(st.sampled_from(["<f4", "|O", "<U999999999", "|V3"])), "fortran_order": False}
                np.lib.format.write_array_header_1_0(member, header | {"shape": shape})
                member.write(bytes(draw(st.integers(0, 100))))
            else:
                np.save(member, array, allow_pickle=False)
            file.writestr(f"{name}.npy", member.getvalue())
    content = bytearray(stream.getvalue())
    if alter and content:
        for _ in range(draw(st.integers(1, 4))):
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(seldom(st.sampled_from([30, -1]), st.none()))])


def run_npz(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        path.write_bytes(content)
        assert repr(jh.data.load(path))


@st.composite
def pictures(draw: Callable[..., Any]) -> list[bytes]:
    """Draw the contents of pictures: whole, altered, cut, or of another format."""
    from PIL import Image

    found = []
    for i in range(draw(st.sampled_from([1, 12, 12]))):
        size = draw(seldom(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.just((8, 8)), 30))
        stream = io.BytesIO()
        picture = Image.new(draw(seldom(st.sampled_from(["RGB", "1", "LA", "I;16"]), st.just("L"), 30)), size, i)
        picture.save(stream, draw(seldom(st.just("TIFF"), st.just("PNG"), 60)))
        content = bytearray(stream.getvalue())
        if draw(one_in(20)):
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
        found.append(bytes(content[: draw(seldom(st.integers(0, 60), st.none(), 60))]))
    return found


def run_images(drawn: tuple[list[bytes], tuple[int, int] | None]) -> None:
    contents, size = drawn
    with tempfile.TemporaryDirectory() as folder:
        for i, content in enumerate(contents):
            path = Path(folder) / "ab"[i % 2] / f"{i}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        assert repr(jh.data.load(folder, image_size=size))
