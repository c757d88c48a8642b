"""Folders of images, with one folder per class."""

import math
import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from jaxhpo.data.arrays import assemble
from jaxhpo.data.dataset import Dataset
from jaxhpo.data.paths import existing, refuse_unreadable, stem_of
from jaxhpo.data.splits import rare_notes, three_way, two_way
from jaxhpo.errors import first_line
from jaxhpo.machine.bounds import check_memory

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Splits by the names of their folders, in lower case."""

_LARGEST = 10_000  # pixels of a side
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")  # of these suffixes; PIL would open dozens of others
_GREY = ("1", "L", "LA", "La")
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # modes that PIL clips when it converts them to bytes


class _Found(NamedTuple):
    """The images of a split.

    Attributes:
        files: Paths of the images.
        labels: Labels: [N] int32.
        classes: Names of the classes.
    """

    files: list[Path]
    labels: np.ndarray
    classes: tuple[str, ...]


def from_folder(
    path: str | os.PathLike, image_size: tuple[int, int] | None = None, *, name: str | None = None, seed: int = 0
) -> Dataset:
    """Return the Dataset of a folder of images, `path/CLASS/*.png` (or jpg, jpeg, bmp, gif, webp), split 60/20/20.

    The folder may instead hold `path/train/CLASS/` (or `training`) and `path/test/CLASS/` (or `testing`), and also
    `path/valid/CLASS/` (or `val`, `validation`, `dev`), in small or capital letters; without the last a fifth of the
    training images is held out. Images become [H, W, C] uint8, with one channel if all
    are grey, else three; transparency is dropped. Hidden files and files that are not images are ignored.

    Args:
        path: Path of the folder.
        image_size: (height, width) in pixels that every image is resized to, bilinearly; None requires images of one
            size.
        name: Name of the data set; None is the folder's name.
        seed: Random seed of the split.

    Raises:
        ValueError: if a file or folder is invalid; the message names it and what is wrong.
    """
    size = _check_size(image_size)
    root = existing(path, "folder")
    if not root.is_dir():
        raise ValueError(f"folder {str(path)!r} is a file; give the folder of the classes' folders")
    splits = _find(root)
    height, width, channels = _agree([file for found in splits.values() for file in found.files], size)
    images = {split: _read(found.files, (height, width, channels)) for split, found in splits.items()}
    names, what = next(iter(splits.values())).classes, f"folder {str(path)!r}"
    split = "given" if "valid" in splits else "made"
    if "whole" in splits:
        x, y = images["whole"], splits["whole"].labels
        parts = [(x[rows], y[rows]) for rows in three_way(y, seed, names=names, what=what)]
        notes = rare_notes(y, 3, names)
    else:
        notes = ()
        pairs = {split: (images[split], found.labels) for split, found in splits.items()}
        if "valid" not in pairs:
            x, y = pairs["train"]
            notes = rare_notes(y, 2, names)
            rows, held = two_way(y, seed, names=names, what=str(root / "train"))
            pairs |= {"train": (x[rows], y[rows]), "valid": (x[held], y[held])}
        parts = [pairs[split] for split in ("train", "valid", "test")]
    return assemble(stem_of(root) if name is None else name, parts, split=split, names=names, notes=notes)


def _check_size(size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    whole = isinstance(size, tuple | list) and all(type(n) is int and n >= 1 for n in size)
    if not whole or len(size) != 2:
        raise ValueError(f"image_size={size!r} must be (height, width), two integers of at least 1")
    if max(size) > _LARGEST:
        raise ValueError(f"image_size={size!r} must be (height, width), at most {_LARGEST:,} each")
    return size[0], size[1]


def _find(root: Path) -> dict[str, _Found]:
    """Return the images by split, "train", "valid" if it exists, and "test"; or as one split "whole"."""
    folders = _folders(root)
    parts: dict[str, Path] = {}
    for folder in folders:
        if (split := _SPLITS.get(folder.name.lower())) is None:
            continue
        if split in parts:
            raise ValueError(f"folder {str(root)!r} has both {parts[split].name}/ and {folder.name}/; leave one out")
        parts[split] = folder
    if not {"train", "test"} & set(parts):
        return {"whole": _find_classes(root)}
    for needed in ("train", "test"):
        if needed not in parts:
            there = parts["test" if needed == "train" else "train"].name
            remedy = "give both, or neither"
            if needed == "test" and "valid" in parts:
                name = parts["valid"].name
                remedy = f"rename {name}/ to test/: a fifth of the training images is then held out for validation"
            raise ValueError(f"folder {str(root)!r} has {there}/ but no {needed}/; {remedy}")
    if more := [folder for folder in folders if folder not in parts.values()]:
        beside = f"{parts['train'].name}/ and {parts['test'].name}/"
        raise ValueError(f"folder {str(root)!r} has {more[0].name}/ beside {beside}; move it away")
    splits = {split: _find_classes(folder) for split, folder in parts.items()}
    train = splits["train"].classes
    for split, found in splits.items():
        if odd := sorted(set(train) ^ set(found.classes)):
            here, there = ("train", split) if odd[0] in train else (split, "train")
            raise ValueError(f"folder {str(root)!r} has the class {odd[0]!r} in {here}/ but not in {there}/")
    return {split: splits[split] for split in ("train", "valid", "test") if split in splits}


def _find_classes(root: Path) -> _Found:
    folders = _folders(root)
    if len(folders) < 2:
        there = f"the single class {folders[0].name!r}" if folders else "no folder of a class"
        raise ValueError(f"folder {str(root)!r} holds {there}; give a folder for each of two classes or more")
    files: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        if inner := _folders(folder):
            raise ValueError(f"folder {str(folder)!r} holds the folder {inner[0].name!r}; put images straight into it")
        images = [file for file in _entries(folder) if file.suffix.lower() in _SUFFIXES]
        if not images:
            kinds = ", ".join(suffix[1:] for suffix in _SUFFIXES)
            raise ValueError(f"folder {str(folder)!r} holds no image ({kinds}); fill or delete it")
        files += images
        labels += [label] * len(images)
    return _Found(files, np.array(labels, np.int32), tuple(folder.name for folder in folders))


def _folders(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if entry.is_dir()]


def _entries(folder: Path) -> list[Path]:
    """Return the entries of a folder that are not hidden, sorted by name."""
    try:
        return sorted((entry for entry in folder.iterdir() if not entry.name.startswith(".")), key=lambda p: p.name)
    except OSError as error:
        refuse_unreadable(folder, error, "folder")


def _agree(files: list[Path], size: tuple[int, int] | None) -> tuple[int, int, int]:
    """Return the common shape of all images, (height, width, channels), from their headers."""
    channels, first = 1, None
    for file in files:
        mode, found = _header(file)
        if mode in _DEEP:
            raise ValueError(f"image {str(file)!r} has more than 8 bits a channel (mode {mode}); save it with 8")
        channels = channels if mode in _GREY else 3
        if size is None and first is not None and found != first:
            here, there = (f"{h}x{w}" for h, w in (first, found))
            remedy = "give image_size=(height, width) to resize them"
            raise ValueError(f"image {str(files[0])!r} is {here} and {str(file)!r} is {there}; {remedy}")
        first = first or found
    assert first is not None  # no class is empty
    return *(size or first), channels


def _header(file: Path) -> tuple[str, tuple[int, int]]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unusual metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # 90 million pixels
            with Image.open(file, formats=_FORMATS) as image:
                return image.mode, (image.height, image.width)
    except Exception as error:  # damaged files raise many types
        _refuse(file, error)


def _read(files: list[Path], shape: tuple[int, int, int]) -> np.ndarray:
    """Return images as [N, H, W, C] uint8."""
    from PIL import Image

    height, width, channels = shape
    what = f"{len(files):,} images of {height}x{width}x{channels}"
    check_memory(what, len(files) * math.prod(shape), "give a smaller image_size=(height, width)")
    images = np.empty((len(files), *shape), np.uint8)
    for row, file in zip(images, files, strict=True):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(file, formats=_FORMATS) as image:
                    converted = image.convert("L" if channels == 1 else "RGB")
        except Exception as error:
            _refuse(file, error)
        if converted.size != (width, height):
            converted = converted.resize((width, height), Image.Resampling.BILINEAR)
        row[:] = np.asarray(converted).reshape(shape)
    return images


def _refuse(file: Path, error: Exception) -> NoReturn:
    # PIL's message for a file that is not an image only repeats the path.
    unknown = type(error).__name__ == "UnidentifiedImageError"
    reason = f"it is no image ({', '.join(_FORMATS)})" if unknown else first_line(error)
    raise ValueError(f"image {str(file)!r} cannot be read: {reason}; mend or delete it") from error
