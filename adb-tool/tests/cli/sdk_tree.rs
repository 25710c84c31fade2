//! The command tree of the Python SDK (0.5.3): each verb works, or ends with 2 and names what does.

use std::fs;

use crate::{
    place::{Place, said},
    stock::stock,
};

/// What comes of a command line of the SDK's.
enum Comes {
    /// It does what it says.
    Works,
    /// It ends with 2 and these words.
    Names(&'static str),
    /// It needs a server that is not there, and says so.
    NeedsServer,
    /// It needs the weights of a model that can't be had here: it makes nothing, and names this way
    /// out.
    NeedsWeights(&'static str),
}
use Comes::{Names, NeedsServer, NeedsWeights, Works};

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
    ("config create three --no-as-global --no-interactive", Works),
    ("config remove three --no-as-global --new-active two", Works),
    ("config remove two --no-as-global --remove-if-active", Works),
    ("utils execute status", Works),
    ("utils execute summary", Works),
    ("utils execute remove_indexes --force", Works),
    ("utils execute remove_all --force", Works),
    ("utils log hello --level INFO", Works),
    ("utils log hello --level WARNING", Works),
    ("utils log hello --level ERROR", Works),
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
    ("ingest from-csv sets.adb.csv --ingest-type DESCRIPTORSET", Works),
    (
        "ingest from-csv ingredients.adb.csv --ingest-type ENTITY --batchsize 4 --num-workers 2",
        Works,
    ),
    (
        "ingest from-csv dishes.adb.csv --ingest-type IMAGE --blobs-relative-to-csv --stats --no-use-dask --no-debug",
        Works,
    ),
    (
        "ingest from-csv dishes.adb.csv --no-blobs-relative-to-csv --no-stats --use-dask --sample-count 3 --transformer common_properties --transformer image_properties",
        Works,
    ),
    ("ingest from-csv dishes.adb.csv --debug --sample-count 1", Works),
    ("ingest from-csv dish_ingredients.adb.csv --ingest-type CONNECTION --sample-count -1", Works),
    ("ingest from-csv films.adb.csv --ingest-type VIDEO", Works),
    ("ingest from-csv films.adb.csv --ingest-type BLOB", Works),
    ("ingest from-csv vectors.adb.csv --ingest-type DESCRIPTOR", Works),
    ("ingest from-csv boxes.adb.csv --ingest-type BOUNDING_BOX", Works),
    ("ingest from-csv polygons.adb.csv --ingest-type POLYGON", Works),
    // The SDK lists these two, and breaks off.
    ("ingest from-csv films.adb.csv --ingest-type CLIP", Names("CLIP")),
    ("ingest from-csv films.adb.csv --ingest-type FRAME", Names("FRAME")),
    ("ingest from-csv dishes.adb.csv --user-transformer mine.py", Names("--transform-cmd")),
    (
        "ingest from-csv dishes.adb.csv --transformer clip_pytorch_embeddings",
        NeedsWeights("clip_pytorch_embeddings=starter-512"),
    ),
    (
        "ingest from-csv dishes.adb.csv --transformer facenet_pytorch_embeddings",
        NeedsWeights("facenet_pytorch_embeddings=facenet-128"),
    ),
    (
        "ingest generate-embedding-csv-from-image-csv dishes.adb.csv looks --transformer clip_pytorch_embeddings=tiny-clip --sample-count 2",
        Works,
    ),
    (
        "ingest generate-embedding-csv-from-image-csv dishes.adb.csv others --transformer clip_pytorch_embeddings=tiny-clip",
        Names("--replace"),
    ),
    (
        "ingest generate-embedding-csv-from-image-csv dishes.adb.csv others --transformer clip_pytorch_embeddings=tiny-clip --replace",
        Works,
    ),
    (
        "ingest generate-embedding-csv-from-image-csv dishes.adb.csv looks --transformer clip_pytorch_embeddings",
        NeedsWeights("clip_pytorch_embeddings=starter-512"),
    ),
    (
        "ingest generate-embedding-csv-from-image-csv dishes.adb.csv looks --user-transformer mine.py",
        Names("--transform"),
    ),
    (
        "ingest from-generator rows.py --sample-count 3 --debug --stats --batchsize 2 --num-workers 2 --transformer image_properties --user-transformer mine.py",
        Names("adb ingest from-json"),
    ),
    (
        "ingest from-croissant https://h/c.json --flatten-json --sample-count 2 --debug --no-stats --batchsize 2 --num-workers 2",
        Names("adb model new"),
    ),
    ("transact from-json-file status.json", Works),
    ("transact from-json-file status.json --output-type stdout", Works),
    ("transact from-json-file status.json --output-type raw_json --output-path answer.json", Works),
    ("transact from-json-file status.json --output-type mount_coco", Names("adb export")),
];

#[test]
fn each_verb_works_or_names_what_does() {
    let place = Place::with_dishes();
    stock(&place);
    tables(&place);
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
            NeedsWeights(words) => {
                assert_eq!(output.status.code(), Some(1), "adb {line}: {said}");
                assert!(said.contains(words), "adb {line}: {said}");
            }
            NeedsServer => {
                assert_eq!(output.status.code(), Some(1), "adb {line}: {said}");
                assert!(said.contains("localhost:55555"), "adb {line}: {said}");
            }
        }
    }
}

/// Of the SDK's kinds of files, those that the stock does not have.
fn tables(place: &Place) {
    place.write("sets.adb.csv", "name,dimensions,engine,metric\nlooks,3,Flat,L2\n");
    place.write("film.mp4", "no film, which the database does not mind");
    place.write("films.adb.csv", "filename,name,constraint_name\nfilm.mp4,film,film\n");
    place.write("vectors.adb.csv", "filename,index,set,n,constraint_n\nv.npy,0,looks,7,7\n");
    // NumPy's form: a magic word, a header that fills 128 bytes with it, and the numbers.
    let mut array = b"\x93NUMPY\x01\0\x76\0".to_vec();
    array.extend(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }");
    array.resize(127, b' ');
    array.push(b'\n');
    array.extend([1.0_f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()));
    fs::write(place.file("v.npy"), array).unwrap();
    place.write("boxes.adb.csv", "dish_id,x_pos,y_pos,width,height,_label\n1,1,2,3,4,olive\n");
    place.write("polygons.adb.csv", "dish_id,polygons\n1,\"[[[0,0],[9,0],[9,9]]]\"\n");
}
