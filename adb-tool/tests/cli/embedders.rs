//! The program as a user meets it, with an empty cache and no hub.
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc,
};

use crate::place::said;

/// The program with an empty home, so that nothing of this machine's gets in.
fn program(cache: &Path, arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_adb"));
    program
        .arg("embedders")
        .args(arguments)
        .env("ADB_CACHE_DIR", cache)
        .env("HF_HOME", cache.join("hub"));
    for variable in ["ORT_DYLIB_PATH", "HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE"] {
        program.env_remove(variable);
    }
    program
}

fn run(cache: &Path, arguments: &[&str]) -> Output {
    program(cache, arguments).env("ADB_OFFLINE", "1").current_dir(cache).output().unwrap()
}

#[test]
fn ls_names_the_presets() {
    let cache = tempfile::tempdir().unwrap();
    let output = run(cache.path(), &["ls"]);
    assert!(output.status.success(), "{}", said(&output));
    let said = said(&output);
    for words in [
        "clip-vit-b-32",
        "clip-vit-l-14",
        "768",
        "built: tools/models/facenet.py",
        "your own files",
    ] {
        assert!(said.contains(words), "wanted `{words}` in: {said}");
    }
}

#[test]
fn what_can_t_be_had_says_why() {
    let cache = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["fetch", "clip-vit-b-32"][..], "ADB_OFFLINE is set"),
        (&["embed", "clip-vit-b-32", "--text", "naan"], "ADB_OFFLINE is set"),
        (&["faces", "x.jpg"], "facenet.py"),
        (&["fetch", "clip"], "the embedder `clip` is not in"),
        (&["fetch", "minilm-l6-384"], "run `python3 tools/models/minilm.py`"),
        (&["fetch", "facenet-512"], "run `adb embedders init DIR --name facenet-512`"),
        (&["embed", "./nowhere", "--text", "naan"], "no bundle.json"),
    ] {
        let output = run(cache.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(words), "wanted `{words}` in: {}", said(&output));
    }
    for (arguments, words) in [
        (&["embed", "clip-vit-b-32"][..], "give --text"),
        (&["faces"], "name files"),
        (&["tune", "clip-vit-b-32", "--seconds", "4000"], "3600 at most"),
        (
            &["embed", "clip-vit-b-32", "--text", "naan", "--device", "gpu"],
            "write `cpu`, `cuda` or",
        ),
    ] {
        let output = run(cache.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(words), "wanted `{words}` in: {}", said(&output));
    }
}

/// Everywhere that vectors are made, the option before the variable.
#[test]
fn what_computes_is_asked_for_by_an_option_or_a_variable() {
    let cache = tempfile::tempdir().unwrap();
    let mut asked = program(cache.path(), &["embed", "clip", "--text", "naan"]);
    let output = asked.env("ADB_DEVICE", "gpu").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("ADB_DEVICE: `gpu` is no device"), "{}", said(&output));
    let output = asked.args(["--device", "cpu"]).output().unwrap();
    assert!(said(&output).contains("the embedder `clip` is not in"), "{}", said(&output));
    for command in ["ingest from-json", "search", "enrich", "reembed", "audit", "claim"] {
        let output = Command::new(env!("CARGO_BIN_EXE_adb"))
            .args(command.split(' '))
            .arg("--help")
            .output()
            .unwrap();
        assert!(said(&output).contains("--device <DEVICE>"), "{}", said(&output));
    }
}

#[test]
fn init_needs_onnx_files_and_a_run_time() {
    let cache = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let output = run(cache.path(), &["init", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    // Which of the two is missing depends on the features that the workspace is built with.
    let said = said(&output);
    assert!(said.contains("no ONNX file") || said.contains("ONNX Runtime"), "{said}");
}

/// The size that the hub announces for each file, and what it sends of it before it goes silent.
const SIZE: usize = 300_000;
const SENT: usize = 200_000;

/// A hub that sends the beginning of a file and then nothing, and tells which part was asked for.
fn stalling_hub() -> (String, mpsc::Receiver<Option<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (asked, parts) = mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            kept.extend(stalling_answer(stream.unwrap(), &asked));
        }
    });
    (address, parts)
}

fn stalling_answer(
    mut stream: TcpStream,
    asked: &mpsc::Sender<Option<String>>,
) -> Option<TcpStream> {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next()?.ok()?;
    let headers: Vec<String> =
        lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let hash = "00".repeat(32);
    if request.starts_with("HEAD") {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nconnection: close\r\nx-repo-commit: 01\r\nx-linked-etag: \"{hash}\"\r\ncontent-length: {SIZE}\r\n\r\n"
        )
        .ok()?;
        return None;
    }
    let part = headers
        .iter()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("range: ").map(str::to_owned));
    asked.send(part.clone()).ok()?;
    if part.is_none() {
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n").ok()?;
        stream.write_all(&vec![7; SENT]).ok()?;
    }
    Some(stream)
}

#[test]
fn a_download_that_was_killed_goes_on_where_it_was() {
    let cache = tempfile::tempdir().unwrap();
    let (hub, parts) = stalling_hub();
    let start = || {
        program(cache.path(), &["fetch", "clip-vit-b-32"])
            .env("HF_ENDPOINT", &hub)
            .env_remove("ADB_OFFLINE")
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut first = start();
    assert_eq!(parts.recv().unwrap(), None);
    let partial = cache.path().join("embedders/.clip-vit-b-32.download/image.onnx.partial");
    while fs::metadata(&partial).map_or(0, |meta| meta.len()) < SENT as u64 {
        assert!(first.try_wait().unwrap().is_none(), "it has ended by itself");
        std::thread::yield_now();
    }
    // As Ctrl-C and worse do.
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(!cache.path().join("embedders/clip-vit-b-32").exists(), "nothing half-made is there");
    let mut second = start();
    assert_eq!(parts.recv().unwrap().unwrap(), format!("bytes={SENT}-"));
    second.kill().unwrap();
    second.wait().unwrap();
}
