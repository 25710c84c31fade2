"""What needs NumPy: the readers of weights, the paddings, the two networks in NumPy.

NumPy is taken from the cache or from this Python. Where neither has it these tests are skipped;
`python3 tools/models/packages.py numpy` puts it into the cache.
"""

import collections
import io
import json
import math
import os
import pathlib
import pickle
import struct
import sys
import tempfile
import types
import unittest
import unittest.mock

import packages

try:
    packages.if_kept(["numpy"])
    import numpy

    import numpy_efficientnet
    import numpy_minilm
    import weights
except ImportError as error:
    raise unittest.SkipTest(f"{error}; `python3 tools/models/packages.py numpy` gets it") from None

from common import Fail


class _Storage(collections.namedtuple("Storage", "key kind array")):
    """Stands for a PyTorch storage while a file is written."""


def _rebuild_tensor_v2():
    """Only its name is written into the file."""


class _Tensor:
    def __init__(self, storage, offset, shape, strides):
        self._state = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self._state


class _Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, _Storage):
            kind = getattr(sys.modules["torch"], value.kind)
            return "storage", kind, value.key, "cpu", len(value.array), None
        return None


def _modules():
    """As much of PyTorch as its names take."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    # The pickler looks a function up by these two before it writes its name.
    _rebuild_tensor_v2.__module__ = "torch._utils"
    torch._utils = utils
    return {"torch": torch, "torch._utils": utils}


def write_pth(path, storages, table, magic=weights._MAGIC):
    with open(path, "wb") as file, unittest.mock.patch.dict(sys.modules, _modules()):
        for value in (magic, 1001, {"little_endian": True}, table,
                      [storage.key for storage in storages]):
            _Pickler(file, 2).dump(value)
        for storage in storages:
            file.write(struct.pack("<q", len(storage.array)) + storage.array.tobytes())


class Pth(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "weights.pth"
        self.floats = _Storage("1", "FloatStorage", numpy.arange(12, dtype="<f4"))
        self.longs = _Storage("2", "LongStorage", numpy.array([7, 8], "<i8"))

    def test_tensors_come_back_with_their_shapes_offsets_and_strides(self):
        write_pth(self.path, [self.floats, self.longs], collections.OrderedDict(
            whole=_Tensor(self.floats, 0, (3, 4), (4, 1)),
            turned=_Tensor(self.floats, 0, (4, 3), (1, 4)),
            part=_Tensor(self.floats, 5, (2,), (1,)),
            count=_Tensor(self.longs, 1, (), ())))
        tensors = weights.read_pth(self.path)
        whole = numpy.arange(12, dtype="f4").reshape(3, 4)
        numpy.testing.assert_array_equal(tensors["whole"], whole)
        numpy.testing.assert_array_equal(tensors["turned"], whole.T)
        numpy.testing.assert_array_equal(tensors["part"], [5, 6])
        self.assertEqual(tensors["count"], 8)

    def test_a_name_that_no_table_needs_is_refused_before_it_is_called(self):
        class Harm:
            def __reduce__(self):
                return os.mkdir, (str(pathlib.Path(self.target)),)

        harm = Harm()
        harm.target = self.path.parent / "harm"
        write_pth(self.path, [], {"harm": harm})
        with self.assertRaisesRegex(Fail, r"(?s)wants (posix|nt)\.mkdir.*refused.*mend: "):
            weights.read_pth(self.path)
        self.assertFalse(harm.target.exists())

    def test_other_names_of_the_same_modules_are_refused(self):
        for module, name in (("torch", "HalfStorage"), ("collections", "Counter"),
                             ("torch._utils", "eval"), ("builtins", "getattr")):
            file = io.BytesIO(f"c{module}\n{name}\n.".encode())
            with self.assertRaisesRegex(Fail, f"wants {module}.{name}"):
                weights._Restricted(file, {}).load()

    def test_another_file_is_refused(self):
        write_pth(self.path, [], {}, magic=1)
        with self.assertRaisesRegex(Fail, "(?s)is not a PyTorch file.*mend: "):
            weights.read_pth(self.path)

    def test_a_file_cut_short_is_refused(self):
        write_pth(self.path, [self.floats],
                  collections.OrderedDict(whole=_Tensor(self.floats, 0, (12,), (1,))))
        self.path.write_bytes(self.path.read_bytes()[:-1])
        with self.assertRaisesRegex(Fail, "(?s)is cut short.*mend: "):
            weights.read_pth(self.path)


class Safetensors(unittest.TestCase):
    def test_tensors_come_back(self):
        values, ids = numpy.arange(6, dtype="<f4"), numpy.array([1, -2], "<i8")
        header = json.dumps({
            "__metadata__": {"format": "pt"},
            "ids": {"dtype": "I64", "shape": [2], "data_offsets": [24, 40]},
            "values": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "tiny.safetensors"
            path.write_bytes(struct.pack("<Q", len(header)) + header
                             + values.tobytes() + ids.tobytes())
            tensors = weights.read_safetensors(path)
        self.assertEqual(set(tensors), {"ids", "values"})
        numpy.testing.assert_array_equal(tensors["values"], values.reshape(2, 3))
        numpy.testing.assert_array_equal(tensors["ids"], ids)


class Networks(unittest.TestCase):
    def test_erf_is_the_standard_library_s(self):
        points = numpy.linspace(-7, 7, 2001)
        exact = numpy.array([math.erf(point) for point in points])
        self.assertLess(abs(numpy_minilm.erf(points) - exact).max(), 1e-14)

    def test_a_same_convolution_keeps_or_halves_the_extent(self):
        x = numpy.arange(5 * 5, dtype=float).reshape(1, 5, 5, 1)
        taps = {(i, j): part for i, j, part in numpy_efficientnet.windows(x, 3, 1)}
        numpy.testing.assert_array_equal(taps[1, 1], x)
        self.assertEqual(taps[0, 0][0, 0, 0, 0], 0)  # the corner meets the padding
        self.assertEqual(taps[2, 2][0, 0, 0, 0], x[0, 1, 1, 0])
        for _, _, part in numpy_efficientnet.windows(x, 3, 2):
            self.assertEqual(part.shape, (1, 3, 3, 1))

    def test_an_even_extent_is_padded_on_the_far_side_alone(self):
        x = numpy.ones((1, 4, 4, 1))
        taps = {(i, j): part for i, j, part in numpy_efficientnet.windows(x, 3, 2)}
        self.assertEqual(taps[0, 0].min(), 1)
        self.assertEqual(taps[2, 2][0, 1, 1, 0], 0)

    def test_conse_is_the_weighted_mean_of_the_best_classes(self):
        vectors = numpy.eye(60)
        logits = numpy.log(numpy.arange(1, 61, dtype=float))[None]
        vector, = numpy_efficientnet.conse(logits, vectors)
        wanted = numpy.sqrt(numpy.arange(1, 61))
        wanted[:10] = 0  # all but the best fifty
        numpy.testing.assert_allclose(vector, wanted / numpy.linalg.norm(wanted), atol=1e-12)


if __name__ == "__main__":
    unittest.main()
