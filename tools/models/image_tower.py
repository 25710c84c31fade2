"""The image tower: EfficientNet-Lite2's classifier, then ConSE, as one ONNX graph."""

import math

import numpy

from graph import FLOAT, Graph

SIZE = 260
BATCH_NORM_EPSILON = 1e-3
TOP = 50
POWER = 0.5

# The stages of the B0 layout that "Lite" keeps: blocks and stride. Kernels and widths are read
# from the weights. Lite2 multiplies the depth by 1.2, except in the first and the last stage.
_STAGES = [(1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)]
_DEPTH = 1.2


def strides():
    """The stride of every block, in order."""
    result = []
    for index, (blocks, stride) in enumerate(_STAGES):
        inner = 0 < index < len(_STAGES) - 1
        count = math.ceil(blocks * _DEPTH) if inner else blocks
        result += [stride] + [1] * (count - 1)
    return result


def same_padding(extent, kernel, stride):
    """TensorFlow's "SAME": the odd pixel goes to the far side. Gives (before, after, result)."""
    result = math.ceil(extent / stride)
    total = max((result - 1) * stride + kernel - extent, 0)
    return total // 2, total - total // 2, result


class _Tower:
    def __init__(self, weights):
        self._weights = weights
        self._graph = Graph("efficientnet_lite2_conse")
        self._extent = SIZE

    def _convolution(self, value, layer, norm, stride=1, depthwise=False, clip=True):
        """Convolution with its batch norm folded in, then ReLU6 unless it is a projection."""
        kernel = self._weights[f"{layer}.weight"].astype(numpy.float64)
        scale, shift, mean, variance = (
            self._weights[f"{norm}.{part}"].astype(numpy.float64)
            for part in ("weight", "bias", "running_mean", "running_var"))
        scale = scale / numpy.sqrt(variance + BATCH_NORM_EPSILON)
        kernel = kernel * scale[:, None, None, None]
        bias = shift - mean * scale

        width = kernel.shape[-1]
        before, after, self._extent = same_padding(self._extent, width, stride)
        graph = self._graph
        value = graph.node(
            "Conv", value,
            graph.constant(kernel.astype(numpy.float32), f"{layer}.weight"),
            graph.constant(bias.astype(numpy.float32), f"{layer}.bias"),
            kernel_shape=[width, width], strides=[stride, stride],
            pads=[before, before, after, after], group=len(kernel) if depthwise else 1)
        if clip:
            value = graph.node("Clip", value, graph.scalar(0.0), graph.scalar(6.0))
        return value

    def _block(self, value, index, stride):
        name = f"_blocks.{index}"
        start = value
        leaving, entering = self._weights[f"{name}._project_conv.weight"].shape[:2]
        expand = self._weights.get(f"{name}._expand_conv.weight")
        if expand is not None:
            entering = expand.shape[1]
            value = self._convolution(value, f"{name}._expand_conv", f"{name}._bn0")
        value = self._convolution(value, f"{name}._depthwise_conv", f"{name}._bn1", stride,
                                  depthwise=True)
        value = self._convolution(value, f"{name}._project_conv", f"{name}._bn2", clip=False)
        if stride == 1 and entering == leaving:
            value = self._graph.node("Add", value, start)
        return value

    def write(self, path, classes):
        graph = self._graph
        value = self._convolution("pixel_values", "_conv_stem", "_bn0", stride=2)
        for index, stride in enumerate(strides()):
            value = self._block(value, index, stride)
        value = self._convolution(value, "_conv_head", "_bn1")
        value = graph.node("Flatten", graph.node("GlobalAveragePool", value), axis=1)
        # The power of a softmax is, up to a factor for the whole row, the softmax of the scaled
        # logits; the row's factor (and so the renormalisation) falls out of the L2 norm below.
        # Scaling the classifier's weights is exact, as the power is a half.
        value = graph.node(
            "Gemm", value,
            graph.constant(self._weights["_fc.weight"] * numpy.float32(POWER), "_fc.weight"),
            graph.constant(self._weights["_fc.bias"] * numpy.float32(POWER), "_fc.bias"), transB=1)
        value = graph.node("Softmax", value, axis=1)
        best, _ = graph.node("TopK", value, graph.numbers(TOP), outputs=2, axis=1)
        least = graph.node("Slice", best, graph.numbers(TOP - 1), graph.numbers(TOP),
                           graph.numbers(1))
        nothing = graph.scalar(0.0)
        value = graph.node("Where", graph.node("Less", value, least), nothing, value)
        value = graph.node("MatMul", value, graph.constant(classes, "class_embeddings"))
        graph.l2_normalised(value, "image_embeds")
        graph.save(path, [("pixel_values", FLOAT, ["batch", 3, SIZE, SIZE])],
                   [("image_embeds", FLOAT, ["batch", classes.shape[1]])])


def write(path, weights, classes):
    """Writes the tower; `classes` is the matrix of the classes' text vectors, one row each."""
    _Tower(weights).write(path, classes)
