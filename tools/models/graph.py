"""A thin layer over `onnx.helper`: names for values, constants beside the nodes that use them."""

import numpy
import onnx

# ONNX Runtime and tract both read these; newer numbers would gain nothing here.
OPSET = 13
IR_VERSION = 8


class Graph:
    """An ONNX graph being written, node after node."""

    def __init__(self, name):
        self._name = name
        self._nodes = []
        self._constants = {}
        self._count = 0

    def constant(self, array, name=None):
        """A stored tensor; the same name given twice is the same tensor."""
        name = name or f"constant_{len(self._constants)}"
        if name not in self._constants:
            array = numpy.ascontiguousarray(array)
            self._constants[name] = onnx.numpy_helper.from_array(array, name)
        return name

    def numbers(self, *values):
        """A constant list of integers, as shapes and axes are given."""
        return self.constant(numpy.array(values, numpy.int64), "i64_" + "_".join(map(str, values)))

    def scalar(self, value):
        return self.constant(numpy.array(value, numpy.float32), f"f32_{value!r}")

    def node(self, operator, *inputs, outputs=1, name=None, **attributes):
        """Adds a node; gives the name of its output (a list of names if there are several)."""
        self._count += 1
        base = name or f"{operator.lower()}_{self._count}"
        names = [base] if outputs == 1 else [f"{base}_{index}" for index in range(outputs)]
        self._nodes.append(onnx.helper.make_node(operator, list(inputs), names, base, **attributes))
        return names[0] if outputs == 1 else names

    def l2_normalised(self, value, name):
        """Rows of length one. Output widths and names are set by the caller."""
        return self.node("Div", value, self.node("ReduceL2", value, axes=[-1], keepdims=1),
                         name=name)

    def save(self, path, inputs, outputs):
        """Checks the model and writes it; `inputs` and `outputs`: (name, element type, shape)."""
        def infos(values):
            return [onnx.helper.make_tensor_value_info(*value) for value in values]

        graph = onnx.helper.make_graph(self._nodes, self._name, infos(inputs), infos(outputs),
                                       list(self._constants.values()))
        model = onnx.helper.make_model(
            graph, producer_name="adb tools/models", ir_version=IR_VERSION,
            opset_imports=[onnx.helper.make_opsetid("", OPSET)])
        onnx.checker.check_model(model, full_check=True)
        # Deterministic: the hash of a bundle names it in every database that it filled.
        path.write_bytes(model.SerializeToString(deterministic=True))


FLOAT = onnx.TensorProto.FLOAT
INT64 = onnx.TensorProto.INT64
