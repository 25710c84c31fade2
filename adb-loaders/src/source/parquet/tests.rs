use adb_model::{ObjectKind, document::LoadedModel};
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde_json::json;

use super::*;

/// As data sets of pictures are published: a struct of bytes and path, and what is known beside.
const SCHEMA: &str = "
    message row {
        optional group image {
            optional binary bytes;
            optional binary path (UTF8);
        }
        optional int64 label;
        optional binary caption (UTF8);
        optional int64 taken (TIMESTAMP(MICROS,true));
        optional int64 seen (TIMESTAMP(NANOS,true));
        optional int32 day (DATE);
        optional int32 price (DECIMAL(9,2));
        optional double score;
        optional group tags (LIST) {
            repeated group list {
                optional binary element (UTF8);
            }
        }
    }";

/// Rows whose pictures are `picture 0`, `picture 1` … in row groups of two.
fn write(path: &Path, compression: Compression, rows: usize) {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for group in 0..rows.div_ceil(2) {
        let in_group: Vec<usize> = (group * 2..rows.min(group * 2 + 2)).collect();
        let n = in_group.len();
        let mut group = writer.next_row_group().unwrap();
        let texts = |name: &str| -> Vec<ByteArray> {
            in_group.iter().map(|i| ByteArray::from(format!("{name} {i}").into_bytes())).collect()
        };
        let longs = |of: i64| vec![of; n];
        let mut column = 0;
        while let Some(mut next) = group.next_column().unwrap() {
            match column {
                0 | 1 => {
                    let name = if column == 0 { "\u{0}picture" } else { "path" };
                    let values: Vec<ByteArray> = match column {
                        0 => texts(name)
                            .into_iter()
                            .map(|b| ByteArray::from([b"\xff", b.data()].concat()))
                            .collect(),
                        _ => texts(name),
                    };
                    let typed = next.typed::<ByteArrayType>();
                    typed.write_batch(&values, Some(&vec![2; n]), None).unwrap();
                }
                2 => {
                    let values: Vec<i64> = in_group.iter().map(|i| *i as i64).collect();
                    let typed = next.typed::<Int64Type>();
                    typed.write_batch(&values, Some(&vec![1; n]), None).unwrap();
                }
                3 => {
                    let typed = next.typed::<ByteArrayType>();
                    typed.write_batch(&texts("caption"), Some(&vec![1; n]), None).unwrap();
                }
                4 | 5 => {
                    let of =
                        if column == 4 { 1_704_164_645_000_000 } else { 1_704_164_645_000_001_000 };
                    let typed = next.typed::<Int64Type>();
                    typed.write_batch(&longs(of), Some(&vec![1; n]), None).unwrap();
                }
                6 | 7 => {
                    let of = if column == 6 { 19_724 } else { 1250 };
                    let typed = next.typed::<Int32Type>();
                    typed.write_batch(&vec![of; n], Some(&vec![1; n]), None).unwrap();
                }
                8 => {
                    // The first of a group has none.
                    let levels: Vec<i16> = (0..n).map(|i| i16::from(i > 0)).collect();
                    let typed = next.typed::<DoubleType>();
                    typed.write_batch(&vec![0.5; n - 1], Some(&levels), None).unwrap();
                }
                _ => {
                    let values: Vec<ByteArray> = (0..2 * n).map(|_| ByteArray::from("t")).collect();
                    let typed = next.typed::<ByteArrayType>();
                    typed
                        .write_batch(&values, Some(&vec![3; 2 * n]), Some(&[0, 1].repeat(n)))
                        .unwrap();
                }
            }
            next.close().unwrap();
            column += 1;
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

struct Read {
    rows: Vec<Result<Json, String>>,
    media: Vec<Vec<(String, Bytes)>>,
    end: Result<(), String>,
}

fn read(source: ParquetObjects, model: LoadedModel) -> Read {
    let (mut rows, mut media) = (Vec::new(), Vec::new());
    let end = source.read(model.schema(), &mut |row, _| {
        rows.push(row.object.and_then(|o| Ok(o.unwrap().into_object()?.into())));
        media.push(row.media);
        ControlFlow::Continue(())
    });
    Read { rows, media, end: end.map_err(|e| e.to_string()) }
}

fn plain(source: ParquetObjects) -> Read {
    let (source, model) = source.observed(PlainModel::new(ObjectKind::Image)).unwrap();
    read(source, model.document().load().unwrap())
}

#[test]
fn what_is_no_number_is_not_taken_for_nothing() {
    for (x, told) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        assert_eq!(float(x, Takes::Other), told);
        assert_eq!(float(x, Takes::Anything), Json::Null);
    }
}

#[test]
fn columns_are_read_as_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    for (name, compression) in [
        ("plain", Compression::UNCOMPRESSED),
        ("snappy", Compression::SNAPPY),
        ("gzip", Compression::GZIP(Default::default())),
        ("zstd", Compression::ZSTD(ZstdLevel::default())),
        ("lz4", Compression::LZ4_RAW),
    ] {
        let path = dir.path().join(name);
        write(&path, compression, 5);
        let read = plain(ParquetObjects::open(vec![path]).unwrap());
        read.end.unwrap();
        assert_eq!(read.rows.len(), 5);
        assert_eq!(
            read.rows[3].as_ref().unwrap(),
            &json!({
                "path": format!("{name}/4"), "source": format!("{name}/4/path 3"),
                "label": 3, "caption": "caption 3", "taken": "2024-01-02T03:04:05Z",
                "seen": "2024-01-02T03:04:05.000001Z", "day": "2024-01-02", "price": 12.5,
                "score": 0.5, "tags": ["t", "t"],
            })
        );
        assert!(read.rows[2].as_ref().unwrap().get("score").is_none());
        let (file, bytes) = &read.media[3][0];
        assert_eq!(file, &format!("{name}/4/path 3"));
        assert_eq!(&**bytes, b"\xff\0picture 3");
    }
}

#[test]
fn files_follow_one_another_and_identities_stay() {
    let dir = tempfile::tempdir().unwrap();
    let files = [dir.path().join("0.parquet"), dir.path().join("1.parquet")];
    for file in &files {
        write(file, Compression::SNAPPY, 3);
    }
    let identities = || {
        let source = ParquetObjects::open(files.to_vec()).unwrap();
        let (source, model) = source.observed(PlainModel::new(ObjectKind::Image)).unwrap();
        let mut all = Vec::new();
        let schema = model.document().load().unwrap().schema();
        source
            .read(schema, &mut |row, _| {
                all.push(row.identity);
                ControlFlow::Continue(())
            })
            .unwrap();
        all
    };
    let first = identities();
    assert_eq!(first, identities());
    let mut different = first.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 6);
}

#[test]
fn columns_are_mapped_and_bytes_need_a_field_for_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, Compression::SNAPPY, 1);
    let model = PlainModel::new(ObjectKind::Image).property("text", ValueType::String);
    let model = model.document().load().unwrap();
    let source = ParquetObjects::open(vec![path.clone()]).unwrap();
    let mapped = source.clone().map("image", "source").map("caption", "text").map("label", "");
    let row = read(mapped, model).rows.remove(0).unwrap();
    assert_eq!((&row["text"], row.get("label")), (&json!("caption 0"), None));
    let unmapped = read(source, model).rows.remove(0).unwrap_err();
    assert!(unmapped.contains("`image`: it holds bytes"), "{unmapped}");
}

#[test]
fn what_is_broken_is_told_and_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, Compression::UNCOMPRESSED, 6);
    let whole = std::fs::read(&path).unwrap();
    for rubbish in [&b""[..], b"PAR1", b"no parquet at all", &whole[..whole.len() / 2]] {
        std::fs::write(&path, rubbish).unwrap();
        let e = ParquetObjects::open(vec![path.clone()]).unwrap_err().to_string();
        assert!(e.contains("a.parquet"), "{e}");
    }
    // Bytes that say otherwise, everywhere: what opens is read, and ends in words or rows.
    for at in (4..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        std::fs::write(&path, damaged).unwrap();
        if let Ok(source) = ParquetObjects::open(vec![path.clone()]) {
            let model = PlainModel::new(ObjectKind::Image).document().load().unwrap();
            let _ = read(source.map("image", "source"), model);
        }
    }
}

#[test]
fn columns_say_what_their_values_are() {
    use ValueType::{Date, Float, Int, String};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(&path, Compression::UNCOMPRESSED, 3);
    let rows = ParquetObjects::open(vec![path.clone()]).unwrap();
    assert_eq!(rows.rows_known(), Some(3));
    assert_eq!(rows.name(), std::path::absolute(&path).unwrap().display().to_string());
    let columns = rows.columns().unwrap();
    let columns: Vec<_> = columns.iter().map(|(name, of)| (name.as_str(), *of)).collect();
    assert_eq!(
        columns,
        [
            ("image", None),
            ("label", Some(Int)),
            ("caption", Some(String)),
            ("taken", Some(Date)),
            ("seen", Some(Date)),
            ("day", Some(Date)),
            ("price", Some(Float)),
            ("score", Some(Float)),
            ("tags", None),
        ]
    );
    // Which files a pattern finds may be others the next time.
    let several = ParquetObjects::open(vec![path.clone(), path]).unwrap();
    assert_eq!((several.name().as_str(), several.rows_known()), ("", Some(6)));
    assert_eq!(several.named("train-*").name(), "train-*");
}
