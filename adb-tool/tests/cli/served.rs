//! Commands on a database that a server holds: what they answer is what they answer on its
//! directory, and what a directory does not have, users and tokens, works.
#![cfg(unix)]

use std::{fs, process::Output};

use serde_json::{Value as Json, json};

use crate::{
    common::Served,
    dump,
    local_web::{Web, ok},
    place::{ADB, Place, said},
};

const MODEL: &str = "examples/data/cookbook/dish.model.json";

/// The dishes behind a server.
struct Live {
    place: Place,
    server: Served,
}

impl Live {
    fn start(place: Place) -> Self {
        let more = ["--init", "--rest", "127.0.0.1:0", "--fetch-allow", "127.0.0.1"];
        let server = Served::start_by(place.command(ADB), &more);
        Self { place, server }
    }

    fn port(&self) -> &str {
        self.server.address.rsplit_once(':').unwrap().1
    }

    fn password(&self) -> String {
        self.server.password().replace('+', "%2B")
    }

    fn framed(&self) -> String {
        format!("adb://admin:{}@{}?tls=off", self.password(), self.server.address)
    }

    fn rest(&self) -> String {
        let rest = self.server.told("REST: http://").unwrap();
        format!("http://admin:{}@{rest}", self.password())
    }

    /// `adb serve user …`, on the accounts of the server that runs.
    fn user(&self, arguments: &[&str]) -> String {
        let all: Vec<&str> = [&["serve", "user"], arguments, &["--db", "my.adb"]].concat();
        let told = self.place.prints(&all);
        told.trim().rsplit_once(": ").map(|(_, secret)| secret.to_owned()).unwrap_or_default()
    }

    /// One command with a key in the environment and no `--db`.
    fn by_key(&self, key: &str, arguments: &[&str]) -> Output {
        let mut command = self.place.command(ADB);
        command.args(arguments).env("APERTUREDB_KEY", key.trim()).output().unwrap()
    }
}

#[test]
fn a_server_and_its_directory_answer_the_same() {
    let place = Place::with_dishes();
    let find = json!([{"FindImage": {"_ref": 1, "constraints": {"cuisine": ["==", "Indian"]},
            "blobs": true, "results": {"list": ["dish_id", "name"]}}},
        {"FindDescriptor": {"is_connected_to": {"ref": 1}, "set": "dish_photos", "blobs": true}}]);
    place.write("find.json", &find.to_string());
    let all: [(&str, &[&str]); 6] = [
        ("found", &["search", "creamy curry", "-k", "5", "--json"]),
        (
            "filtered",
            &[
                "search",
                "--image",
                "examples/data/cookbook/images/pizza.png",
                "--json",
                "--where",
                "cuisine == 'Italian'",
            ],
        ),
        ("asked", &["transact", "from-json-file", "find.json", "--blobs-to"]),
        ("described", &["schema", "--json"]),
        ("exported", &["export"]),
        ("status", &["utils", "execute", "status"]),
    ];
    let run = |place: &Place, db: &str, mark: &str| -> Vec<String> {
        let printed = all.iter().map(|(what, command)| {
            let to = format!("{what}-{mark}");
            let mut arguments = command.to_vec();
            match *what {
                "asked" => arguments.push(&to),
                "exported" => arguments.extend([&*to, "--vectors", "--model", MODEL]),
                _ => {}
            }
            arguments.extend(["--db", db]);
            place.prints(&arguments).replace(&to, "TO")
        });
        printed.collect()
    };
    let of_directory = run(&place, "my.adb", "directory");
    assert!(of_directory[0].contains("similarity") && of_directory[4].contains("22 rows"));
    let live = Live::start(place);
    for (mark, address) in [("framed", live.framed()), ("rest", live.rest())] {
        assert_eq!(run(&live.place, &address, mark), of_directory, "{mark}");
        let files = |folder: &str, of: &str| {
            let folder = live.place.file(&format!("{folder}-{of}"));
            let mut names: Vec<_> =
                fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
            names.sort();
            let read = names.iter().filter(|path| path.is_file());
            read.map(|path| fs::read(path).unwrap()).collect::<Vec<_>>()
        };
        for folder in ["asked", "exported"] {
            let of_server = files(folder, mark);
            assert!(of_server.len() > 1, "{folder}");
            assert_eq!(of_server, files(folder, "directory"), "{folder} by {mark}");
        }
    }
}

/// A whole database through a server, and into another one: also what a server alone fetches.
#[test]
fn a_whole_database_goes_from_one_server_to_another() {
    let place = Place::with_sample();
    let picture = fs::read(place.file("examples/data/cookbook/images/pizza.png")).unwrap();
    let web = Web::start(move |_| ok(picture.clone()));
    dump::all_kinds(&place, "my.adb");
    let live = Live::start(place);
    let place = &live.place;
    let url = format!("http://{}/pizza.png", web.address);
    place.write("add.json", &json!([{"AddImage": {"url": url}}]).to_string());
    let added = place.json(&["transact", "from-json-file", "add.json", "--db", &live.framed()]);
    assert_eq!(added[0]["AddImage"]["status"], 0, "{added}");

    place.prints(&["export", "directory", "--db", "my.adb"]);
    let graph = dump::graph(place, "directory");
    assert_eq!(graph.iter().filter(|row| row.contains(&url)).count(), 1, "{graph:#?}");
    for (to, db) in [("framed", live.framed()), ("rest", live.rest())] {
        place.prints(&["export", to, "--db", &db]);
        assert_eq!(dump::graph(place, to), graph, "{to}");
    }

    let other = Live::start(Place::empty());
    let from = place.file("framed");
    let from = ["ingest", "from-export", from.to_str().unwrap(), "--db"];
    other.place.prints(&[&from[..], &[&other.framed()]].concat());
    other.place.prints(&["export", "again", "--db", &other.rest()]);
    assert_eq!(dump::graph(&other.place, "again"), graph);
}

#[test]
fn what_changes_a_database_goes_through_its_server() {
    let live = Live::start(Place::with_dishes());
    let (place, address) = (&live.place, live.framed());
    place.write("add.json", r#"[{"AddBlob": {"properties": {"n": 1}}}]"#);
    place.write("payload", "hello");
    let add = ["transact", "from-json-file", "add.json", "--blob", "payload", "--db", &address];
    assert_eq!(place.json(&add)[0]["AddBlob"]["status"], 0);
    let said = place.fails(1, &["utils", "execute", "remove_all", "--force", "--db", "my.adb"]);
    assert!(said.contains("(adb serve) holds this database"), "{said}");
    assert!(said.contains("adb://"), "{said}");
    place.write("find.json", r#"[{"FindBlob": {"blobs": true}}]"#);
    let find = ["transact", "from-json-file", "find.json", "--blobs-to", "blobs", "--db"];
    place.prints(&[&find[..], &[&live.rest()]].concat());
    assert_eq!(place.read("blobs/0.bin"), "hello");
    place.prints(&["utils", "log", "a line for the log", "--db", &address]);
    place.write("refused.json", r#"[{"FindNothing": {}}]"#);
    let said = place.fails(1, &["transact", "from-json-file", "refused.json", "--db", &address]);
    assert!(said.contains("FindNothing") && !said.contains(&live.password()), "{said}");

    let again = ["ingest", "from-json", "examples/data/cookbook/dishes.json", "--model", MODEL];
    let told = place.adb(&[&again[..], &["--db", &address]].concat());
    assert!(self::said(&told).contains("22 existed"), "{}", self::said(&told));
    let summary = place.prints(&["utils", "execute", "summary", "--db", &address]);
    assert!(summary.contains("dish_photos"), "{summary}");
    for what in ["remove_indexes", "remove_all"] {
        place.prints(&["utils", "execute", what, "--force", "--db", &address]);
    }
    assert_eq!(place.prints(&["schema", "--db", &address]), "the database is empty\n");

    let wrong = address.replace(&live.password(), "hunter2-hunter2");
    let said = place.fails(1, &["schema", "--db", &wrong]);
    assert!(!said.contains("hunter2"), "{said}");
    let (status, log) = live.server.stop("TERM");
    assert!(status.success() && log.contains("a line for the log"), "{log}");
}

#[test]
fn tokens_are_made_given_used_and_taken() {
    let live = Live::start(Place::with_dishes());
    let (place, admin) = (&live.place, live.framed());
    live.user(&["add", "anna", "--role", "reader"]);
    let tokens = |arguments: &[&str]| {
        let all = [&["utils", "tokens"], arguments, &["--db", &admin]].concat();
        place.prints(&all).trim().to_owned()
    };
    assert_eq!(tokens(&["list", "anna"]), "");
    let token = tokens(&["generate"]);
    assert!(token.starts_with("adbp_"), "{token}");
    let by_token = format!("adb://{token}@{}?tls=off", live.server.address);
    place.fails(1, &["schema", "--db", &by_token]);
    tokens(&["assign", "anna", &token]);
    let listed = tokens(&["list", "anna"]);
    assert!(listed.starts_with("adbp_") && listed != token, "it is shown in part: {listed}");

    assert!(place.prints(&["schema", "--db", &by_token]).contains("dish_photos"));
    place.write("add.json", r#"[{"AddEntity": {"class": "A"}}]"#);
    let said = place.fails(1, &["transact", "from-json-file", "add.json", "--db", &by_token]);
    assert!(said.contains("reader"), "{said}");
    tokens(&["remove", "anna", &token]);
    assert_eq!(tokens(&["list", "anna"]), "");
    let said = place.fails(1, &["schema", "--db", &by_token]);
    assert!(!said.contains(&token), "{said}");

    let token = tokens(&["generate"]);
    let said = place.fails(1, &["utils", "tokens", "assign", "nobody", &token, "--db", &admin]);
    assert_eq!(said.matches("no user").count(), 1, "{said}");
    assert!(said.contains("no user `nobody`") && !said.contains(&token), "{said}");
    let said = place.fails(2, &["utils", "tokens", "list", "anna", "--db", "other.adb"]);
    assert!(said.contains("no users"), "{said}");
}

#[test]
fn keys_are_made_by_the_server_and_open_it() {
    let live = Live::start(Place::with_dishes());
    let place = &live.place;
    let create = ["config", "create", "here", "--host", "127.0.0.1", "--port", live.port()];
    let more = ["--no-use-ssl", "--no-interactive", "--password", live.server.password()];
    place.prints(&[&create[..], &more].concat());
    let schema: Json = place.json(&["schema", "--json", "--db", "my.adb"]);
    assert_eq!(place.json(&["schema", "--json"]), schema, "the configuration is the active one");

    let key = place.prints(&["config", "get-key", "here"]);
    assert_eq!(place.prints(&["config", "get-key"]), key, "it is kept, not made again");
    live.user(&["add", "anna", "--role", "reader"]);
    let of_anna = place.prints(&["utils", "keys", "generate", "anna", "--db", "config:here"]);
    let by_address = place.prints(&["utils", "keys", "generate", "anna", "--db", &live.rest()]);
    let of_other = place.prints(&["config", "get-key", "here", "--user", "anna"]);
    place.prints(&["config", "remove", "here", "--remove-if-active"]);
    for key in [&key, &of_anna, &by_address, &of_other] {
        let output = live.by_key(key, &["schema", "--json"]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(serde_json::from_slice::<Json>(&output.stdout).unwrap(), schema);
    }
    place.write("add.json", r#"[{"AddEntity": {"class": "A"}}]"#);
    let add = ["transact", "from-json-file", "add.json"];
    assert!(live.by_key(&key, &add).status.success(), "the admin's key may do all");
    let refused = live.by_key(&of_anna, &add);
    assert!(said(&refused).contains("reader"), "{}", said(&refused));
    assert_eq!(live.user(&["token", "anna", "--revoke-all"]), "3");
    let refused = live.by_key(&of_anna, &["schema"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(!said(&refused).contains(of_anna.trim()), "{}", said(&refused));
}
