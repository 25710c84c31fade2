use std::ops::ControlFlow;

use adb_model::{FieldRole, FieldSchema, ObjectKind, Relation, SchemaRef};
use serde_json::{Value as Json, json};

use super::*;

const fn property(name: &'static str, value_type: adb_model::ValueType) -> FieldSchema {
    FieldSchema::named(name, FieldRole::Property { value_type, optional: true, indexed: false })
}

static INGREDIENT: ModelSchema = ModelSchema {
    name: "Ingredient",
    class: "Ingredient",
    fields: &[FieldSchema::named("name", FieldRole::Id(adb_model::ValueType::String))],
    ..ModelSchema::BARE
};

static DISH: ModelSchema = ModelSchema {
    name: "Dish",
    class: "Dish",
    kind: ObjectKind::Image,
    fields: &[
        FieldSchema::named("id", FieldRole::Id(adb_model::ValueType::Int)),
        property("name", adb_model::ValueType::String),
        property("price", adb_model::ValueType::Float),
        property("extra", adb_model::ValueType::Json),
        FieldSchema::named(
            "ingredients",
            FieldRole::Children {
                relation: Relation::Connection("Has"),
                edge: &[property("grams", adb_model::ValueType::Int)],
                many: true,
                optional: true,
                model: SchemaRef::Declared(|| &INGREDIENT),
                made: None,
            },
        ),
    ],
    ..ModelSchema::BARE
};

struct Read {
    rows: Vec<Result<Json, String>>,
    lines: Vec<u64>,
    end: Result<(), String>,
}

fn read_with(name: &str, text: &[u8], set: impl FnOnce(CsvObjects) -> CsvObjects) -> Read {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    let source = set(CsvObjects::open(&path).unwrap());
    let end = source.read(&DISH, &mut |row, _| {
        lines.push(row.at.line.unwrap());
        rows.push(row.object.and_then(|o| Ok(o.unwrap().into_object()?.into())));
        ControlFlow::Continue(())
    });
    Read { rows, lines, end: end.map_err(|e| e.to_string()) }
}

fn read(text: &str) -> Read {
    read_with("rows.csv", text.as_bytes(), |source| source)
}

/// All rows, none of which is at fault.
fn good(read: Read) -> Vec<Json> {
    read.end.unwrap();
    read.rows.into_iter().map(Result::unwrap).collect()
}

#[test]
fn cells_are_typed_and_quoted_line_breaks_keep_line_numbers_right() {
    let text = "\u{feff}id,name,price\r\n1,\"two\r\nlines, \"\"quoted\"\"\",1.5\r\n\r\n2,,\r\n";
    let read = read(text);
    assert_eq!(read.lines, [2, 5]);
    assert_eq!(
        good(read),
        [json!({"id": 1, "name": "two\r\nlines, \"quoted\"", "price": 1.5}), json!({"id": 2})]
    );
}

#[test]
fn line_numbers_are_right_over_many_reads_of_the_file() {
    for end in ["\n", "\r\n"] {
        let mut text = format!("id,name{end}");
        let mut expected = Vec::new();
        for i in 0..3000 {
            expected.push(text.matches('\n').count() as u64 + 1);
            text += &format!("{i},\"{}\"{end}", "x\n".repeat(i % 3));
            text += &end.repeat(i % 2);
        }
        let read = read(text.trim_end());
        assert_eq!(read.lines, expected);
        assert_eq!(good(read).len(), 3000);
    }
}

#[test]
fn what_stands_between_cells_is_seen_from_the_header() {
    for (name, text) in [
        ("rows.csv", "id;name\n1;a,b\n"),
        ("rows.csv", "id\tname\n1\ta,b\n"),
        ("rows.csv", "id|name\n1|a,b\n"),
        ("rows.csv", "id,name\n1,\"a,b\"\n"),
        ("rows.tsv", "id\tname\n1\ta,b\n"),
        // More names with commas in them than columns, but those are known.
        ("rows.csv", "id;name;x,y,z,a,b,c\n1;a,b;\n"),
    ] {
        let rows = good(read_with(name, text.as_bytes(), |source| source));
        assert_eq!(rows, [json!({"id": 1, "name": "a,b"})], "{text}");
    }
    // The whole header counts, not its first bytes alone.
    let rows = good(read_with("rows.csv", b"another column;id;name\nx;1;a,b\n", |source| source));
    assert_eq!((&rows[0]["id"], &rows[0]["name"]), (&json!(1), &json!("a,b")));
    let rows = good(read_with("rows.csv", b"id:name\n1:a", |source| source.delimiter(b':')));
    assert_eq!(rows, [json!({"id": 1, "name": "a"})]);
}

#[test]
fn columns_are_mapped() {
    let text = b"Dish no,Title,rest\n1,a,x\n";
    let read = read_with("rows.csv", text, |source| {
        source.map("Dish no", "id").map("Title", "name").map("rest", "")
    });
    assert_eq!(good(read), [json!({"id": 1, "name": "a"})]);
    let read = read_with("rows.csv", text, |source| source.map("Dish", "id"));
    let end = read.end.unwrap_err();
    assert!(end.contains("no column `Dish`") && end.contains("Dish no, Title, rest"), "{end}");
}

#[test]
fn children_stand_in_columns_or_in_a_cell() {
    let expected = json!({"id": 1, "ingredients": [
        {"name": "rice", "grams": 50}, {"name": "salt", "grams": 1}]});
    for text in [
        "id,ingredients[0].name,ingredients[0].grams,ingredients[1].name,ingredients[1].grams\n1,rice,50,salt,1\n",
        "id,ingredients[].name,ingredients[].grams\n1,rice|salt,50|1\n",
        "id,ingredients[].name,ingredients[].grams\n1,\"[\"\"rice\"\",\"\"salt\"\"]\",\"[50,1]\"\n",
        "id,ingredients\n1,\"[{\"\"name\"\":\"\"rice\"\",\"\"grams\"\":50},{\"\"name\"\":\"\"salt\"\",\"\"grams\"\":1}]\"\n",
    ] {
        assert_eq!(good(read(text)), std::slice::from_ref(&expected), "{text}");
    }
    // Items that are not there leave no hole.
    let text = "id,ingredients[0].name,ingredients[1].name\n1,,salt\n2,,\n";
    assert_eq!(
        good(read(text)),
        [json!({"id": 1, "ingredients": [{"name": "salt"}]}), json!({"id": 2})]
    );
    let uneven = read("id,ingredients[].name,ingredients[].grams\n1,rice|salt,50\n2,rice,5\n");
    let reason = uneven.rows[0].as_ref().unwrap_err();
    assert!(reason.contains("lists 1 items") && reason.contains("lists 2"), "{reason}");
    assert!(uneven.rows[1].is_ok());
}

#[test]
fn parts_of_what_is_json_stand_in_columns() {
    let rows = good(read("id,extra.a,extra.b.c\n1,2,x\n"));
    assert_eq!(rows, [json!({"id": 1, "extra": {"a": 2, "b": {"c": "x"}}})]);
    let clash = read("id,extra,extra.a\n1,\"[1]\",2\n");
    assert!(clash.rows[0].as_ref().unwrap_err().contains("another column says otherwise"));
}

#[test]
fn lines_of_another_length_and_cells_that_are_no_text_cost_their_rows() {
    let read = read_with("rows.csv", b"id,name\n1\n2,b,c\n3,\xff\n4,d\n", |source| source);
    read.end.unwrap();
    assert!(read.rows[0].as_ref().unwrap_err().contains("1 cells, the header 2"));
    assert!(read.rows[1].as_ref().unwrap_err().contains("3 cells"));
    assert!(read.rows[2].as_ref().unwrap_err().contains("`name` is not UTF-8"));
    assert_eq!(read.rows[3], Ok(json!({"id": 4, "name": "d"})));
}

#[test]
fn headers_that_can_not_be_meant_are_refused() {
    for (text, words) in [
        ("id,id\n", "two columns are called `id`"),
        ("id,ingredients[99999999].name\n", "beyond the 10000"),
        ("id,ingredients[].ingredients[].name\n", ""),
    ] {
        let read = read(text);
        match words {
            "" => assert!(read.end.is_ok()),
            words => {
                let end = read.end.unwrap_err();
                assert!(end.contains(words) && end.contains("line 1"), "{end}");
            }
        }
    }
    // Columns without names are nobody's.
    assert_eq!(good(read(",id,\n0,1,2\n")), [json!({"id": 1})]);
}

#[test]
fn a_quote_left_open_is_no_reason_to_hold_the_file() {
    let text = format!("id,name\n1,a\n2,\"open\n{}", "3,b\n".repeat(100_000));
    let read = read_with("rows.csv", text.as_bytes(), |source| source.max_row_bytes(10_000));
    assert_eq!(read.rows.len(), 1);
    let end = read.end.unwrap_err();
    let said = "row 2 (line 3) has more than 10000 bytes";
    assert!(end.contains(said) && end.contains("quote"), "{end}");
}

#[test]
fn a_quote_left_open_ends_the_reading_where_its_record_begins() {
    for (text, rows, place, cell) in [
        ("id,name\n1,\"open\n2,b\n3,c\n", 0, "line 2", "`name`"),
        ("id,name\n1,\"a\nb\"\n2,\"open\n3,c\n", 1, "line 4", "`name`"),
        ("id,name\n1,a\n\n2,\"open", 1, "line 4", "`name`"),
        ("id,name\n1,a\n2,\"", 1, "line 3", "`name`"),
        ("id,name\n1,a\n2,\"a\"\"\n", 1, "line 3", "`name`"),
        ("id,name\n1,a\n\"2,b\n", 1, "line 3", "`id`"),
        ("id,name\n1,a\n2,b,\"c\n", 1, "line 3", "cell 3"),
        ("id,\"name\n1,a\n", 0, "line 1", "cell 2"),
    ] {
        for end in ["\n", "\r\n"] {
            let text = text.replace('\n', end);
            let read = read(&text);
            assert_eq!(read.rows.iter().filter(|row| row.is_ok()).count(), rows, "{text:?}");
            assert_eq!(read.rows.len(), rows, "{text:?}");
            let said = read.end.unwrap_err();
            assert!(said.contains(place) && said.contains(cell), "{text:?}: {said}");
            assert!(said.contains("rows.csv") && said.contains("doubled"), "{said}");
        }
    }
}

#[test]
fn a_quote_left_open_that_a_later_one_closes_costs_the_rows_between_and_tells_of_them() {
    for (text, lines, good) in [
        // The number of cells fits in all of them.
        ("id,name\n1,\"open\n2,\"two, three\"\n4,d\n", (2, 3), 1),
        ("id,name\n1,\"open\n2,b\n3,c\n4,\"four\"\n5,e\n", (2, 5), 1),
        ("\"id\",\"name\"\n\"1\",\"a\"\n\"2\",\"open\n\"3\",\"c\"\n\"4\",\"d\"\n", (3, 4), 2),
        ("id,name\n1,\"open\n2,\"\"\n3,\"c\"\n4,d\n", (2, 4), 1),
    ] {
        for end in ["\n", "\r\n"] {
            let read = read(&format!("\u{feff}{text}").replace('\n', end));
            read.end.unwrap();
            let faults: Vec<_> = read.rows.iter().filter_map(|row| row.as_ref().err()).collect();
            let [fault] = faults[..] else { panic!("{text:?}: {:?}", read.rows) };
            let (opened, closed) = lines;
            assert!(fault.contains(&format!("in line {opened} goes on behind")), "{fault}");
            assert!(fault.contains(&format!("in line {closed}:")), "{text:?}: {fault}");
            assert_eq!(read.rows.len() - 1, good, "{text:?}: {:?}", read.rows);
        }
    }
    let read = read("id,\"name\n1,\"a\"\n2,b\n");
    assert!(read.end.unwrap_err().contains("in line 1 goes on behind"), "{:?}", read.rows);
}

/// In whatever portions it comes.
#[test]
fn quotes_are_followed_over_the_ends_of_what_was_read() {
    let text = "a,b\n1,\"x\ny\"z,\"\"\n2,\"p\"\"\nq\" r\n";
    let at = |what: &str| text.find(what).unwrap() as u64;
    for portion in 1..text.len() {
        let mut quotes = quotes::Quotes::new(b',');
        text.as_bytes().chunks(portion).for_each(|bytes| quotes.pass(bytes));
        assert_eq!(quotes.fault_before(at("z")), None);
        let first = quotes.fault_before(at("2")).unwrap();
        assert!(first.contains("line 2") && first.contains("line 3"), "{first}");
        let second = quotes.fault_before(u64::MAX).unwrap();
        assert!(second.contains("line 4") && second.contains("line 5"), "{second}");
    }
}

#[test]
fn quotes_that_are_closed_or_within_a_cell_are_no_fault() {
    for (text, name) in [
        ("id,name\n1,\"\"", json!(null)),
        ("id,name\n1,\"\"\n", json!(null)),
        ("id,name\n1,\"a\nb\"", json!("a\nb")),
        ("id,name\n1,\"a\n\"\n\n", json!("a\n")),
        ("id,name\n1,\"a\n\"\"\"", json!("a\n\"")),
        ("id,name\n1,5\" pan", json!("5\" pan")),
        ("id,name\n1,a \"b", json!("a \"b")),
        ("id,name\n1, \"b\n", json!(" \"b")),
        ("id,name\n1,\"a\"b\"\n", json!("ab\"")),
    ] {
        for end in ["\n", "\r\n"] {
            let rows = good(read(&text.replace('\n', end)));
            let name = match &name {
                Json::String(name) => name.replace('\n', end).into(),
                name => name.clone(),
            };
            assert_eq!((rows.len(), &rows[0]["name"]), (1, &name), "{text:?}");
        }
    }
}

#[test]
fn a_quote_left_open_in_a_packed_file_is_told_as_well() {
    use std::io::Write as _;
    let mut text = "id,name\n".to_owned();
    // Over many reads of the file.
    (0..3000).for_each(|i| text += &format!("{i},\"{}\"\n", "x\n".repeat(i % 3)));
    let line = text.matches('\n').count() + 1;
    text += "3000,\"open\n3001,b\n";
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let read = read_with("rows.csv.gz", &packed.finish().unwrap(), |source| source);
    assert_eq!(read.rows.len(), 3000);
    let said = read.end.unwrap_err();
    assert!(said.contains(&format!("line {line},")), "{line}: {said}");
}

#[test]
fn identities_are_the_same_on_every_run_and_others_for_other_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.csv");
    std::fs::write(&path, "id\n1\n1\n").unwrap();
    let identities = || {
        let mut all = Vec::new();
        CsvObjects::open(&path)
            .unwrap()
            .read(&DISH, &mut |row, _| {
                all.push(row.identity);
                ControlFlow::Continue(())
            })
            .unwrap();
        all
    };
    let first = identities();
    assert_eq!(first, identities());
    assert_ne!(first[0], first[1]);
}
