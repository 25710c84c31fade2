"""FaceNet's network, Inception-ResNet-v1, as one ONNX graph: from its own description in Keras.

The description is a list of layers with their inputs. Batch norm is folded into the convolution
before it.
"""

import numpy

from common import Fail
from graph import FLOAT, Graph
from image_tower import same_padding

SIZE = 160
DIMENSIONS = 128


class _Tower:
    def __init__(self, layers, tensors):
        self._layers = layers
        self._tensors = tensors
        self._graph = Graph("inception_resnet_v1")
        self._values = {}
        self._extents = {}
        # A convolution, or the dense layer, waits for the batch norm that follows.
        self._norms = {self._inputs(layer)[0]: layer for layer in layers
                       if layer["class_name"] == "BatchNormalization"}

    @staticmethod
    def _inputs(layer):
        return [node[0] for node in layer["inbound_nodes"][0]] if layer["inbound_nodes"] else []

    def _folded(self, name):
        """Kernel and bias of a layer, with the batch norm that follows it if one does."""
        kernel = self._tensors[name]["kernel"].astype(numpy.float64)
        bias = self._tensors[name].get("bias", numpy.zeros(kernel.shape[-1])).astype(numpy.float64)
        norm = self._norms.get(name)
        if norm is not None:
            config, parts = norm["config"], self._tensors[norm["name"]]
            scale = 1 / numpy.sqrt(parts["moving_variance"].astype(numpy.float64)
                                   + config["epsilon"])
            if config["scale"]:
                scale = scale * parts["gamma"]
            kernel = kernel * scale
            bias = (bias - parts["moving_mean"]) * scale + parts["beta"]
        return kernel.astype(numpy.float32), bias.astype(numpy.float32)

    def _pads(self, config, window, extent):
        """ONNX's pads and the extent of the result, for a square input."""
        pads, extents = [], []
        for width, stride in zip(window, config["strides"]):
            if config["padding"] == "same":
                before, after, result = same_padding(extent, width, stride)
            else:
                before, after, result = 0, 0, (extent - width) // stride + 1
            pads.append((before, after))
            extents.append(result)
        if extents[0] != extents[1]:
            raise Fail(f"{config['name']} makes {extents}, and all of this network is square\n"
                       "  mend: use the package version that the recipe pins")
        return [pad[0] for pad in pads] + [pad[1] for pad in pads], extents[0]

    def _conv2d(self, name, config, value, extent):
        pads, extent = self._pads(config, config["kernel_size"], extent)
        kernel, bias = self._folded(name)
        graph = self._graph
        value = graph.node(
            "Conv", value, graph.constant(kernel.transpose(3, 2, 0, 1), f"{name}.kernel"),
            graph.constant(bias, f"{name}.bias"), kernel_shape=config["kernel_size"],
            strides=config["strides"], pads=pads)
        return value, extent

    def _maxpooling2d(self, _name, config, value, extent):
        pads, extent = self._pads(config, config["pool_size"], extent)
        return self._graph.node("MaxPool", value, kernel_shape=config["pool_size"],
                                strides=config["strides"], pads=pads), extent

    def _activation(self, _name, config, value, extent):
        if config["activation"] == "linear":
            return value, extent
        if config["activation"] != "relu":
            raise Fail(f"{config['name']} is a {config['activation']}, which is not known here\n"
                       "  mend: use the package version that the recipe pins")
        return self._graph.node("Relu", value), extent

    def _concatenate(self, _name, _config, *parts):
        return self._graph.node("Concat", *parts[::2], axis=1), parts[1]

    def _lambda(self, _name, config, start, extent, branch, _):
        """The only one there is: the block's start plus its branch, scaled."""
        scaled = self._graph.node("Mul", branch, self._graph.scalar(config["arguments"]["scale"]))
        return self._graph.node("Add", start, scaled), extent

    def _globalaveragepooling2d(self, _name, _config, value, _extent):
        return self._graph.node("Flatten", self._graph.node("GlobalAveragePool", value), axis=1), 1

    def _dense(self, name, _config, value, extent):
        kernel, bias = self._folded(name)
        value = self._graph.node("MatMul", value, self._graph.constant(kernel, f"{name}.kernel"))
        return self._graph.node("Add", value, self._graph.constant(bias, f"{name}.bias")), extent

    def _as_it_was(self, _name, _config, value, extent):
        return value, extent

    # The batch norms are in the kernels; dropout is for training.
    _batchnormalization = _dropout = _as_it_was

    def write(self, path):
        for layer in self._layers:
            name, kind = layer["name"], layer["class_name"].lower()
            if kind == "inputlayer":
                self._values[name], self._extents[name] = "pixel_values", SIZE
                continue
            inputs = [part for source in self._inputs(layer)
                      for part in (self._values[source], self._extents[source])]
            made = getattr(self, f"_{kind}")(name, layer["config"], *inputs)
            self._values[name], self._extents[name] = made
        self._graph.l2_normalised(self._values[self._layers[-1]["name"]], "image_embeds")
        self._graph.save(path, [("pixel_values", FLOAT, ["batch", 3, SIZE, SIZE])],
                         [("image_embeds", FLOAT, ["batch", DIMENSIONS])])


def write(path, layers, tensors):
    """Writes the network; `layers` and `tensors` are those of `weights.read_keras`."""
    _Tower(layers, tensors).write(path)
