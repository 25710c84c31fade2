"""EfficientNet-Lite2 and ConSE in NumPy, in double precision, sharing nothing with the graph.

Batch norm is applied as such and not folded, the layout is written out as the paper's table and
not read from the weights, and ConSE is computed step by step as it is described.
"""

import numpy

# Stages of EfficientNet-Lite2: blocks, kernel, stride of the first block, output width.
LAYOUT = [(1, 3, 1, 16), (3, 3, 2, 24), (3, 5, 2, 48), (4, 3, 2, 88), (4, 5, 1, 120),
          (5, 5, 2, 208), (1, 3, 1, 352)]


def relu6(x):
    return numpy.minimum(numpy.maximum(x, 0), 6)


def windows(x, kernel, stride):
    """Every tap of a "SAME" convolution over x [batch, height, width, channels].

    Gives, for each place (i, j) of the kernel, the slice of the padded input that it meets.
    """
    out = [-(-extent // stride) for extent in x.shape[1:3]]
    pads = [max((count - 1) * stride + kernel - extent, 0)
            for count, extent in zip(out, x.shape[1:3])]
    x = numpy.pad(x, [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads), (0, 0)])
    for i in range(kernel):
        for j in range(kernel):
            yield i, j, x[:, i:i + (out[0] - 1) * stride + 1:stride,
                          j:j + (out[1] - 1) * stride + 1:stride]


class EfficientNetLite2:
    def __init__(self, tensors):
        self._weights = {name: array.astype(numpy.float64) for name, array in tensors.items()}

    def _norm(self, x, layer):
        mean, variance = (self._weights[f"{layer}.running_{part}"] for part in ("mean", "var"))
        x = (x - mean) / numpy.sqrt(variance + 0.001)
        return x * self._weights[f"{layer}.weight"] + self._weights[f"{layer}.bias"]

    def _full(self, x, layer, stride=1):
        kernel = self._weights[f"{layer}.weight"]
        return sum(part @ kernel[:, :, i, j].T
                   for i, j, part in windows(x, kernel.shape[2], stride))

    def _depthwise(self, x, layer, size, stride):
        kernel = self._weights[f"{layer}.weight"]
        assert kernel.shape == (x.shape[3], 1, size, size), layer
        return sum(part * kernel[:, 0, i, j] for i, j, part in windows(x, size, stride))

    def _block(self, x, index, size, stride, width):
        name, start = f"_blocks.{index}", x
        if index > 0:  # the very first block has an expansion of one, which is none
            x = relu6(self._norm(self._full(x, f"{name}._expand_conv"), f"{name}._bn0"))
        x = self._depthwise(x, f"{name}._depthwise_conv", size, stride)
        x = relu6(self._norm(x, f"{name}._bn1"))
        x = self._norm(self._full(x, f"{name}._project_conv"), f"{name}._bn2")
        assert x.shape[3] == width, name
        return x + start if x.shape == start.shape else x

    def logits(self, pixels):
        """Scores of the classes for pixels [batch, 3, 260, 260]."""
        x = pixels.astype(numpy.float64).transpose(0, 2, 3, 1)
        x = relu6(self._norm(self._full(x, "_conv_stem", 2), "_bn0"))
        index = 0
        for blocks, size, stride, width in LAYOUT:
            for block in range(blocks):
                x = self._block(x, index, size, 1 if block else stride, width)
                index += 1
        x = relu6(self._norm(self._full(x, "_conv_head"), "_bn1")).mean((1, 2))
        return x @ self._weights["_fc.weight"].T + self._weights["_fc.bias"]


def conse(logits, class_vectors):
    """Softmax, square root, the best 50, renormalised, times the class vectors, L2."""
    shares = numpy.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    shares **= 0.5
    for row in shares:
        row[numpy.argsort(-row, kind="stable")[50:]] = 0
    shares /= shares.sum(1, keepdims=True)
    vectors = shares @ class_vectors
    return vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)
