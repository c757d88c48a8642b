"""Arrays on disk: whole or not at all, and no damage goes unnoticed."""

import numpy as np
import pytest

from jaxhpo.data.named import store

ARRAYS = {
    "x": np.arange(6000 * 4).reshape(6000, 2, 2, 1).astype(np.uint8),
    "y": np.arange(6000, dtype=np.int32) % 10,
    "empty": np.zeros((0, 3), np.float32),
}


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / "cache" / "arrays"
    store.save(directory, ARRAYS)
    return directory


def test_arrays_come_back_memory_mapped(directory):
    arrays = store.load(directory)
    assert arrays is not None
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert isinstance(arrays["x"], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        arrays["x"][0] = 1
    assert [path.name for path in directory.parent.iterdir()] == ["arrays"]


def test_nothing_is_there(tmp_path):
    assert store.load(tmp_path / "nowhere") is None


def files(directory):
    return sorted(path for path in directory.iterdir())


def test_no_flipped_bit_goes_unnoticed(directory):
    for path in files(directory):
        whole = path.read_bytes()
        for at in [*range(min(200, len(whole))), *range(200, len(whole), 997), len(whole) - 1]:
            damaged = bytearray(whole)
            damaged[at] ^= 1 << at % 8
            path.write_bytes(damaged)
            arrays = store.load(directory)  # never raises
            assert arrays is None or all(np.array_equal(arrays.get(name, 0), ARRAYS[name]) for name in ARRAYS)
        path.write_bytes(whole)
    assert store.load(directory) is not None


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
def test_a_cut_file_is_no_array(directory, keep):
    for path in files(directory):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(keep * len(whole))])
        assert store.load(directory) is None
        path.write_bytes(whole)


def test_a_missing_file_is_no_array(directory):
    (directory / "y.npy").unlink()
    assert store.load(directory) is None


def test_a_damaged_header_cannot_shorten_an_array(directory):
    path = directory / "x.npy"
    whole = path.read_bytes()
    assert whole.count(b"(6000,") == 1
    path.write_bytes(whole.replace(b"(6000,", b"(2000,"))
    assert store.load(directory) is None


def test_what_is_there_is_replaced_whole(directory):
    (directory / "stray").write_text("")
    store.save(directory, {"z": ARRAYS["y"]})
    arrays = store.load(directory)
    assert arrays is not None
    assert list(arrays) == ["z"]
    assert [path.name for path in files(directory)] == ["checksums.json", "z.npy"]
    assert len(list(directory.parent.iterdir())) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_write_leaves_what_was_there(directory, monkeypatch, error):
    calls, save = [], np.save

    def interrupt(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise error
        save(*arguments, **options)

    monkeypatch.setattr(np, "save", interrupt)
    with pytest.raises(type(error) if isinstance(error, OSError) else error):
        store.save(directory, {"a": ARRAYS["x"], "b": ARRAYS["y"]})
    assert [path.name for path in directory.parent.iterdir()] == ["arrays"]
    arrays = store.load(directory)
    assert arrays is not None
    assert list(arrays) == list(ARRAYS)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        store.save(tmp_path / "file" / "arrays", ARRAYS)
