"""What needs `onnx`: the graphs of faces against NumPy's networks, run by ONNX's own evaluator, and
the readers of their weights.

`python3 tools/models/packages.py numpy onnx protobuf ml_dtypes typing_extensions` gets it.
"""

import io
import pathlib
import pickle
import sys
import tempfile
import types
import unittest
import unittest.mock

import packages

try:
    packages.if_kept(packages.GRAPHS)
    import numpy
    import onnx.reference

    import inception_resnet
    import mtcnn
    import numpy_mtcnn
    import weights
except ImportError as error:
    raise unittest.SkipTest(
        f"{error}; `python3 tools/models/packages.py {' '.join(packages.GRAPHS)}` gets it"
    ) from None

from common import Fail
from figures import accepted



def run(write, pixels):
    """What a graph gives for pixels; `write(path)` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "net.onnx"
        write(path)
        return onnx.reference.ReferenceEvaluator(str(path)).run(None, {"pixel_values": pixels})[0]


class Nets(unittest.TestCase):
    """With few channels and random weights, as the Rust tests have them."""

    @staticmethod
    def arrays(net):
        shapes = {
            "p": [(3, 3, 3, 2), (3, 3, 2, 3), (3, 3, 3, 4), (1, 1, 4, 4), (1, 1, 4, 2)],
            "r": [(3, 3, 3, 2), (3, 3, 2, 3), (2, 2, 3, 4), (36, 5), (5, 4), (5, 2)],
            "o": [(3, 3, 3, 2), (3, 3, 2, 2), (3, 3, 2, 3), (2, 2, 3, 4), (36, 5), (5, 4), (5, 10),
                  (5, 2)],
        }[net]
        random = numpy.random.default_rng([7, *net.encode()])
        result = []
        for shape in shapes:
            result += [random.standard_normal(shape), random.standard_normal(shape[-1:])]
            # The last layers have no slope after them.
            if shape[-1] != 10 and shape not in [(1, 1, 4, 4), (1, 1, 4, 2), (5, 4), (5, 2)]:
                result.append(random.standard_normal(shape[-1:]))
        return [(0.3 * array).astype("f4") for array in result]

    @staticmethod
    def pixels(count, height, width):
        return numpy.random.default_rng(3).uniform(-1, 1, (count, 3, height, width)).astype("f4")

    def test_proposals_of_pictures_of_any_size(self):
        arrays = self.arrays("p")
        nets = numpy_mtcnn.Nets(arrays, None, None)
        for height, width in (12, 12), (13, 12), (20, 31):
            pixels = self.pixels(1, height, width)
            got = run(lambda path: mtcnn.write_proposals(path, arrays), pixels)[0]
            offsets, scores = nets.proposals(pixels[0].transpose(1, 2, 0))
            numpy.testing.assert_allclose(got[0], scores, atol=1e-5)
            numpy.testing.assert_allclose(got[1:], offsets.transpose(2, 0, 1), atol=1e-4)

    def test_refinement_and_output(self):
        refinement, output = self.arrays("r"), self.arrays("o")
        nets = numpy_mtcnn.Nets(None, refinement, output)
        pixels = self.pixels(2, 24, 24)
        got = run(lambda path: mtcnn.write_refinement(path, refinement), pixels)
        offsets, scores = nets.refinement(pixels.transpose(0, 2, 3, 1))
        numpy.testing.assert_allclose(got, numpy.column_stack([scores, offsets]), atol=1e-4)
        self.assertTrue(((0.01 < scores) & (scores < 0.99)).all())
        pixels = self.pixels(2, 48, 48)
        got = run(lambda path: mtcnn.write_output(path, output), pixels)
        offsets, points, scores = nets.output(pixels.transpose(0, 2, 3, 1))
        wanted = numpy.column_stack([scores, offsets, points])
        numpy.testing.assert_allclose(got, wanted, atol=1e-4)


class Network(unittest.TestCase):
    """Of each kind of layer that FaceNet's description has, one or two."""

    def test_a_small_network_of_the_same_layers(self):
        def layer(kind, name, *inputs, **config):
            nodes = [[[one, 0, 0, {}] for one in inputs]] if inputs else []
            return {"class_name": kind, "name": name, "config": {"name": name, **config},
                    "inbound_nodes": nodes}

        norm = {"epsilon": 0.001, "scale": False}
        layers = [
            layer("InputLayer", "in"),
            layer("Conv2D", "one", "in", kernel_size=[3, 3], strides=[8, 8], padding="valid"),
            layer("BatchNormalization", "one_norm", "one", **norm),
            layer("Activation", "active", "one_norm", activation="relu"),
            layer("MaxPooling2D", "pool", "active", pool_size=[3, 3], strides=[2, 2],
                  padding="valid"),
            layer("Conv2D", "wide", "pool", kernel_size=[1, 7], strides=[1, 1], padding="same"),
            layer("Concatenate", "both", "wide", "pool"),
            layer("Conv2D", "up", "both", kernel_size=[1, 1], strides=[1, 1], padding="same"),
            layer("Lambda", "sum", "pool", "up", arguments={"scale": 0.17}),
            layer("GlobalAveragePooling2D", "mean", "sum"),
            layer("Dropout", "drop", "mean"),
            layer("Dense", "dense", "drop"),
            layer("BatchNormalization", "dense_norm", "dense", **norm),
        ]
        random = numpy.random.default_rng(11)

        def draw(*shape):
            return random.standard_normal(shape).astype("f4")

        def norms(width):
            return {"beta": draw(width), "moving_mean": draw(width),
                    "moving_variance": abs(draw(width)) + numpy.float32(0.5)}

        tensors = {
            "one": {"kernel": draw(3, 3, 3, 4)}, "one_norm": norms(4),
            "wide": {"kernel": draw(1, 7, 4, 2), "bias": draw(2)},
            "up": {"kernel": draw(1, 1, 6, 4), "bias": draw(4)},
            "dense": {"kernel": draw(4, 128)}, "dense_norm": norms(128),
        }
        pixels = random.uniform(-1, 1, (1, 3, 160, 160)).astype("f4")
        got = run(lambda path: inception_resnet.write(path, layers, tensors), pixels)

        def normed(x, name):
            parts = tensors[name]
            return ((x - parts["moving_mean"]) / numpy.sqrt(parts["moving_variance"] + 0.001)
                    + parts["beta"])

        x = pixels[0].transpose(1, 2, 0).astype(float)
        one = sum(x[i:i + 153:8, j:j + 153:8] @ tensors["one"]["kernel"][i, j]
                  for i in range(3) for j in range(3))
        one = numpy.maximum(normed(one, "one_norm"), 0)
        pool = numpy.max([one[i:i + 17:2, j:j + 17:2] for i in range(3) for j in range(3)], 0)
        padded = numpy.pad(pool, [(0, 0), (3, 3), (0, 0)])
        wide = tensors["wide"]["bias"] + sum(
            padded[:, j:j + 9] @ tensors["wide"]["kernel"][0, j] for j in range(7))
        both = numpy.concatenate([wide, pool], 2)
        total = pool + 0.17 * (both @ tensors["up"]["kernel"][0, 0] + tensors["up"]["bias"])
        vector = normed(total.mean((0, 1)) @ tensors["dense"]["kernel"], "dense_norm")
        numpy.testing.assert_allclose(got[0], vector / numpy.linalg.norm(vector), atol=1e-5)


class Steps(unittest.TestCase):
    def test_area_takes_parts_of_pixels_as_parts(self):
        row = numpy.array([0.0, 30, 60])[None, :, None] * [1, 1, 1]
        numpy.testing.assert_allclose(numpy_mtcnn.area(row, 1, 2)[0, :, 0], [10, 50])

    def test_patches_reach_from_edge_to_edge(self):
        picture = numpy.mgrid[0:11, 0:11].transpose(1, 2, 0) @ [[1.0, 0, 0], [0, 1, 0]]
        patch = numpy_mtcnn.patches(picture, numpy.array([[0, 0, 5.5, 11]]), 3)[0]
        numpy.testing.assert_allclose(patch[0, :, 1], [0, 2.5, 5])
        numpy.testing.assert_allclose(patch[:, 0, 0], [0, 5, 10])

    def test_covered_boxes_go_and_equals_have_an_order(self):
        boxes = numpy.array([[0, 0, 10, 10, 0.5], [50, 0, 60, 10, 0.9], [1, 0, 11, 10, 0.5],
                             [30, 0, 40, 10, 0.9]])
        kept = numpy_mtcnn.suppress(boxes, 0.5)
        self.assertEqual(kept[:, 0].tolist(), [30, 50, 0])

    def test_accepts_at_a_share_of_false_ones(self):
        different = [n / 100 for n in range(1, 101)]
        self.assertEqual(accepted([0.005, 0.015, 0.5, 0.02], different, 0.01), 0.5)


class Joblib(unittest.TestCase):
    def test_other_names_than_a_list_of_arrays_needs_are_refused(self):
        for payload in (pickle.dumps(print), pickle.dumps(pathlib.PurePath("x"))):
            with self.assertRaisesRegex(Fail, "refused"):
                weights._Arrays(io.BytesIO(payload)).load()

    def test_bytes_of_arrays_follow_the_opcode_that_fills_their_note(self):
        wanted = numpy.arange(6, dtype="<f4").reshape(2, 3)

        class NumpyArrayWrapper:
            pass

        NumpyArrayWrapper.__module__ = "joblib.numpy_pickle"
        NumpyArrayWrapper.__qualname__ = "NumpyArrayWrapper"
        module = types.ModuleType("joblib.numpy_pickle")
        module.NumpyArrayWrapper = NumpyArrayWrapper
        note = NumpyArrayWrapper()
        note.shape, note.order, note.dtype = (2, 3), "C", numpy.dtype("<f4")
        names = {"joblib": types.ModuleType("joblib"), "joblib.numpy_pickle": module}
        with unittest.mock.patch.dict(sys.modules, names):
            # Without a frame, and ended before the opcode that ends it.
            data = pickle.dumps(note, protocol=3)[:-1]
        data += b"\x02\xff\xff" + wanted.tobytes() + pickle.STOP
        numpy.testing.assert_array_equal(weights._Arrays(io.BytesIO(data)).load(), wanted)
        with self.assertRaisesRegex(Fail, "cut short"):
            weights._Arrays(io.BytesIO(data[:-9])).load()


if __name__ == "__main__":
    unittest.main()
