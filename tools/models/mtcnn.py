"""MTCNN's three nets as ONNX graphs (Zhang et al. 2016: joint detection and alignment of faces).

Input: f32 [batch, 3, height, width], (u8 - 127.5)/128. Output, for each place or picture: the
probability of a face; what to add to the box's left, top, right and bottom edge, in widths and
heights of it; from the last net also the x of five points, then their y, in the same measure: left
eye, right eye, nose, left and right corner of the mouth, as they lie in the picture.
"""

import numpy

from graph import FLOAT, Graph


class _Net:
    def __init__(self, name, arrays):
        self._arrays = list(arrays)
        self.graph = Graph(name)
        self.value = "pixel_values"
        self._count = 0

    def _next(self, order=None):
        self._count += 1
        array = self._arrays.pop(0)
        if order is not None:
            array = array.transpose(order)
        return self.graph.constant(numpy.ascontiguousarray(array), f"weight_{self._count}")

    def convolution(self, value=None):
        """Nothing padded, in steps of one; as the layer's kernel says."""
        height, width = self._arrays[0].shape[:2]
        kernel, bias = self._next((3, 2, 0, 1)), self._next()
        return self.graph.node("Conv", value or self.value, kernel, bias,
                               kernel_shape=[height, width])

    def activated(self, value):
        """PReLU, one slope for each channel."""
        slope = self._arrays.pop(0).reshape(-1)
        shape = (-1, 1, 1) if self._kind == "map" else (-1,)
        self._count += 1
        slope = self.graph.constant(slope.reshape(shape), f"weight_{self._count}")
        self.value = self.graph.node("PRelu", value, slope)

    _kind = "map"

    def pool(self, width, pads=None):
        """In steps of two. `pads` None: as many windows as begin in the picture, which may be of
        any size."""
        if pads is None:
            self.value = self.graph.node("MaxPool", self.value, kernel_shape=[width, width],
                                         strides=[2, 2], auto_pad="SAME_UPPER")
        else:
            before, after = pads
            self.value = self.graph.node("MaxPool", self.value, kernel_shape=[width, width],
                                         strides=[2, 2], pads=[before, before, after, after])

    def flatten(self):
        """Column after column, each pixel's channels together: what the weights were trained on."""
        value = self.graph.node("Transpose", self.value, perm=[0, 3, 2, 1])
        self.value = self.graph.node("Flatten", value, axis=1)
        self._kind = "row"

    def dense(self, value=None):
        kernel = self._next()
        value = self.graph.node("MatMul", value or self.value, kernel)
        return self.graph.node("Add", value, self._next())

    def face_alone(self, logits):
        """The second of two classes, of their softmax."""
        shares = self.graph.node("Softmax", logits, axis=1)
        return self.graph.node("Slice", shares, self.graph.numbers(1), self.graph.numbers(2),
                               self.graph.numbers(1))

    def save(self, path, parts, inputs, outputs):
        assert not self._arrays, "weights are left over"
        self.graph.node("Concat", *parts, axis=1, name="faces")
        self.graph.save(path, [("pixel_values", FLOAT, ["batch", 3, *inputs])],
                        [("faces", FLOAT, ["batch", *outputs])])


def write_proposals(path, arrays):
    """The first net: pictures of any size from 12 pixels on, a face of 12 at each second pixel."""
    net = _Net("mtcnn_proposals", arrays)
    net.activated(net.convolution())
    net.pool(2)
    net.activated(net.convolution())
    net.activated(net.convolution())
    offsets = net.convolution()
    score = net.face_alone(net.convolution())
    net.save(path, [score, offsets], ["height", "width"], [5, "rows", "columns"])


def write_refinement(path, arrays):
    """The second: 24×24 pixels, is it a face, and where."""
    net = _Net("mtcnn_refinement", arrays)
    net.activated(net.convolution())
    net.pool(3, (0, 1))
    net.activated(net.convolution())
    net.pool(3, (0, 0))
    net.activated(net.convolution())
    net.flatten()
    net.activated(net.dense())
    offsets = net.dense()
    score = net.face_alone(net.dense())
    net.save(path, [score, offsets], [24, 24], [5])


def write_output(path, arrays):
    """The third: 48×48 pixels, the same and five points."""
    net = _Net("mtcnn_output", arrays)
    net.activated(net.convolution())
    net.pool(3, (0, 1))
    net.activated(net.convolution())
    net.pool(3, (0, 0))
    net.activated(net.convolution())
    net.pool(2, (0, 0))
    net.activated(net.convolution())
    net.flatten()
    net.activated(net.dense())
    offsets = net.dense()
    points = net.dense()
    score = net.face_alone(net.dense())
    net.save(path, [score, offsets, points], [48, 48], [15])
