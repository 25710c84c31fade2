//! However large a source is, reading it holds a row. Alone in its program, since what is measured
//! is the program's.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    fs::File,
    io::{BufWriter, Write},
    ops::ControlFlow,
    path::Path,
};

use adb_loaders::{CsvObjects, JsonObjects, ObjectSource};
use adb_model::ModelSchema;

/// The most memory that this program has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

const ROWS: u64 = 1000;

/// Rows of 100 kB: 100 MB.
fn write(path: &Path, begin: &str, row: (&str, &str), between: &str, end: &str) {
    let mut file: Box<dyn Write> = match path.extension().is_some_and(|e| e == "gz") {
        false => Box::new(BufWriter::new(File::create(path).unwrap())),
        true => {
            let level = flate2::Compression::fast();
            Box::new(flate2::write::GzEncoder::new(File::create(path).unwrap(), level))
        }
    };
    let text = "x".repeat(100_000);
    file.write_all(begin.as_bytes()).unwrap();
    for i in 0..ROWS {
        let between = if i == 0 { "" } else { between };
        write!(file, "{between}{}{text}{}", row.0, row.1).unwrap();
    }
    file.write_all(end.as_bytes()).unwrap();
    file.flush().unwrap();
}

fn count(source: impl ObjectSource) -> u64 {
    let mut rows = 0;
    source
        .read(&ModelSchema::BARE, &mut |row, _| {
            rows += u64::from(row.object.is_ok());
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

#[test]
fn a_file_of_100_mb_is_read_in_a_few() {
    let dir = tempfile::tempdir().unwrap();
    let before = peak();
    let object = ("{\"a\": \"", "\"}");
    for (name, begin, between, end) in [
        ("rows.jsonl", "", "\n", ""),
        ("rows.json", "[", ",\n", "]"),
        // A bomb, as it were: a thousandth of what is in it.
        ("rows.jsonl.gz", "", "\n", ""),
    ] {
        let path = dir.path().join(name);
        write(&path, begin, object, between, end);
        assert_eq!(count(JsonObjects::open(&path).unwrap()), ROWS, "{name}");
        std::fs::remove_file(path).unwrap();
    }
    let path = dir.path().join("rows.csv");
    write(&path, "a,b\n", ("\"", "\",1"), "\n", "");
    assert_eq!(count(CsvObjects::open(&path).unwrap()), ROWS);
    let grown = peak() - before;
    println!("{grown} MiB");
    assert!(grown < 24, "{grown} MiB for rows of 100 kB");
}
