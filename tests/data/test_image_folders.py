"""Folders of images: small ones of a known colour, and what is refused, with its place."""

import numpy as np
import pytest
from PIL import Image

from jaxhpo.data import TextOptions, from_folder, load


def write(path, array, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(array, np.uint8))
    (image if mode is None else image.convert(mode)).save(path)


def grey(value, height=4, width=3):
    return np.full((height, width), value)


def fill(root, classes=("cat", "dog"), count=5, start=0):
    """Write `count` grey images a class; pixels number the images, even for the first class."""
    for k, name in enumerate(classes):
        for i in range(count):
            write(root / name / f"{i}.png", grey(start + 2 * i + k))
    return root


@pytest.fixture
def pets(tmp_path):
    return fill(tmp_path / "pets")


def pixels(x):
    return x[:, 0, 0, 0].tolist()


def test_a_folder_by_hand(pets):
    d = load(str(pets))
    assert (d.name, d.kind, d.shape, d.classes) == ("pets", "image", (4, 3, 1), 2)
    assert d.class_names == ("cat", "dog")
    assert d.x_train.dtype == np.uint8
    assert [len(y) for y in (d.y_train, d.y_valid, d.y_test)] == [6, 2, 2]
    parts = ((d.x_train, d.y_train), (d.x_valid, d.y_valid), (d.x_test, d.y_test))
    assert sorted(pixels(np.concatenate([x for x, _ in parts]))) == list(range(10))
    for x, y in parts:
        np.testing.assert_array_equal([p % 2 for p in pixels(x)], y)
    np.testing.assert_array_equal(load(pets).x_test, d.x_test)
    assert from_folder(pets, name="mine").name == "mine"


def test_a_split_that_is_there(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "test", count=2, start=100)
    d = load(tmp_path)
    assert sorted(pixels(d.x_test)) == [100, 101, 102, 103]
    assert sorted(pixels(d.x_train) + pixels(d.x_valid)) == list(range(10))
    assert np.bincount(d.y_valid).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("train", "valid", "test"),
    [
        ("train", "valid", "test"),
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("TRAIN", "validation", "Test"),
    ],
)
def test_all_splits_are_there(tmp_path, train, valid, test):
    for split, start in ((train, 0), (valid, 50), (test, 100)):
        fill(tmp_path / split, count=2, start=start)
    d = load(tmp_path)
    assert [sorted(pixels(x))[0] for x in (d.x_train, d.x_valid, d.x_test)] == [0, 50, 100]
    assert len(d.y_train) == 4


def test_colours_and_other_kinds_of_files(pets):
    write(pets / "cat" / "red.PNG", np.broadcast_to([255, 0, 7], (4, 3, 3)))
    write(pets / "cat" / "clear.png", np.broadcast_to([9, 8, 7, 0], (4, 3, 4)))
    for suffix in ("bmp", "gif", "webp", "jpg", "jpeg"):
        write(pets / "dog" / f"more.{suffix}", grey(255))
    (pets / "cat" / "notes.txt").write_text("no image")
    (pets / "cat" / ".hidden.png").write_text("no image")
    (pets / ".cache").mkdir()
    (pets / "labels.txt").write_text("")
    d = load(pets)
    assert d.shape == (4, 3, 3)
    rows = np.concatenate([d.x_train, d.x_valid, d.x_test])
    assert len(rows) == 17
    found = {tuple(row[0, 0].tolist()) for row in rows}
    assert {(255, 0, 7), (9, 8, 7), (3, 3, 3)} <= found  # transparency dropped, grey repeated


def test_grey_with_transparency_is_grey(tmp_path):
    for name in ("a", "b"):
        for i in range(5):
            write(tmp_path / name / f"{i}.png", grey(i), "LA")
    assert load(tmp_path).shape == (4, 3, 1)


def test_images_of_several_sizes(pets):
    write(pets / "dog" / "wide.png", grey(3, 4, 9))
    with pytest.raises(ValueError) as error:
        load(pets)
    found = str(error.value)
    assert f"image '{pets}/cat/0.png' is 4x3 and '{pets}/dog/wide.png' is 4x9; give image_size=(height, width)" in found
    d = from_folder(pets, image_size=(2, 6))
    assert d.shape == (2, 6, 1)
    assert set(pixels(np.concatenate([d.x_train, d.x_valid, d.x_test]))) == set(range(10))  # flat images stay flat


def test_resizing_is_bilinear(tmp_path):
    for name in ("a", "b"):
        for i in range(5):
            write(tmp_path / name / f"{i}.png", [[0, 100]] * 2)
    row = from_folder(tmp_path, (2, 4)).x_train[0, 0, :, 0]
    np.testing.assert_array_equal(row, [0, 25, 75, 100])


def nothing(pets):
    pass


def empty(pets):
    (pets / "fish").mkdir()


def single(pets):
    (pets / "cat").rename(pets.parent / "elsewhere")


def damaged(pets):
    (pets / "cat" / "1.png").write_bytes((pets / "cat" / "1.png").read_bytes()[:-30])


def no_image(pets):
    (pets / "cat" / "1.png").write_text("not an image")


def deep(pets):
    Image.fromarray(np.zeros((4, 3), np.uint16)).save(pets / "cat" / "deep.png")


def nested(pets):
    fill(pets / "cat", ["siamese"])


def few(pets):
    for i in range(3):
        (pets / "dog" / f"{i}.png").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (empty, "pets/fish' holds no image (png, jpg, jpeg, bmp, gif, webp); fill or delete it"),
        (single, "pets' holds the single class 'dog'; give a folder for each of two classes or more"),
        (damaged, "pets/cat/1.png' cannot be read: "),
        (no_image, "pets/cat/1.png' cannot be read: it is no image (PNG, JPEG, BMP, GIF, WEBP); mend"),
        (deep, "pets/cat/deep.png' has more than 8 bits a channel"),
        (nested, "pets/cat' holds the folder 'siamese'; put images straight into it"),
        (few, "pets': only class 'cat' has 3 examples or more; a split in three needs two such classes"),
    ],
)
def test_bad_folders(pets, spoil, message):
    spoil(pets)
    with pytest.raises(ValueError) as error:
        load(pets)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": ("a", "b")}, "has train/ but no test/; give both, or neither"),
        ({"test": ("a", "b")}, "has test/ but no train/"),
        ({"train": ("a", "b"), "test": ("a", "c")}, "has the class 'b' in train/ but not in test/"),
        ({"train": ("a", "b"), "test": ("a", "b", "c")}, "has the class 'c' in test/ but not in train/"),
        ({"train": ("a", "b"), "test": ("a", "b"), "val": ("b", "c")}, "has the class 'a' in train/ but not in valid/"),
        ({"train": ("a", "b"), "test": ("a", "b"), "more": ("a", "b")}, "has more/ beside train/ and test/"),
        ({"Train": ("a", "b"), "TEST": ("a", "b"), "x": ("a",)}, "has x/ beside Train/ and TEST/; move it away"),
        ({"train": ("a", "b"), "Training": ("a", "b")}, "has both Training/ and train/; leave one out"),
        (
            {"train": ("a", "b"), "val": ("a", "b")},
            "has train/ but no test/; rename val/ to test/: a fifth of the training images is then held out fo",
        ),
        (dict.fromkeys(("train", "test", "val", "valid"), ("a", "b")), "has both val/ and valid/; leave one out"),
        ({"train": ("a", "b"), "test": ("a",)}, "test' holds the single class 'a'"),
        ({}, "holds no folder of a class"),
    ],
)
def test_bad_splits(tmp_path, splits, message):
    for split, classes in splits.items():
        fill(tmp_path / split, classes, 1)
    with pytest.raises(ValueError) as error:
        load(tmp_path)
    assert message in str(error.value)


@pytest.mark.parametrize("size", [8, (8,), (8, 0), (8.0, 8), "88", (True, 8)])
def test_bad_sizes(pets, size):
    with pytest.raises(ValueError, match=r"image_size=.* must be \(height, width\), two integers of at least 1"):
        from_folder(pets, size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "y"}, "target='y' names a column of a table"),
        ({"task": "regression"}, "task='regression' is for arrays and tables"),
        ({"text": TextOptions()}, "is for texts, and 'pets' holds image data"),
    ],
)
def test_options_that_make_no_sense(pets, options, message):
    with pytest.raises(ValueError) as error:
        load(pets, **options)
    assert message in str(error.value)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"folder '.*file' is a file; give the folder of the classes' folders"):
        from_folder(tmp_path / "file")
