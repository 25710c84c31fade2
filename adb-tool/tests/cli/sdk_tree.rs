//! The command tree of the Python SDK (0.5.3): each verb works, or ends with 2 and names what does.

use crate::place::{Place, said};

/// What comes of a command line of the SDK's.
enum Comes {
    /// It does what it says.
    Works,
    /// It ends with 2 and these words.
    Names(&'static str),
    /// It needs a server that is not there, and says so.
    NeedsServer,
}
use Comes::{Names, NeedsServer, Works};

/// Each verb with options as the SDK spells them. In order: what one makes, a later one uses.
const TREE: &[(&str, Comes)] = &[
    ("--install-completion", Names("adb completions")),
    ("--show-completion", Names("adb completions")),
    (
        "config create dev --host localhost --port 55555 --username admin --password admin --no-use-ssl --no-use-rest --no-interactive --as-global",
        Works,
    ),
    (
        "config create two --active --no-as-global --use-rest --use-ssl --verify-hostname --no-overwrite --no-interactive",
        Works,
    ),
    (
        "config create two --overwrite --no-as-global --no-verify-hostname --ca-cert ca.pem --no-from-json --no-from-key --no-active --no-interactive",
        Works,
    ),
    ("config ls", Works),
    ("config ls --no-log-to-console", Works),
    ("config activate dev", Works),
    ("config activate two --no-as-global", Works),
    ("config get .host", Works),
    ("config get dev.port --ignore-unset", Works),
    ("config get-key dev", NeedsServer),
    ("config get-key dev --user admin --as-global", NeedsServer),
    ("config remove two --no-as-global --remove-if-active", Works),
    ("utils execute status", Works),
    ("utils execute summary", Works),
    ("utils execute remove_indexes --force", Works),
    ("utils execute remove_all --force", Works),
    ("utils log hello --level INFO", Works),
    ("utils log hello --level WARNING", Works),
    ("utils visualize-schema --filename schema --format dot", Works),
    ("utils generate-images -c 2 -s 16x16 -o p%% -z 2 -t png -m all.txt -a x", Works),
    (
        "utils generate-images --count 1 --size 16x16 --output q%% --zerofill 0 --imagetype jpg --manifest m.txt --append-text y",
        Works,
    ),
    ("utils keys generate anna", Names("has no users")),
    ("utils tokens list anna", Names("has no users")),
    ("utils tokens generate", Names("has no users")),
    ("utils tokens assign anna adbp_x", Names("has no users")),
    ("utils tokens remove anna adbp_x", Names("has no users")),
    ("ingest from-generator rows.py --sample-count 3 --debug", Names("adb ingest from-json")),
    ("ingest from-croissant https://h/c.json --flatten-json", Names("adb model new")),
    ("transact from-json-file status.json", Works),
    ("transact from-json-file status.json --output-type stdout", Works),
    ("transact from-json-file status.json --output-type raw_json --output-path answer.json", Works),
    ("transact from-json-file status.json --output-type mount_coco", Names("adb export")),
];

#[test]
fn each_verb_works_or_names_what_does() {
    let place = Place::with_dishes();
    place.write("status.json", "[{\"GetStatus\": {}}]");
    for (line, comes) in TREE {
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = place
            .command(crate::place::ADB)
            .args(&arguments)
            .env("ADB_DB", "my.adb")
            .output()
            .unwrap();
        let said = said(&output);
        match comes {
            Works => assert!(output.status.success(), "adb {line}: {said}"),
            Names(words) => {
                assert_eq!(output.status.code(), Some(2), "adb {line}: {said}");
                assert!(said.contains(words), "adb {line}: {said}");
            }
            NeedsServer => {
                assert_eq!(output.status.code(), Some(1), "adb {line}: {said}");
                assert!(said.contains("localhost:55555"), "adb {line}: {said}");
            }
        }
    }
}
