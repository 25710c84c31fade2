"""What needs `onnx`: the layout of the image tower and the bytes of a graph.

`python3 tools/models/packages.py numpy onnx protobuf ml_dtypes typing_extensions` gets it.
"""

import pathlib
import tempfile
import unittest

import packages

try:
    packages.if_kept(["numpy", "onnx", "protobuf", "ml_dtypes", "typing_extensions"])
    import numpy

    import graph
    import image_tower
    import numpy_efficientnet
except ImportError as error:
    raise unittest.SkipTest(
        f"{error}; `python3 tools/models/packages.py numpy onnx protobuf ml_dtypes "
        "typing_extensions` gets it") from None


class Layout(unittest.TestCase):
    def test_strides_are_those_of_the_table(self):
        # The graph derives its blocks from B0 and a factor; the check writes them out.
        table = [stride if block == 0 else 1
                 for blocks, _, stride, _ in numpy_efficientnet.LAYOUT for block in range(blocks)]
        self.assertEqual(image_tower.strides(), table)

    def test_same_padding_puts_the_odd_pixel_on_the_far_side(self):
        self.assertEqual(image_tower.same_padding(260, 3, 2), (0, 1, 130))
        self.assertEqual(image_tower.same_padding(65, 3, 2), (1, 1, 33))
        self.assertEqual(image_tower.same_padding(33, 5, 2), (2, 2, 17))
        self.assertEqual(image_tower.same_padding(17, 5, 1), (2, 2, 17))


class Bytes(unittest.TestCase):
    def write(self, path):
        made = graph.Graph("tiny")
        value = made.node("MatMul", "x", made.constant(numpy.eye(2, dtype="f4"), "eye"))
        made.l2_normalised(value, "y")
        made.save(path, [("x", graph.FLOAT, ["batch", 2])], [("y", graph.FLOAT, ["batch", 2])])

    def test_the_same_graph_is_the_same_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            one, two = pathlib.Path(folder) / "one", pathlib.Path(folder) / "two"
            self.write(one)
            self.write(two)
            self.assertEqual(one.read_bytes(), two.read_bytes())

    def test_a_constant_of_one_name_is_stored_once(self):
        made = graph.Graph("tiny")
        self.assertEqual(made.scalar(2.0), made.scalar(2.0))
        self.assertNotEqual(made.scalar(2.0), made.scalar(3.0))
        self.assertEqual(made.numbers(1, 2), made.numbers(1, 2))


if __name__ == "__main__":
    unittest.main()
