//! What the SDK's own loaders send, and what these send: the same but for what is named here.

use std::{fs, path::PathBuf};

use adb_model::{Dialect, ensure::PropertyIndex};
use serde_json::{Value as Json, json};

use super::*;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

fn golden(version: &str) -> Json {
    let path = folder().join(format!("aperturedb-{version}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The rows of a file, with all that travels with them.
fn rows(source: SdkCsv) -> Vec<CommandRow> {
    let reader = crate::MediaReader::new(source.media_root(), crate::MediaOptions::default());
    let transforms = source.transforms();
    let mut rows = Vec::new();
    source
        .read(&mut |row, _| {
            let mut row = row.value.unwrap().unwrap();
            row.read_blobs(&reader, true).unwrap();
            transforms.iter().for_each(|t| t.apply(&mut row).unwrap());
            rows.push(row);
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

fn open(file: &str, kind: &Json) -> SdkCsv {
    SdkCsv::open_as(folder().join(file), kind.as_str().unwrap().parse().unwrap()).unwrap()
}

fn sha1(bytes: &[u8]) -> String {
    sha1_smol::Sha1::from(bytes).digest().to_string()
}

/// Where a file is sent otherwise than the SDK sends it: the row, the place in its steps, and what
/// stands there. The reason for each is in docs/csv-formats.md.
fn differences(file: &str, dialect: Dialect) -> Vec<(usize, &'static str, Json)> {
    let classic = dialect == Dialect::Classic;
    match file {
        // An empty date is left out; the SDK sends a number that JSON does not have.
        "entity.csv" => vec![(1, "/0/0/AddEntity/properties/born", Json::Null)],
        // A guard on a date compares with a date.
        "faults_guard_date.csv" => vec![(
            0,
            "/0/0/AddEntity/if_not_found",
            match classic {
                true => json!({"born": ["==", {"_date": "2024-01-01"}]}),
                false => json!(["$born", "==", {"to_date": "2024-01-01"}]),
            },
        )],
        // `!` is no operator of the language.
        "faults_update_not.csv" => vec![(
            0,
            "/1/0/UpdateEntity/constraints",
            match classic {
                true => json!({"id": ["==", 1], "v": ["!=", 3]}),
                false => json!(["all", ["$id", "==", 1], ["$v", "!=", 3]]),
            },
        )],
        // The label is a label, and the property that the SDK makes of it.
        "descriptor_label.csv" => vec![(0, "/0/0/AddDescriptor/label", json!("dog"))],
        // A set's name is a system property.
        "set_guarded.csv" => vec![(
            0,
            "/0/0/AddDescriptorSet/if_not_found",
            match classic {
                true => json!({"_name": ["==", "A"]}),
                false => json!(["$_name", "==", "A"]),
            },
        )],
        _ => Vec::new(),
    }
}

/// Puts a value at a place; nothing takes away what is there.
fn put(steps: &mut Json, place: &str, value: Json) {
    let (parent, key) = place.rsplit_once('/').unwrap();
    let parent = steps.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Json::Null => parent.shift_remove(key),
        value => parent.insert(key.to_owned(), value),
    };
}

fn compare_with(version: &str, dialect: Dialect) {
    let golden = golden(version);
    for case in golden["cases"].as_array().unwrap() {
        let file = case["file"].as_str().unwrap();
        let mut theirs: Vec<Json> = Vec::new();
        for row in case["rows"].as_array().unwrap() {
            let steps = row["steps"].as_array().unwrap();
            theirs.push(steps.iter().map(|step| step["commands"].clone()).collect());
        }
        for (row, place, value) in differences(file, dialect) {
            put(&mut theirs[row], place, value);
        }
        let ours = rows(open(file, &case["type"]));
        assert_eq!(ours.len(), theirs.len(), "{version}, {file}");
        for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            let mut sent = json!(ours.to_json(dialect));
            if file == "image_sparse.csv" {
                // The search is the probe of all rows that bring files.
                let look_up = ours.look_up(dialect).unwrap();
                sent.as_array_mut().unwrap().insert(0, json!([look_up]));
                sent[1][0]["AddImage"].as_object_mut().unwrap().shift_remove("_ref");
            }
            assert_eq!(sent, *theirs, "{version}, {file}, row {i}");
        }
        let blobs = |row: &Json| row["blobs"].clone();
        let theirs: Vec<Json> = case["rows"].as_array().unwrap().iter().map(blobs).collect();
        let of = |row: &CommandRow| -> Json {
            let blob = |b: &bytes::Bytes| json!({"bytes": b.len(), "sha1": sha1(b)});
            row.blobs().iter().map(blob).collect()
        };
        assert_eq!(ours.iter().map(of).collect::<Vec<_>>(), theirs, "{version}, {file}");
    }
}

#[test]
fn commands_are_those_of_the_newer_sdk() {
    compare_with("0.5.3", Dialect::Expression);
}

#[test]
fn commands_are_those_of_the_older_sdk() {
    compare_with("0.4.58", Dialect::Classic);
}

#[test]
fn indexes_are_those_of_the_sdk_and_those_that_rows_are_looked_up_by() {
    let golden = golden("0.5.3");
    let mut seen = 0;
    for case in golden["cases"].as_array().unwrap() {
        let Json::Object(targets) = &case["indices"] else { continue };
        let ours = open(case["file"].as_str().unwrap(), &case["type"]).indexes();
        for (target, classes) in targets {
            for (class, properties) in classes.as_object().unwrap() {
                for property in properties.as_array().unwrap() {
                    let property = property.as_str().unwrap();
                    if class == "_DescriptorSet" && property == "name" {
                        continue;
                    }
                    let index = match target.as_str() {
                        "connection" => PropertyIndex::of_connection(class, property),
                        _ => PropertyIndex::of_entity(class, property),
                    };
                    assert!(ours.contains(&index), "{index} of {}", case["file"]);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 10, "{seen}");
    let connections = SdkCsv::open(folder().join("connection.csv")).unwrap().indexes();
    for (class, property) in [("_Image", "id"), ("Person", "id")] {
        assert!(connections.contains(&PropertyIndex::of_entity(class, property)));
    }
    let boxes = SdkCsv::open(folder().join("box.csv")).unwrap().indexes();
    assert!(boxes.contains(&PropertyIndex::of_entity("_Image", "id")));
}

#[test]
fn guards_of_steps_are_those_of_the_sdk() {
    let golden = golden("0.4.58");
    let cases = golden["cases"].as_array().unwrap();
    let newest = cases.iter().find(|case| case["file"] == "image_newest.csv").unwrap();
    let steps = newest["rows"][0]["steps"].as_array().unwrap();
    assert_eq!(steps[1]["guard"], json!({"results": {"0": {"status": ["==", 2]}}}));
    assert_eq!(
        steps[2]["guard"],
        json!({"results": {"0": {"status": ["==", 2]}, "1": {"count": ["==", 0]}}})
    );
    let ours = rows(open("image_newest.csv", &json!("IMAGE")));
    let when: Vec<_> = ours[0].steps.iter().map(|step| step.when).collect();
    use crate::commands::When;
    assert_eq!(when, [When::Always, When::Existed, When::NotUpdated]);
}

fn write(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    (dir, path)
}

fn reasons(text: &str) -> Vec<Option<String>> {
    let (_dir, path) = write("rows.csv", text);
    let mut reasons = Vec::new();
    let each = &mut |row: SourceRow<CommandRow>, _| {
        reasons.push(row.value.err());
        ControlFlow::Continue(())
    };
    SdkCsv::open(path).unwrap().read(each).unwrap();
    reasons
}

#[test]
fn a_faulty_row_costs_itself() {
    for (text, said) in [
        ("EntityClass,id,constraint_id\nA,1,\n", "`constraint_id` is empty"),
        ("EntityClass,id\n,1\n", "`EntityClass` is empty"),
        ("EntityClass,id\nA,1,2\n", "3 cells, the header 2 columns"),
        ("EntityClass,id\nA,inf\n", "`inf` can't be stored"),
        ("EntityClass,id\nA,\u{fffd}\n", ""),
        ("id,x_pos,y_pos,width,height\n1,a,2,3,4\n", "`a` is no number"),
        ("id,x_pos,y_pos,width,height\n,1,2,3,4\n", "`id` is empty"),
        ("id,polygons\n1,\"[[[0,0]\"\n", "no JSON array of rings"),
        ("name,dimensions,engine,metric\nA,4,['x,CS\n", "no list of words"),
        ("filename,index,set\nno.npy,0,A\n", "no.npy does not exist"),
        ("filename,id\n,1\n", "`filename` is empty"),
        ("ConnectionClass,A@id,B@id\nx,1,\n", "`B@id` is empty"),
        ("EntityClass,v,constraint_v,updateif_<v\nA,1,1,\n", "`updateif_<v` is empty"),
    ] {
        // A good row before and after would have other types; the header is the same.
        let found = reasons(text);
        assert_eq!(found.len(), 1, "{text}");
        match found[0].as_deref() {
            None => assert_eq!(said, "", "{text}"),
            Some(reason) => assert!(!said.is_empty() && reason.contains(said), "{reason}"),
        }
    }
    let (_dir, path) = write("rows.csv", "");
    fs::write(&path, b"EntityClass,id\nA,\xff\nB,2\n").unwrap();
    let mut rows = Vec::new();
    let each = &mut |row: SourceRow<CommandRow>, _| {
        rows.push((row.at.line, row.value.err()));
        ControlFlow::Continue(())
    };
    SdkCsv::open(path).unwrap().read(each).unwrap();
    assert_eq!(rows[1], (Some(3), None));
    assert!(rows[0].1.as_ref().unwrap().contains("`id` is not UTF-8"));
}

/// As Python's csv module and spreadsheets write them.
#[test]
fn rows_stand_on_the_lines_that_an_editor_shows() {
    for end in ["\n", "\r\n"] {
        let text = ["EntityClass,text", "A,one", "A,\"two\nlines\"", "A,three", ""].join(end);
        let (_dir, path) = write("rows.csv", &text);
        let mut lines = Vec::new();
        let each = &mut |row: SourceRow<CommandRow>, _| {
            lines.extend(row.at.line);
            ControlFlow::Continue(())
        };
        SdkCsv::open(path).unwrap().read(each).unwrap();
        assert_eq!(lines, [2, 3, 5], "{end:?}");
    }
}

/// The lines of the rows before the fault, and what was said of it.
fn read_to_fault(path: &Path) -> (Vec<u64>, String) {
    let mut lines = Vec::new();
    let each = &mut |row: SourceRow<CommandRow>, _| {
        assert!(row.value.is_ok(), "{row:?}");
        lines.extend(row.at.line);
        ControlFlow::Continue(())
    };
    let end = SdkCsv::open(path).unwrap().read(each);
    (lines, end.unwrap_err().to_string())
}

#[test]
fn a_quote_left_open_ends_the_reading_where_its_row_begins() {
    for end in ["\n", "\r\n"] {
        for (rest, line) in [("A,\"open", 5), ("A,\"open\nA,5\nA,6\n", 5), ("\nA,\"\n", 6)] {
            let text = format!("EntityClass,id\nA,1\nA,\"2\n\"\n{rest}").replace('\n', end);
            let (_dir, path) = write("rows.csv", &text);
            let (lines, said) = read_to_fault(&path);
            assert_eq!(lines, [2, 3], "{text:?}");
            let place = format!("rows.csv, line {line},");
            assert!(said.contains(&place) && said.contains("`id`"), "{text:?}: {said}");
        }
        let text = "EntityClass,id\nA,1\nA,\"2\n\"".replace('\n', end);
        let (_dir, path) = write("rows.csv", &text);
        assert_eq!(rows(SdkCsv::open(&path).unwrap()).len(), 2, "{text:?}");
    }
    let (_dir, path) = write("rows.csv", "EntityClass,id\nA,1\nA,\"2\nA,\"3\"\nA,4\n");
    let mut outcomes = Vec::new();
    let end = SdkCsv::open(&path).unwrap().read(&mut |row, _| {
        outcomes.push(row.value.map(drop));
        ControlFlow::Continue(())
    });
    end.unwrap();
    let [Ok(()), Err(said), Ok(())] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(said.contains("in line 3 goes on behind its closing quote in line 4"), "{said}");
    let (_dir, path) = write("rows.csv", "EntityClass,\"id\nA,1\n");
    let said = SdkCsv::open(&path).unwrap_err().to_string();
    assert!(said.contains("line 1") && said.contains("quote"), "{said}");
}

#[test]
fn a_row_may_have_as_many_bytes_as_one_of_a_model() {
    let most = usize::try_from(crate::source::MAX_ROW_BYTES).unwrap();
    // The columns' types come from the rows before it alone.
    let (_dir, path) = write("rows.csv.gz", "");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, b"EntityClass,id\nA,1\n\nA,\"").unwrap();
    std::io::Write::write_all(&mut packed, &vec![b'x'; most + (1 << 20)]).unwrap();
    fs::write(&path, packed.finish().unwrap()).unwrap();
    let (lines, said) = read_to_fault(&path);
    assert_eq!(lines, [2]);
    assert!(said.contains("row 2 (line 4) has more than") && said.contains("quote"), "{said}");
}

#[test]
fn a_file_of_no_kind_is_told_what_kinds_there_are() {
    let (_dir, path) = write("rows.csv", "id,name\n1,a\n");
    let error = SdkCsv::open(&path).unwrap_err().to_string();
    assert!(error.contains("id, name are of no kind") && error.contains("EntityClass"), "{error}");
    for empty in ["", "\n\n", ",,\n"] {
        let (_dir, path) = write("rows.csv", empty);
        let error = SdkCsv::open(&path).unwrap_err().to_string();
        assert!(error.contains("rows.csv: ") && error.contains("EntityClass"), "{error}");
        assert_eq!(error.contains("there is no header"), !empty.contains(','), "{error}");
    }
    let error = SdkCsv::open_as(&path, IngestType::Image).unwrap_err().to_string();
    assert!(error.contains("first column of the type IMAGE"), "{error}");
    assert!(SdkCsv::open("no/such.csv").is_err());
}

#[test]
fn columns_are_kept_as_text_when_asked() {
    let (_dir, path) = write("rows.csv", "EntityClass,zip,constraint_zip\nA,007,007\nA,NA,NA\n");
    let mut source = SdkCsv::open(&path).unwrap();
    assert_eq!(source.notices().len(), 2, "{:?}", source.notices());
    assert!(source.as_text("zip") && !source.as_text("no"));
    assert!(source.notices().is_empty(), "{:?}", source.notices());
    let sent: Vec<Json> =
        rows(source).iter().map(|row| row.to_json(Dialect::Classic)[0][0].clone()).collect();
    assert_eq!(sent[0]["AddEntity"]["if_not_found"], json!({"zip": ["==", "007"]}));
    assert_eq!(sent[1]["AddEntity"]["properties"]["zip"], "NA");
}

#[test]
fn packed_files_are_read_and_marks_of_byte_order_are_passed_over() {
    let text = "\u{feff}EntityClass,id,constraint_id\nA,1,1\n\nA,2,2\n";
    let (_dir, path) = write("rows.csv.gz", "");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
    fs::write(&path, packed.finish().unwrap()).unwrap();
    let source = SdkCsv::open(&path).unwrap();
    assert_eq!((source.kind(), source.size()), (IngestType::Entity, None));
    assert_eq!(rows(source).len(), 2);
    assert_eq!(rows(SdkCsv::open(&path).unwrap().most_rows(1)).len(), 1);
}

#[test]
fn files_are_videos_if_the_first_is_one() {
    let (_dir, path) = write("rows.csv", "url,id\nhttps://x/a.mp4?t=1,1\n");
    assert_eq!(SdkCsv::open(&path).unwrap().kind(), IngestType::Video);
    let (_dir, path) = write("rows.csv", "url,id\nhttps://x/a,1\n");
    assert_eq!(SdkCsv::open(&path).unwrap().kind(), IngestType::Image);
}

#[test]
fn files_without_a_guard_say_so() {
    let notice = |text: &str| {
        let (_dir, path) = write("rows.csv", text);
        SdkCsv::open(path).unwrap().notices().concat()
    };
    assert!(notice("EntityClass,id\nA,1\n").contains("a second run adds all of them again"));
    assert_eq!(notice("EntityClass,id,constraint_id\nA,1,1\n"), "");
    assert_eq!(notice("name,dimensions,engine,metric\nA,4,HNSW,CS\n"), "");
}

#[test]
fn failed_rows_are_read_again_from_their_letters() {
    use crate::{
        RowFailure,
        letters::{DeadLetters, Header, Letter, LetterFile},
        pipeline::Stage,
    };
    let text = "ConnectionClass,A@id,A@id,zip\nx,1,2,007\nx,3,,x\n";
    let (dir, path) = write("rows.csv", text);
    let source = SdkCsv::open(&path).unwrap();
    let header = Header::new(source.rows_are(), source.media_root().dir().display().to_string());
    let place = dir.path().join("letters.jsonl");
    let letters = DeadLetters::at(&place).open(header).unwrap();
    let mut first = Vec::new();
    source
        .read(&mut |row, _| {
            let failure = RowFailure::new(row.at, Stage::Write, "no".to_owned());
            letters.put(Letter::of(&failure, row.identity, &row.raw));
            first.push(row.value.map(|row| row.unwrap().to_json(Dialect::Classic)));
            ControlFlow::Continue(())
        })
        .unwrap();
    letters.close().unwrap();
    // The second row lacks an end; it is mended where it lies.
    assert!(first[1].as_ref().unwrap_err().contains("`A@id` is empty"));
    let mended = fs::read_to_string(&place).unwrap().replace(r#"["3",""]"#, r#"["3",4]"#);
    fs::write(&place, mended).unwrap();
    let again = SdkCsv::of_letters(LetterFile::open(&place).unwrap()).unwrap();
    assert_eq!(again.kind(), IngestType::Connection);
    let mut second = Vec::new();
    again
        .read(&mut |row, _| {
            second.push((row.at.line, row.value.unwrap().unwrap().to_json(Dialect::Classic)));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(second[0], (Some(2), first[0].clone().unwrap()));
    // Its column is one of text in the table, whatever the letter holds.
    let find = &second[1].1[0][1]["FindEntity"]["constraints"];
    assert_eq!((second[1].0, find), (Some(3), &json!({"id": ["==", 4.0]})));
}

#[test]
fn parts_of_a_file_are_all_of_it() {
    let text: String = (1..=10).map(|id| format!("A,{id}\n")).collect();
    let (_dir, path) = write("rows.csv", &format!("EntityClass,id\n{text}"));
    let ids = |selection: Selection| -> Vec<Json> {
        let source = SdkCsv::open(&path).unwrap().select(selection);
        let id = |row: &CommandRow| {
            row.to_json(Dialect::Classic)[0][0]["AddEntity"]["properties"]["id"].clone()
        };
        rows(source).iter().map(id).collect()
    };
    let mut part = Selection::default();
    (part.offset, part.limit) = (2, Some(3));
    assert_eq!(ids(part), [3, 4, 5]);
    let share =
        |number| ids(Selection { shard: crate::Shard::new(number, 3), ..Selection::default() });
    let mut all = [share(1), share(2), share(3)].concat();
    assert!(all.len() == 10 && share(1).len() < 5);
    all.sort_by_key(Json::as_u64);
    assert_eq!(all, (1..=10).map(Json::from).collect::<Vec<_>>());
}

#[test]
fn files_that_look_up_what_others_add_need_them() {
    let dir = tempfile::tempdir().unwrap();
    let open = |(name, text): (&str, &str)| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        SdkCsv::open(path).unwrap()
    };
    let [people, cities, images, sets, lives, shows, boxes, vectors] = [
        ("people.csv", "EntityClass,id\nPerson,1\nChild,1\n"),
        ("cities.csv", "EntityClass,id\nCity,1\n"),
        ("images.csv", "filename,id\na.png,1\n"),
        ("sets.csv", "name,dimensions,engine,metric\nA,4,HNSW,CS\n"),
        ("lives.csv", "ConnectionClass,Child@id,City@id\nLives,1,1\n"),
        ("shows.csv", "ConnectionClass,_Image@id,Person@id\nShows,1,1\n"),
        ("boxes.csv", "id,x_pos,y_pos,width,height\n1,1,2,3,4\n"),
        ("vectors.csv", "filename,index,set\na.npy,0,A\n"),
    ]
    .map(open);
    let all = [&people, &cities, &images, &sets, &lives, &shows, &boxes, &vectors];
    for (source, needed) in [
        (&lives, &[&people, &cities][..]),
        (&shows, &[&people, &images]),
        (&boxes, &[&images]),
        (&vectors, &[&sets]),
        (&people, &[]),
        (&images, &[]),
    ] {
        let found: Vec<&Path> =
            all.iter().filter(|other| source.needs(other)).map(|other| other.path()).collect();
        let needed: Vec<&Path> = needed.iter().map(|other| other.path()).collect();
        assert_eq!(found, needed, "{source:?}");
    }
}
