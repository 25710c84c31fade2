"""Inception-ResNet-v1 in NumPy, in double precision, sharing nothing with the graph.

The layout is written out from the paper (Szegedy et al. 2016, its figures of the stem, the blocks
and the reductions) in FaceNet's variant, and not read from the file; batch norm is applied as such.
"""

import numpy


def relu(x):
    return numpy.maximum(x, 0)


def taps(x, height, width, stride, same):
    """Each place of a kernel, with the part of x [batch, height, width, channels] that it meets."""
    if same:  # all of these have odd kernels and a stride of one
        x = numpy.pad(x, [(0, 0), (height // 2, height // 2), (width // 2, width // 2), (0, 0)])
    rows = (x.shape[1] - height) // stride + 1
    columns = (x.shape[2] - width) // stride + 1
    for i in range(height):
        for j in range(width):
            yield i, j, x[:, i:i + stride * (rows - 1) + 1:stride,
                          j:j + stride * (columns - 1) + 1:stride]


def max_pool(x):
    """3×3, in steps of two, nothing padded."""
    result = None
    for _, _, part in taps(x, 3, 3, 2, False):
        result = part if result is None else numpy.maximum(result, part)
    return result


class FaceNet:
    """`tensors`: those of `weights.read_keras`."""

    def __init__(self, tensors):
        self._tensors = {layer: {name: array.astype(numpy.float64) for name, array in one.items()}
                         for layer, one in tensors.items()}

    def _convolve(self, x, name, stride=1, same=True):
        kernel = self._tensors[name]["kernel"]
        x = sum(part @ kernel[i, j]
                for i, j, part in taps(x, *kernel.shape[:2], stride, same))
        return x + self._tensors[name].get("bias", 0)

    def _norm(self, x, name):
        parts = self._tensors[f"{name}_BatchNorm"]
        return (x - parts["moving_mean"]) / numpy.sqrt(
            parts["moving_variance"] + 0.001) + parts["beta"]

    def _unit(self, x, name, stride=1, same=True):
        return relu(self._norm(self._convolve(x, name, stride, same), name))

    def _block(self, x, name, scale, branches, last=False):
        mixed = []
        for index, branch in enumerate(branches):
            part = x
            for unit in branch:
                part = self._unit(part, f"{name}_Branch_{index}_Conv2d_{unit}")
            mixed.append(part)
        up = self._convolve(numpy.concatenate(mixed, 3), f"{name}_Conv2d_1x1")
        return x + scale * up if last else relu(x + scale * up)

    def vectors(self, pixels):
        """Unit vectors of pixels [batch, 3, 160, 160]."""
        x = pixels.astype(numpy.float64).transpose(0, 2, 3, 1)
        x = self._unit(x, "Conv2d_1a_3x3", 2, False)
        x = self._unit(x, "Conv2d_2a_3x3", 1, False)
        x = max_pool(self._unit(x, "Conv2d_2b_3x3"))
        x = self._unit(x, "Conv2d_3b_1x1", 1, False)
        x = self._unit(x, "Conv2d_4a_3x3", 1, False)
        x = self._unit(x, "Conv2d_4b_3x3", 2, False)
        assert x.shape[1:] == (17, 17, 256), x.shape
        for index in range(1, 6):
            x = self._block(x, f"Block35_{index}", 0.17,
                            [["1x1"], ["0a_1x1", "0b_3x3"], ["0a_1x1", "0b_3x3", "0c_3x3"]])
        branch = self._unit(x, "Mixed_6a_Branch_1_Conv2d_0a_1x1")
        branch = self._unit(branch, "Mixed_6a_Branch_1_Conv2d_0b_3x3")
        x = numpy.concatenate([
            self._unit(x, "Mixed_6a_Branch_0_Conv2d_1a_3x3", 2, False),
            self._unit(branch, "Mixed_6a_Branch_1_Conv2d_1a_3x3", 2, False),
            max_pool(x)], 3)
        assert x.shape[1:] == (8, 8, 896), x.shape
        for index in range(1, 11):
            x = self._block(x, f"Block17_{index}", 0.1,
                            [["1x1"], ["0a_1x1", "0b_1x7", "0c_7x1"]])
        first = self._unit(x, "Mixed_7a_Branch_0_Conv2d_0a_1x1")
        second = self._unit(x, "Mixed_7a_Branch_1_Conv2d_0a_1x1")
        third = self._unit(x, "Mixed_7a_Branch_2_Conv2d_0a_1x1")
        third = self._unit(third, "Mixed_7a_Branch_2_Conv2d_0b_3x3")
        x = numpy.concatenate([
            self._unit(first, "Mixed_7a_Branch_0_Conv2d_1a_3x3", 2, False),
            self._unit(second, "Mixed_7a_Branch_1_Conv2d_1a_3x3", 2, False),
            self._unit(third, "Mixed_7a_Branch_2_Conv2d_1a_3x3", 2, False),
            max_pool(x)], 3)
        assert x.shape[1:] == (3, 3, 1792), x.shape
        for index in range(1, 7):
            x = self._block(x, f"Block8_{index}", 0.2 if index < 6 else 1.0,
                            [["1x1"], ["0a_1x1", "0b_1x3", "0c_3x1"]], last=index == 6)
        x = self._norm(x.mean((1, 2)) @ self._tensors["Bottleneck"]["kernel"], "Bottleneck")
        return x / numpy.linalg.norm(x, axis=1, keepdims=True)
