//! `adb config`, on files as the Python SDK writes them.

use std::{fs, io::Write as _, path::PathBuf, process::Stdio};

use serde_json::{Value as Json, json};

use crate::place::{ADB, Place, said};

/// As the SDK's `adb config create` leaves the user's file (0.5.3), with a key of another release.
const SDK: &str = r#"{
  "dev": {
    "host": "localhost",
    "port": 55555,
    "username": "admin",
    "password": "hunter2",
    "name": "dev",
    "use_ssl": false,
    "use_rest": false,
    "use_keepalive": true,
    "retry_interval_seconds": 1,
    "retry_max_attempts": 3,
    "token": null,
    "user_keys": {"admin": ["WzIsMCwibG9jYWxob3N0IixudWxsLCJhZG1pbiIsImFkbWluIl0="]},
    "ca_cert": null,
    "verify_hostname": true,
    "of_later": "hunter2"
  },
  "cloud": {
    "host": "db-1.farm0001.cloud.aperturedata.io", "port": 443, "username": "anna",
    "password": "hunter2", "name": "cloud", "use_ssl": true, "use_rest": true
  },
  "active": "dev"
}"#;

fn global(place: &Place) -> PathBuf {
    let folder = match cfg!(target_os = "macos") {
        true => "home/Library/Application Support/aperturedb",
        false => "home/.config/aperturedb",
    };
    place.file(folder).join("adb.json")
}

fn with_sdk_file() -> Place {
    let place = Place::empty();
    let file = global(&place);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, SDK).unwrap();
    place
}

fn stored(place: &Place) -> Json {
    serde_json::from_str(&fs::read_to_string(global(place)).unwrap()).unwrap()
}

#[test]
fn what_the_sdk_wrote_is_listed_without_secrets() {
    let place = with_sdk_file();
    for arguments in [&["config", "ls"][..], &["config", "ls", "--json"]] {
        let text = place.prints(arguments);
        assert!(text.contains("dev") && text.contains("cloud"), "{text}");
        assert!(!text.contains("hunter2") && !text.contains("WzIs"), "{text}");
    }
    let text = place.prints(&["config", "ls"]);
    assert!(
        text.lines().any(|line| line.starts_with('*') || line.trim().starts_with("* ")),
        "{text}"
    );
    assert_eq!(place.prints(&["config", "ls", "--no-log-to-console"]), "");
}

#[test]
fn items_are_printed_bare() {
    let place = with_sdk_file();
    for (tag, wanted) in [
        (".host", "localhost"),
        (".port", "55555"),
        ("cloud.use_rest", "true"),
        (".use_ssl", "false"),
    ] {
        assert_eq!(place.prints(&["config", "get", tag]), format!("{wanted}\n"));
    }
    for (tag, words) in [
        (".password", "is a secret"),
        ("cloud.token", "is a secret"),
        (".of_later", "no item `of_later`"),
        ("gone.host", "no configuration `gone`"),
        ("host", "`NAME.ITEM`"),
        (".ca_cert", "is not set"),
    ] {
        let said = place.fails(2, &["config", "get", tag]);
        assert!(said.contains(words) && !said.contains("hunter2"), "{tag}: {said}");
    }
    for tag in [".ca_cert", "gone.host", ".nothing"] {
        assert_eq!(place.prints(&["config", "get", tag, "--ignore-unset"]), "");
    }
}

#[test]
fn a_new_one_has_the_sdk_s_keys_and_leaves_the_others() {
    let place = with_sdk_file();
    place.prints(&[
        "config",
        "create",
        "lab",
        "--host",
        "10.0.0.7",
        "--username",
        "u",
        "--password",
        "p",
        "--no-use-ssl",
        "--no-interactive",
    ]);
    let file = stored(&place);
    assert_eq!(file["active"], "dev", "the active one stays");
    assert_eq!(file["dev"]["of_later"], "hunter2", "what is not known is kept");
    assert_eq!(
        file["lab"],
        json!({
            "name": "lab", "host": "10.0.0.7", "port": 55555, "username": "u", "password": "p",
            "use_ssl": false, "use_rest": false, "use_keepalive": true,
            "retry_interval_seconds": 1, "retry_max_attempts": 3, "token": null,
            "user_keys": null, "ca_cert": null, "verify_hostname": true,
        })
    );
    let said = place.fails(2, &["config", "create", "lab", "--no-interactive"]);
    assert!(said.contains("--overwrite"), "{said}");
    place.prints(&["config", "create", "lab", "--overwrite", "--active", "--use-rest"]);
    let file = stored(&place);
    assert_eq!((&file["lab"]["port"], &file["active"]), (&json!(443), &json!("lab")));
    for (arguments, words) in [
        (&["config", "create", "--no-interactive"][..], "a name is missing"),
        (&["config", "create", "a b"], "is not a name"),
        (&["config", "create", "active"], "is not a name"),
        (&["config", "create", "x", "--host", ""], "`host` is empty"),
    ] {
        let said = place.fails(2, arguments);
        assert!(said.contains(words), "{said}");
    }
}

/// A configuration is used from other directories than the one that it was made in.
#[test]
fn a_certificate_s_path_is_kept_absolute() {
    let place = Place::empty();
    place.prints(&["config", "create", "near", "--ca-cert", "certs/ca.pem", "--no-interactive"]);
    place.prints(&["config", "create", "far", "--ca-cert", "/etc/ca.pem", "--no-interactive"]);
    place.prints(&["config", "create", "none", "--no-interactive"]);
    let file = stored(&place);
    let near = PathBuf::from(file["near"]["ca_cert"].as_str().unwrap());
    assert!(near.is_absolute() && near.ends_with("certs/ca.pem"), "{}", near.display());
    assert_eq!(
        (&file["far"]["ca_cert"], &file["none"]["ca_cert"]),
        (&json!("/etc/ca.pem"), &Json::Null)
    );
}

#[test]
fn a_host_is_no_address() {
    let place = Place::empty();
    for host in ["adb://localhost", "https://h/api", "u:hunter2@h", "h/api"] {
        let said = place.fails(2, &["config", "create", "x", "--no-interactive", "--host", host]);
        assert!(said.contains("alone") && !said.contains("hunter2"), "{host}: {said}");
    }
    for host in ["::1", "db-1.example.com"] {
        place.prints(&["config", "create", "x", "--overwrite", "--no-interactive", "--host", host]);
    }
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_alone_and_the_first_is_active() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::empty();
    place.prints(&["config", "create", "first"]);
    let mode = fs::metadata(global(&place)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(stored(&place)["active"], "first");
    let local = Place::empty();
    local.prints(&["config", "create", "here", "--no-as-global"]);
    assert!(local.file(".aperturedb/adb.json").exists() && !global(&local).exists());
}

#[test]
fn activating_and_removing() {
    let place = with_sdk_file();
    place.prints(&["config", "activate", "cloud"]);
    assert_eq!(stored(&place)["active"], "cloud");
    assert!(place.fails(2, &["config", "activate", "gone"]).contains("known: dev, cloud"));
    // A project may make one of the user's active.
    place.prints(&["config", "activate", "dev", "--no-as-global"]);
    assert_eq!(place.prints(&["config", "get", ".host"]), "localhost\n");
    fs::remove_dir_all(place.file(".aperturedb")).unwrap();

    let said = place.fails(2, &["config", "remove", "cloud"]);
    assert!(said.contains("--remove-if-active"), "{said}");
    assert!(place.fails(2, &["config", "remove", "gone"]).contains("there are: dev, cloud"));
    let said = place.fails(2, &["config", "remove", "cloud", "--new-active", "gone"]);
    assert!(said.contains("--new-active"), "{said}");
    place.prints(&["config", "remove", "cloud", "--new-active", "dev"]);
    let file = stored(&place);
    assert_eq!((file.get("cloud"), &file["active"]), (None, &json!("dev")));
    place.prints(&["config", "remove", "dev", "--remove-if-active"]);
    assert_eq!(stored(&place), json!({}));
}

fn fed(place: &Place, arguments: &[&str], input: &str) -> std::process::Output {
    let mut program = place
        .command(ADB)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    program.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    program.wait_with_output().unwrap()
}

#[test]
fn from_a_key_and_from_json_and_back_to_a_key() {
    let place = Place::empty();
    let key = "WzIsMSwibG9jYWxob3N0IixudWxsLCJhZG1pbiIsImFkbWluIl0=";
    let output = fed(&place, &["config", "create", "k", "--from-key"], key);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(stored(&place)["k"]["use_ssl"], true);
    assert_eq!(place.prints(&["config", "get-key", "k", "--own"]), format!("{key}\n"));
    let text = r#"{"host": "h", "username": "anna", "password": "hunter2", "name": "j"}"#;
    let output = fed(&place, &["config", "create", "--from-json"], text);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(stored(&place)["j"]["username"], "anna");
    for (arguments, input) in [
        (&["config", "create", "x", "--from-key"][..], "hunter2"),
        (&["config", "create", "x", "--from-json"], "hunter2"),
        (&["config", "create", "x", "--from-json"], ""),
    ] {
        let output = fed(&place, arguments, input);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(!said(&output).contains("hunter2"), "{}", said(&output));
    }
}

#[test]
fn a_kept_key_needs_no_server() {
    let place = with_sdk_file();
    let key = place.prints(&["config", "get-key", "dev"]);
    assert_eq!(key, "WzIsMCwibG9jYWxob3N0IixudWxsLCJhZG1pbiIsImFkbWluIl0=\n");
}

#[test]
fn a_file_that_is_none_is_named_and_left_alone() {
    let place = with_sdk_file();
    fs::write(global(&place), "{\"dev\": hunter2").unwrap();
    for arguments in [
        &["config", "ls"][..],
        &["config", "create", "x"],
        &["config", "activate", "dev"],
        &["config", "get", ".host"],
        &["search", "x"],
    ] {
        let said = place.fails(2, arguments);
        assert!(said.contains("adb.json") && !said.contains("hunter2"), "{said}");
    }
    assert_eq!(fs::read_to_string(global(&place)).unwrap(), "{\"dev\": hunter2");
}
