"""What the adapter prints is JSON Lines, whatever the rows are."""

import contextlib
import datetime
import decimal
import io
import json
import sqlite3
import unittest

import rows


def printed(source):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        rows.write(source)
    return [json.loads(line) for line in out.getvalue().splitlines()]


class Rows(unittest.TestCase):
    def test_generators(self):
        self.assertEqual(printed({"id": n} for n in range(3)), [{"id": 0}, {"id": 1}, {"id": 2}])

    def test_cursors(self):
        cursor = sqlite3.connect(":memory:").execute("select 1 as id, 'dal' as name, x'00ff' as photo")
        photo = "data:;base64,AP8="
        self.assertEqual(printed(cursor), [{"id": 1, "name": "dal", "photo": photo}])

    def test_values_that_json_has_no_word_for(self):
        class Array:
            def tolist(self):
                return [1.0, 0.5]

        class Picture:
            def save(self, file, form):
                file.write(form.encode())

        row = {
            "at": datetime.datetime(2024, 1, 2, 3, 4, 5),
            "price": decimal.Decimal("1.50"),
            "look": Array(),
            "photo": Picture(),
        }
        expected = {
            "at": "2024-01-02 03:04:05",
            "price": 1.5,
            "look": [1.0, 0.5],
            "photo": "data:;base64,UE5H",
        }
        self.assertEqual(printed([row]), [expected])

    def test_it_is_short(self):
        with open(rows.__file__, encoding="utf-8") as file:
            self.assertLessEqual(len(file.readlines()), 20)


if __name__ == "__main__":
    unittest.main()
