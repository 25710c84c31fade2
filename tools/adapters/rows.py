"""Rows of anything that Python can go through, for `adb ingest from-command 'python3 …'`."""
import base64, json, sys

def plain(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "data:;base64," + base64.b64encode(value).decode()
    if hasattr(value, "save"):  # A picture of Pillow's, as Hugging Face data sets give them.
        import io
        value.save(file := io.BytesIO(), "PNG")
        return plain(file.getvalue())
    if hasattr(value, "as_tuple"):  # A decimal.
        return float(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)  # NumPy; dates.

def write(rows):
    """Prints each row: dicts of any iterable, or what a DB-API cursor has selected."""
    names = [column[0] for column in getattr(rows, "description", None) or []]
    for row in rows:
        row = dict(zip(names, row)) if names else dict(row)
        sys.stdout.write(json.dumps(row, default=plain, allow_nan=False) + "\n")
