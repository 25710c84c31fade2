"""What needs no package at all: sizes, the cache's place, staging, errors, figures, vectors."""

import contextlib
import io
import json
import pathlib
import signal
import tempfile
import unittest
import unittest.mock
import zipfile

import common
import evaluate
import figures
import onnxruntime
import packages
import sources
import starter
from common import Fail


class Directory(unittest.TestCase):
    """Gives each test a directory of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)


class Kept(Directory):
    def test_the_fewest_other_packages_and_none_that_hides_a_script(self):
        version = ".".join(map(str, packages.sys.version_info[:2]))
        lz4, numpy, runtime, tokens = (
            packages._pin(name)[0].replace("==", "")
            for name in ("lz4", "numpy", "onnxruntime", "tokenizers"))
        for names in ([lz4, numpy, tokens], [numpy, tokens], [numpy, runtime]):
            (self.root / "python" / f"{version}-{'-'.join(names)}").mkdir(parents=True)
        with (unittest.mock.patch.dict("os.environ", {"ADB_CACHE_DIR": str(self.root)}),
              unittest.mock.patch("packages._admit") as admitted):
            packages.if_kept(["numpy"])
            packages.if_kept(["numpy", "onnxruntime"])
            packages.if_kept(["h5py"])
        taken = [call.args[0].name for call in admitted.call_args_list]
        self.assertEqual(taken, [f"{version}-{numpy}-{tokens}", f"{version}-{numpy}-{runtime}"])


class Sizes(Directory):
    def test_sizes_are_for_people(self):
        self.assertEqual(common.size(0), "0.0 kB")
        self.assertEqual(common.size(999_949), "999.9 kB")
        self.assertEqual(common.size(1_000_000), "1.0 MB")
        self.assertEqual(common.size(90_285_379), "90.3 MB")

    def test_a_tree_counts_all_its_files(self):
        (self.root / "deep").mkdir()
        (self.root / "one").write_bytes(b"12345")
        (self.root / "deep" / "two").write_bytes(b"123")
        self.assertEqual(common.tree_size(self.root), 8)


class Cache(unittest.TestCase):
    def root(self, **environment):
        with unittest.mock.patch.dict("os.environ", environment, clear=True):
            return common.cache_root()

    def test_the_own_variable_wins(self):
        self.assertEqual(self.root(ADB_CACHE_DIR="/a", XDG_CACHE_HOME="/b"), pathlib.Path("/a"))

    def test_then_the_desktop_s(self):
        self.assertEqual(self.root(XDG_CACHE_HOME="/b"), pathlib.Path("/b/adb"))

    def test_then_the_platform_s(self):
        for platform, end in (("linux", ".cache/adb"), ("darwin", "Library/Caches/adb")):
            with unittest.mock.patch("sys.platform", platform):
                self.assertEqual(self.root(HOME="/home/ada"), pathlib.Path("/home/ada") / end)


class Staging(Directory):
    def names(self):
        return sorted(path.name for path in self.root.iterdir())

    def test_success_puts_the_directory_in_place_and_nothing_beside_it(self):
        with common.staged(self.root / "made") as (result, scratch):
            (result / "kept").write_text("yes")
            (scratch / "thrown away").write_text("no")
            self.assertFalse((self.root / "made").exists())
        self.assertEqual(self.names(), ["made"])
        self.assertEqual([path.name for path in (self.root / "made").iterdir()], ["kept"])

    def test_an_interruption_leaves_nothing(self):
        with self.assertRaises(KeyboardInterrupt):
            with common.staged(self.root / "made") as (result, _):
                (result / "half").write_text("half")
                raise KeyboardInterrupt
        self.assertEqual(self.names(), [])

    def test_a_failure_keeps_what_was_there_before(self):
        (self.root / "made").mkdir()
        (self.root / "made" / "old").write_text("old")
        with self.assertRaises(OSError):
            with common.staged(self.root / "made"):
                raise OSError("no space left")
        self.assertEqual((self.root / "made" / "old").read_text(), "old")

    def test_success_replaces_what_was_there_before(self):
        (self.root / "made").mkdir()
        (self.root / "made" / "old").write_text("old")
        with common.staged(self.root / "made") as (result, _):
            (result / "new").write_text("new")
        self.assertEqual([path.name for path in (self.root / "made").iterdir()], ["new"])

    def test_the_lock_s_holder_clears_what_a_killed_run_left(self):
        left = self.root / ".made.partial-abc"
        left.mkdir()
        other = self.root / ".other.partial-abc"
        other.mkdir()
        with common.locked(self.root / "made"):
            self.assertEqual(left.exists(), common.fcntl is None)
            self.assertTrue(other.exists())


class Voice(unittest.TestCase):
    def ends(self, error):
        def main():
            raise error

        old = signal.getsignal(signal.SIGTERM)
        self.addCleanup(signal.signal, signal.SIGTERM, old)
        said = io.StringIO()
        with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as ended:
            common.run(main)
        return ended.exception.code, said.getvalue()

    def test_a_failure_is_one_and_says_how_to_mend_it(self):
        code, said = self.ends(Fail("no such thing\n  mend: make one"))
        self.assertEqual((code, said), (1, "error: no such thing\n  mend: make one\n"))

    def test_the_system_s_errors_get_a_way_out_too(self):
        code, said = self.ends(PermissionError(13, "Permission denied", "/cache"))
        self.assertEqual(code, 1)
        self.assertIn("'/cache'", said)
        self.assertIn("  mend: ", said)

    def test_ctrl_c_is_130(self):
        code, said = self.ends(KeyboardInterrupt())
        self.assertEqual(code, 130)
        self.assertIn("nothing half-made was kept", said)


class Pins(unittest.TestCase):
    def test_each_python_gets_the_newest_version_made_for_it(self):
        with unittest.mock.patch("sys.version_info", (3, 9, 18)):
            self.assertEqual(packages._pin("numpy")[0], "numpy==2.0.2")
        with unittest.mock.patch("sys.version_info", (3, 13, 0)):
            self.assertEqual(packages._pin("numpy")[0], "numpy==2.4.6")

    def test_too_old_a_python_is_told_which_one_would_do(self):
        with unittest.mock.patch("sys.version_info", (3, 8, 0)):
            with self.assertRaisesRegex(Fail, "(?s)package onnx\n.*Python 3.9 or newer"):
                packages._pin("onnx")

    def test_pins_go_from_new_to_old(self):
        for name, pins in packages.PINS.items():
            self.assertEqual(pins, sorted(pins, reverse=True), name)


class Library(Directory):
    def wheel(self, *members):
        path = self.root / "onnxruntime.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name in (*members, "onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"):
                archive.writestr(name, f"bytes of {name}")
        return path

    def test_the_library_is_found_under_each_platform_s_name(self):
        for member, name in (("libonnxruntime.so.1.31.1", "libonnxruntime.so"),
                             ("libonnxruntime.1.31.1.dylib", "libonnxruntime.dylib"),
                             ("onnxruntime.dll", "onnxruntime.dll")):
            result = self.root / name
            result.mkdir()
            wheel = self.wheel(f"onnxruntime/capi/{member}",
                               "onnxruntime/capi/libonnxruntime_providers_shared.so",
                               "onnxruntime/capi/onnxruntime_providers_shared.dll")
            onnxruntime.unpack(wheel, result, "1.31.1")
            self.assertEqual(onnxruntime.present(result), result / name)
            self.assertTrue((result / "LICENSE").is_file())

    def test_a_library_cut_short_is_not_present(self):
        onnxruntime.unpack(self.wheel("onnxruntime/capi/onnxruntime.dll"), self.root, "1.31.1")
        (self.root / "onnxruntime.dll").write_bytes(b"short")
        self.assertIsNone(onnxruntime.present(self.root))

    def test_a_wheel_without_one_is_refused(self):
        with self.assertRaisesRegex(Fail, "(?s)holds 0 files.*mend: "):
            onnxruntime.unpack(self.wheel(), self.root, "1.31.1")


class Bundle(Directory):
    def test_a_bundle_is_present_when_all_its_files_are(self):
        (self.root / "text.onnx").write_bytes(b"12345")
        common.write_json(self.root / "bundle.json", starter.manifest(self.root))
        self.assertEqual(common.complete_bundle(self.root)["name"], "starter-512")
        (self.root / "text.onnx").write_bytes(b"1234")
        self.assertIsNone(common.complete_bundle(self.root))

    def test_the_manifest_knows_the_hash_of_every_file(self):
        (self.root / "text.onnx").write_bytes(b"abc")
        self.assertEqual(starter.manifest(self.root)["files"], {"text.onnx": {
            "bytes": 3,
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}})

    def test_the_mean_and_deviation_are_the_classifier_s(self):
        steps = starter.manifest(self.root)["image"]["preprocess"]
        for value in (0, 127, 255):
            self.assertAlmostEqual((value / 255 - steps["mean"][0]) / steps["std"][0],
                                   (value - 127) / 128)

    def test_the_tokenizer_loses_its_padding_and_nothing_else(self):
        kept = {"truncation": {"max_length": 128}, "model": {"vocab": {"é": 1}}}
        (self.root / "tokenizer.json").write_text(
            json.dumps({**kept, "padding": {"strategy": {"Fixed": 128}}}), encoding="utf-8")
        self.assertEqual(json.loads(sources.tokenizer_json(self.root)), {**kept, "padding": None})

    def test_class_names_are_read_and_not_run(self):
        names = [f"class {index}" for index in range(1000)]
        path = self.root / "classes.py"
        path.write_text(f"raise SystemExit('it was run')\nIMAGENET_CLASSNAMES = {names!r}\n")
        self.assertEqual(sources.class_names(self.root), names)
        path.write_text(f"IMAGENET_CLASSNAMES = {names[1:]!r}\n")
        with self.assertRaisesRegex(Fail, "(?s)class names.*mend: "):
            sources.class_names(self.root)


class Figures(unittest.TestCase):
    def test_the_rank_is_that_of_the_first_hit(self):
        similarities = [[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]]
        self.assertEqual(figures.ranks(similarities, [[True, False, True], [False, False, True]]),
                         [2, 3])

    def test_equals_keep_their_order(self):
        self.assertEqual(figures.ranking([0.5, 0.7, 0.5, 0.7]), [1, 3, 0, 2])

    def test_recall_and_mean_reciprocal_rank(self):
        self.assertEqual(figures.figures([1, 2, 8, 16]),
                         {"R@1": 0.25, "R@5": 0.5, "R@10": 0.75, "MRR": 0.421875})

    def test_cosine_ignores_length(self):
        self.assertAlmostEqual(figures.cosine([3, 4], [6, 8]), 1)
        self.assertAlmostEqual(figures.cosine([1, 0], [0, 2]), 0)
        self.assertAlmostEqual(figures.cosine([1, 0], [-1, 0]), -1)


class Vectors(Directory):
    ROWS = [{"url": "a.png", "name": "soup", "caption": "hot"},
            {"url": "b.png", "name": "soup", "caption": "cold"}]

    def read(self, **value):
        path = self.root / "vectors.json"
        common.write_json(path, value)
        return evaluate.read_vectors(path, self.ROWS)

    def test_rows_are_matched_by_their_photo(self):
        vectors = self.read(photo=["b.png", "a.png"], photo_vectors=[[0, 1], [1, 0]],
                            name_vectors=[[0, 2], [2, 0]], caption_vectors=[[0, 3], [3, 0]],
                            query=["tea"], query_vectors=[[1, 1]])
        self.assertEqual(vectors, {"photo": [[1, 0], [0, 1]], "name": [[2, 0], [0, 2]],
                                   "caption": [[3, 0], [0, 3]], "query": {"tea": [1, 1]}})

    def test_any_photo_of_a_name_is_a_hit_but_a_caption_wants_its_own(self):
        vectors = {"photo": [[1, 0], [0, 1]], "name": [[0, 1], [0, 1]],
                   "caption": [[0, 1], [0, 1]]}
        self.assertEqual(evaluate.found(self.ROWS, vectors), {"name": [1, 1], "caption": [2, 1]})

    def test_what_is_dumped_can_be_read(self):
        vectors = {"photo": [[1.0, 0.0], [0.0, 1.0]], "name": [[1.0, 1.0]] * 2,
                   "caption": [[0.5, 0.5]] * 2, "query": {"tea": [0.0, 1.0]}}
        with contextlib.redirect_stdout(io.StringIO()):
            evaluate.dump(self.root / "dump.json", self.ROWS, vectors)
        self.assertEqual(evaluate.read_vectors(self.root / "dump.json", self.ROWS), vectors)

    def test_errors_say_what_is_wrong(self):
        whole = {"photo_vectors": [[1], [1]], "name_vectors": [[1], [1]],
                 "caption_vectors": [[1], [1]]}
        with self.assertRaisesRegex(Fail, "(?s)wanted 2 entries.*'photo': None.*mend: "):
            self.read(**whole)
        with self.assertRaisesRegex(Fail, "(?s)the first is b.png.*mend: "):
            self.read(photo=["a.png", "c.png"], **whole)
        with self.assertRaisesRegex(Fail, r"(?s)different lengths, \[1, 2\].*mend: "):
            self.read(photo=["a.png", "b.png"], **{**whole, "name_vectors": [[1], [1, 2]]})

    def test_data_without_its_photos_is_refused(self):
        with self.assertRaisesRegex(Fail, "(?s)no dishes.json.*mend: "):
            evaluate.read_dishes(self.root)
        common.write_json(self.root / "dishes.json", self.ROWS)
        with self.assertRaisesRegex(Fail, "(?s)2 photos are missing, the first is a.png.*mend: "):
            evaluate.read_dishes(self.root)


if __name__ == "__main__":
    unittest.main()
