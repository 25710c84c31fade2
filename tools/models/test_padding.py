"""CLIP's text side gives the same vectors with and without padding behind the end token."""

import json
import pathlib
import unittest

import packages

NEEDED = ["numpy", "onnx", "protobuf", "ml_dtypes", "typing_extensions"]
try:
    packages.if_kept(NEEDED)
    import numpy
    import onnx
    from onnx.reference import ReferenceEvaluator
except ImportError as error:
    raise unittest.SkipTest(
        f"{error}; `python3 tools/models/packages.py {' '.join(NEEDED)}` gets it") from None

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "adb-loaders" / "tests" / "fixtures"


class Padding(unittest.TestCase):
    def test_it_changes_nothing(self):
        graph = onnx.load(FIXTURES / "graphs" / "text-of-any-length.onnx")
        network = ReferenceEvaluator(graph)
        texts = json.loads((FIXTURES / "tiny-clip" / "expected.json").read_text())["texts"]
        shorter = 0
        for text in texts:
            ids = numpy.array(text["ids"])
            # The end token has the highest id.
            cut = ids[: ids.argmax() + 1]
            shorter += len(cut) < len(ids)
            for given in (ids, cut):
                vector, = network.run(None, {"input_ids": given[None]})
                # Computed by NumPy, apart from any graph, with all of the padding.
                wanted = numpy.array(text["vector"])
                cosine = (vector[0] @ wanted
                          / numpy.linalg.norm(vector[0]) / numpy.linalg.norm(wanted))
                self.assertGreater(cosine, 0.999999, text["text"])
        self.assertGreater(shorter, 8)


if __name__ == "__main__":
    unittest.main()
