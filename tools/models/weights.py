"""Reads trained weights from their files, without the frameworks that wrote them."""

import collections
import io
import json
import pickle
import struct

import numpy

from common import Fail

# The first pickle of a PyTorch file written before release 1.6.
_MAGIC = 0x1950A86A20F9469CFC6C

_STORAGES = {"FloatStorage": numpy.dtype("<f4"), "LongStorage": numpy.dtype("<i8")}


class _Restricted(pickle.Unpickler):
    """Admits what a table of tensors needs and refuses every other name.

    A pickle may name any function of any module and have it called; a file of weights from
    the net must not be able to.
    """

    def __init__(self, file, storages):
        super().__init__(file)
        self._storages = storages

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._rebuild
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise Fail(f"the weights file wants {module}.{name}, which a table of tensors does not "
                   "need; refused\n  mend: use the package version that the recipe pins")

    def persistent_load(self, identity):
        kind, dtype, key, _device, count, view = identity
        if kind != "storage" or view is not None:
            raise Fail(f"the weights file refers to something that is not a storage: {identity}\n"
                       "  mend: use the package version that the recipe pins")
        self._storages[key] = (dtype, count)
        return key

    @staticmethod
    def _rebuild(storage, offset, shape, strides, _requires_grad, _hooks):
        # The numbers come after the pickle in the file, so a tensor is only noted here.
        return storage, offset, shape, strides


def read_pth(path):
    """Tensors of a PyTorch file in its old layout: five pickles, then the storages, raw.

    Gives a dictionary from name to array. The layout: magic number, protocol number, sizes of
    the writer's C types, the table of tensors, the order of the storages; then for each storage
    its count of elements (8 bytes) and the elements.
    """
    storages = {}
    with open(path, "rb") as file:
        magic, protocol, system, table, order = (
            _Restricted(file, storages).load() for _ in range(5))
        if magic != _MAGIC or protocol != 1001 or not system["little_endian"]:
            raise Fail(f"{path} is not a PyTorch file of the old, little-endian layout\n"
                       "  mend: use the package version that the recipe pins")
        arrays = {}
        for key in order:
            dtype, expected = storages[key]
            count, = struct.unpack("<q", file.read(8))
            data = file.read(count * dtype.itemsize)
            if count != expected or len(data) != count * dtype.itemsize:
                raise Fail(f"{path} is cut short\n  mend: `python3 -m pip cache purge`, run again")
            arrays[key] = numpy.frombuffer(data, dtype)
    return {name: _view(arrays[key], offset, shape, strides)
            for name, (key, offset, shape, strides) in table.items()}


def _view(array, offset, shape, strides):
    steps = [stride * array.itemsize for stride in strides]
    return numpy.lib.stride_tricks.as_strided(array[offset:], shape, steps).copy()


def read_safetensors(path):
    """Tensors of a safetensors file: length of the header, the header in JSON, the bytes."""
    dtypes = {"F32": "<f4", "I64": "<i8"}
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = numpy.frombuffer(data[begin:end], dtypes[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def read_keras(path):
    """An HDF5 file of Keras: the layers of its description, and the tensors of each layer.

    Needs `h5py`. Tensors are named without the layer: `kernel`, `bias`, `beta`, `moving_mean`.
    """
    import h5py

    with h5py.File(path) as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
        tensors = {}
        for layer, group in file["model_weights"].items():
            names = [name.decode() if isinstance(name, bytes) else name
                     for name in group.attrs["weight_names"]]
            tensors[layer] = {name.split("/")[-1].split(":")[0]: numpy.array(group[name])
                              for name in names}
    return layers, tensors


class _NoSubclass:
    """What a pickle of arrays names as their class."""


class _Wrapper:
    """joblib's note of an array, whose bytes follow the pickle's opcode that fills it."""


class _Arrays(pickle._Unpickler):
    """Reads a list of arrays as joblib writes it: a pickle with the bytes of arrays in it.

    The unpickler in Python, since the place where the bytes begin is that of an opcode. Admits
    what a list of arrays needs and refuses every other name.
    """

    dispatch = pickle._Unpickler.dispatch.copy()

    def __init__(self, file):
        super().__init__(file)
        self._bytes = file

    def find_class(self, module, name):
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return _Wrapper
        if (module, name) == ("numpy", "ndarray"):
            return _NoSubclass
        if (module, name) == ("numpy", "dtype"):
            return numpy.dtype
        raise Fail(f"the weights file wants {module}.{name}, which a list of arrays does not "
                   "need; refused\n  mend: use the package version that the recipe pins")

    def load_build(self):
        super().load_build()
        if isinstance(self.stack[-1], _Wrapper):
            self.stack.append(self._array(self.stack.pop()))

    dispatch[pickle.BUILD[0]] = load_build

    def _array(self, wrapper):
        if wrapper.dtype != numpy.dtype("<f4") or wrapper.order != "C":
            raise Fail(f"an array is of {wrapper.dtype} in the order {wrapper.order}, and not of "
                       "little-endian floats in C's\n"
                       "  mend: use the package version that the recipe pins")
        self._bytes.read(self._bytes.read(1)[0])  # so many bytes, to an even address
        count = int(numpy.prod(wrapper.shape, dtype=numpy.int64))
        data = self._bytes.read(4 * count)
        if len(data) != 4 * count:
            raise Fail("the weights file is cut short\n  mend: `python3 -m pip cache purge`, "
                       "run again")
        return numpy.frombuffer(data, "<f4").reshape(wrapper.shape)


def read_joblib(path):
    """The list of arrays in a file that joblib wrote with LZ4. Needs `lz4`."""
    import lz4.frame

    return _Arrays(io.BytesIO(lz4.frame.decompress(path.read_bytes()))).load()
