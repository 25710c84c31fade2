use std::path::Path;

use adb_model::document::{Document, LoadedModel};
use serde_json::{Value as Json, json};

use super::*;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A folder as people have them.
fn photos() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "top.jpg", "t");
    write(root, "indian/dal.jpg", "d");
    write(root, "indian/dal.txt", " creamy \n");
    write(root, "indian/dal.json", r#"{"rating": 5}"#);
    write(root, "indian/deep/naan.PNG", "n");
    write(root, "indian/deep/naan.PNG.json", r#"{"rating": 4.5, "tags": ["bread"]}"#);
    write(root, "japanese/ramen.jpeg", "r");
    write(root, "japanese/notes.md", "no picture");
    write(root, ".hidden/x.jpg", "x");
    write(root, "japanese/.x.jpg", "x");
    dir
}

fn model(source: &DirObjects) -> LoadedModel {
    source.observed(PlainModel::new(ObjectKind::Image)).unwrap().document().load().unwrap()
}

/// Where a row stands, and the row.
type Placed = (String, Result<Json, String>);

fn rows(source: DirObjects) -> Result<Vec<Placed>, Error> {
    let model = model(&source);
    let mut rows = Vec::new();
    source.read(model.schema(), &mut |row, _| {
        let object = row.object.and_then(|o| Ok(o.unwrap().into_object()?.into()));
        rows.push((row.at.to_string(), object));
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

fn good(source: DirObjects) -> Vec<Json> {
    rows(source).unwrap().into_iter().map(|(_, row)| row.unwrap()).collect()
}

fn faults(source: DirObjects) -> Vec<(String, String)> {
    let rows = rows(source).unwrap();
    rows.into_iter().filter_map(|(at, row)| Some((at, row.err()?))).collect()
}

#[test]
fn files_are_rows_with_what_lies_beside_them() {
    let dir = photos();
    let source = DirObjects::open(dir.path()).unwrap().folder_as("cuisine").text_as("caption");
    let types = model(&source);
    let fields: Vec<&str> = types.schema().fields.iter().map(|f| f.key).collect();
    assert_eq!(
        fields,
        ["path", "source", "caption", "cuisine", "filename", "folder", "rating", "tags"]
    );
    assert_eq!(
        good(source),
        [
            json!({"path": "indian/dal.jpg", "filename": "dal.jpg", "folder": "indian",
                "cuisine": "indian", "caption": "creamy", "rating": 5, "source": "indian/dal.jpg"}),
            json!({"path": "indian/deep/naan.PNG", "filename": "naan.PNG", "folder": "indian/deep",
                "cuisine": "indian", "rating": 4.5, "tags": ["bread"],
                "source": "indian/deep/naan.PNG"}),
            json!({"path": "japanese/ramen.jpeg", "filename": "ramen.jpeg", "folder": "japanese",
                "cuisine": "japanese", "source": "japanese/ramen.jpeg"}),
            json!({"path": "top.jpg", "filename": "top.jpg", "folder": "", "source": "top.jpg"}),
        ]
    );
}

#[test]
fn patterns_choose() {
    let dir = photos();
    let names = |patterns: &[&str]| -> Vec<String> {
        let mut source = DirObjects::open(dir.path()).unwrap();
        for pattern in patterns {
            source = source.glob(*pattern).unwrap();
        }
        good(source).iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["*.jpg"]), ["top.jpg"]);
    assert_eq!(names(&["**/*.jpg"]), ["indian/dal.jpg", "top.jpg"]);
    assert_eq!(names(&["indian/**", "*/*.{jpeg,md}"]).len(), 7);
    let e = DirObjects::open(dir.path()).unwrap().glob("{a").unwrap_err().to_string();
    assert!(e.contains("**/*.jpg"), "{e}");
}

#[test]
fn files_of_any_kind_are_not_what_is_said_of_them() {
    let dir = photos();
    let source = DirObjects::open(dir.path()).unwrap();
    let model = source.observed(PlainModel::new(ObjectKind::Blob)).unwrap().document();
    let mut paths = Vec::new();
    source
        .read(model.load().unwrap().schema(), &mut |row, _| {
            paths.push(row.object.unwrap().unwrap().into_object().unwrap()["path"].clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(paths.len(), 5, "{paths:?}");
    assert!(paths.contains(&json!("japanese/notes.md")));
}

#[test]
fn a_table_is_joined_and_its_rows_without_a_file_fail() {
    let dir = photos();
    write(
        dir.path(),
        "props.csv",
        "file,stars,code\ndal,5,007\nindian/deep/naan.PNG,,9\nnone.jpg,1,1\n",
    );
    let source =
        || DirObjects::open(dir.path()).unwrap().table(dir.path().join("props.csv"), "file");
    let all = rows(source()).unwrap();
    let dal = all[0].1.as_ref().unwrap();
    assert_eq!((&dal["stars"], &dal["code"]), (&json!(5), &json!("007")));
    assert_eq!(all[1].1.as_ref().unwrap()["code"], "9");
    let faults = faults(source());
    assert_eq!(faults.len(), 1);
    assert!(faults[0].0.ends_with("props.csv, row 3 (line 4)"), "{faults:?}");
    assert!(faults[0].1.contains("is called \"none.jpg\""), "{faults:?}");
    write(dir.path(), "props.csv", "file,stars\ndal,5\ndal,4\n");
    let e = rows(source()).unwrap_err().to_string();
    assert!(e.contains("line 3") && e.contains("as in row 1"), "{e}");
    write(dir.path(), "props.csv", "name,stars\ndal,5\n");
    let e = rows(source()).unwrap_err().to_string();
    assert!(e.contains("no text in `file`") && e.contains("has: `name`, `stars`"), "{e}");
    assert!(!e.contains("were ingested"), "{e}");
}

#[test]
fn neither_a_table_nor_a_file_beside_says_where_a_file_lies() {
    let dir = photos();
    write(dir.path(), "props.csv", "file,path,stars\ndal,x,5\nnaan,x,4\ntop,top.jpg,3\n");
    let source =
        || DirObjects::open(dir.path()).unwrap().table(dir.path().join("props.csv"), "file");
    let faults = faults(source());
    assert_eq!(faults.len(), 2, "{faults:?}");
    for ((at, reason), file) in faults.iter().zip(["dal.jpg", "naan.PNG"]) {
        assert!(at.ends_with(file) && reason.contains("the table has a `path`"), "{faults:?}");
        assert!(reason.contains("rename that one"), "{reason}");
    }
    // What says the same, or names files by it, takes no place.
    write(dir.path(), "props.csv", "path,stars\ntop.jpg,5\n");
    let source = DirObjects::open(dir.path()).unwrap().table(dir.path().join("props.csv"), "path");
    assert_eq!(good(source)[3]["stars"], 5);
    write(dir.path(), "top.json", "{\"path\": \"x\"}");
    let rows = rows(DirObjects::open(dir.path()).unwrap()).unwrap();
    let reason = rows[3].1.as_ref().unwrap_err();
    assert!(reason.contains("the file beside it has a `path`"), "{reason}");
}

#[test]
fn a_name_may_be_the_number_that_a_table_has() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["007.jpg", "8.jpg", "9.jpg"] {
        write(dir.path(), name, "x");
    }
    write(dir.path(), "dishes.csv", "photo,no\n007.jpg,7\n8.jpg,8\n9.jpg,10\n");
    let model = Document::parse(
        r#"{"version": 1, "models": [{"name": "Dish", "class": "Dish", "kind": "image", "fields": [
            {"name": "no", "key": "no", "property": "no", "role": "id", "type": "int"},
            {"name": "image", "key": "image", "property": "image", "role": "media",
             "kind": "image", "optional": false}]}]}"#,
    )
    .unwrap()
    .load()
    .unwrap();
    let source = DirObjects::open(dir.path()).unwrap().map("stem", "no");
    let source = source.table(dir.path().join("dishes.csv"), "photo");
    let mut numbers = Vec::new();
    let each = &mut |row: ObjectRow<'_>, _| {
        let object = row.object.and_then(|object| object.unwrap().into_object());
        numbers.push(object.map(|object| object["no"].clone()).ok());
        ControlFlow::Continue(())
    };
    source.read(model.schema(), each).unwrap();
    assert_eq!(numbers, [Some(json!(7)), Some(json!(8)), None]);
}

#[test]
fn what_is_found_is_a_property_by_the_name_that_it_is_read_as() {
    let dir = photos();
    write(dir.path(), "props.csv", "file,stars,rest\ndal,5,x\n");
    let source = DirObjects::open(dir.path()).unwrap().table(dir.path().join("props.csv"), "file");
    let source = source.map("stars", "points").map("rating", "marks").map("rest", "");
    let types = model(&source);
    let fields: Vec<&str> = types.schema().fields.iter().map(|f| f.key).collect();
    assert_eq!(fields, ["path", "source", "filename", "folder", "marks", "points", "tags"]);
    let dal = &good(source)[0];
    assert_eq!((&dal["points"], &dal["marks"]), (&json!(5), &json!(5)));
    assert!(dal.get("rest").is_none() && dal.get("").is_none(), "{dal}");
}

#[test]
fn a_manifest_is_written_and_then_checked() {
    let dir = photos();
    let manifest = dir.path().join("manifest.sha256");
    let source = || DirObjects::open(dir.path()).unwrap().manifest(&manifest);
    assert_eq!(good(source()).len(), 4);
    let text = fs::read_to_string(&manifest).unwrap();
    assert_eq!(text.lines().count(), 4);
    // SHA-256 of `d`.
    assert!(text.starts_with(
        "18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4  indian/dal.jpg\n"
    ));
    assert_eq!(good(source()).len(), 4);

    write(dir.path(), "indian/dal.jpg", "other");
    write(dir.path(), "new.jpg", "new");
    fs::remove_file(dir.path().join("top.jpg")).unwrap();
    let faults = faults(source());
    for (i, (file, words)) in [
        ("indian/dal.jpg", "is not what the manifest"),
        ("new.jpg", "has no such file"),
        ("top.jpg", "is not there"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(faults[i].0.ends_with(file) && faults[i].1.contains(words), "{faults:?}");
    }
    assert_eq!(fs::read_to_string(&manifest).unwrap(), text);
    fs::write(&manifest, "nonsense\n").unwrap();
    let e = rows(source()).unwrap_err().to_string();
    assert!(e.contains("line 1") && e.contains("no line of a manifest"), "{e}");
}

#[test]
fn a_run_that_is_stopped_writes_no_manifest() {
    let dir = photos();
    let manifest = dir.path().join("manifest.sha256");
    let source = DirObjects::open(dir.path()).unwrap().manifest(&manifest);
    let model = model(&source);
    source.read(model.schema(), &mut |_, _| ControlFlow::Break(())).unwrap();
    assert!(!manifest.exists());
}

#[cfg(unix)]
#[test]
fn links_never_lead_out() {
    use std::os::unix::fs::symlink;
    let dir = photos();
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret.jpg", "s");
    write(outside.path(), "secret.json", "{\"a\": 1}");
    let root = dir.path();
    symlink(outside.path().join("secret.jpg"), root.join("a.jpg")).unwrap();
    symlink(outside.path(), root.join("b")).unwrap();
    symlink("nowhere", root.join("c.jpg")).unwrap();
    symlink(root.join("indian/dal.jpg"), root.join("d.jpg")).unwrap();
    symlink(outside.path().join("secret.json"), root.join("top.json")).unwrap();
    // A circle.
    symlink(root, root.join("indian/up")).unwrap();
    let all = rows(DirObjects::open(root).unwrap()).unwrap();
    let said = |name: &str| {
        all.iter().find(|(at, _)| at.ends_with(name)).unwrap().1.as_ref().unwrap_err().as_str()
    };
    for name in ["/a.jpg", "/b", "/top.jpg"] {
        assert!(said(name).contains("leads out of the folder"), "{}", said(name));
    }
    assert!(said("/c.jpg").contains("leads nowhere"));
    assert_eq!(all.iter().filter(|(_, row)| row.is_ok()).count(), 4, "{all:?}");
    assert!(all.iter().any(|(at, row)| at.ends_with("/d.jpg") && row.is_ok()));
}

#[cfg(unix)]
#[test]
fn links_that_nobody_asked_for_cost_nothing() {
    use std::os::unix::fs::symlink;
    let dir = photos();
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "notes.md", "n");
    symlink("nowhere", dir.path().join("dead.txt")).unwrap();
    symlink("nowhere", dir.path().join("japanese/dead.jpg")).unwrap();
    symlink(outside.path().join("notes.md"), dir.path().join("out.md")).unwrap();
    let only = |pattern: &str| DirObjects::open(dir.path()).unwrap().glob(pattern).unwrap();
    assert_eq!(good(only("indian/**/*.jpg")).len(), 1);
    let found = faults(DirObjects::open(dir.path()).unwrap());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0.ends_with("japanese/dead.jpg"), "{found:?}");
    assert_eq!(faults(only("*.md")).len(), 1);
    // What lies in a folder, a pattern can't tell.
    symlink(outside.path(), dir.path().join("album")).unwrap();
    assert!(faults(only("**/*.jpg")).iter().any(|(at, _)| at.ends_with("/album")));
}

#[test]
fn sidecars_that_are_broken_cost_their_row() {
    let dir = photos();
    write(dir.path(), "top.json", "[1]");
    write(dir.path(), "indian/dal.json", "{broken");
    let faults = faults(DirObjects::open(dir.path()).unwrap());
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].1.starts_with("indian/dal.json beside it: "), "{faults:?}");
    assert!(faults[1].1.contains("a row is an object"), "{faults:?}");
}

#[test]
fn what_is_no_folder_is_refused() {
    let dir = photos();
    let e = DirObjects::open(dir.path().join("top.jpg")).unwrap_err().to_string();
    assert!(e.contains("top.jpg") && e.contains("not a folder"), "{e}");
}
