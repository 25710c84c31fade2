"""The sample is whole: a row, a drawing and a picture for each dish, small, and no text drawn."""

import json
import struct
import unittest

import render


class Sample(unittest.TestCase):
    def setUp(self):
        text = (render.SAMPLE / "dishes.json").read_text(encoding="utf-8")
        self.rows = json.loads(text)

    def test_each_dish_has_a_row_a_drawing_and_a_picture(self):
        self.assertEqual(render.without_partner(render.SAMPLE), [])
        self.assertGreaterEqual(len(self.rows), 16)

    def test_ids_and_names_are_unique(self):
        for key in ("dish_id", "name", "url"):
            self.assertEqual(len({row[key] for row in self.rows}), len(self.rows), key)

    def test_dishes_share_ingredients(self):
        names = [one["name"] for row in self.rows for one in row["ingredients"]]
        self.assertLess(len(set(names)), len(names))

    def test_some_rows_have_fewer_properties(self):
        self.assertGreater(len({tuple(row) for row in self.rows}), 1)

    def test_pictures_are_small(self):
        sizes = [path.stat().st_size for path in (render.SAMPLE / "images").iterdir()]
        self.assertLess(max(sizes), render.LIMIT)
        self.assertLess(sum(sizes), 700_000)

    def test_pictures_have_the_size_that_the_script_draws(self):
        for path in (render.SAMPLE / "images").iterdir():
            head = path.read_bytes()[:24]
            self.assertEqual(head[:8], b"\x89PNG\r\n\x1a\n", path)
            self.assertEqual(struct.unpack(">II", head[16:]), (render.SIDE, render.SIDE), path)

    def test_drawings_hold_no_text_and_no_other_file(self):
        for path in (render.SAMPLE / "svg").iterdir():
            drawing = path.read_text(encoding="utf-8")
            for tag in ("<text", "<image", "<foreignObject", "http://", "https://"):
                count = drawing.count(tag)
                self.assertEqual(count, tag == "http://", f"{tag} in {path}")  # the namespace


if __name__ == "__main__":
    unittest.main()
