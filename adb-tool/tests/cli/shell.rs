//! Commands as a page has them, run in a place of their own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use crate::{
    common::Served,
    place::{ADB, Place, said},
};

/// What can't run in a test as it stands, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("adb embedders get", "it asks a hub"),
    ("adb embedders init", "it wants ONNX files of the user's"),
    ("adb embedders faces", "it wants a detector; see the tests of faces"),
    ("adb reembed", "it wants a second embedder; see tests/enrich"),
    ("adb claim", "it wants a set that another program made; see tests/enrich"),
    ("config:dev", "it asks a server"),
    ("adb config get-key", "it asks a server"),
    ("--upstream", "it wants a server of the user's; see tests/trace.rs"),
    ("from-parquet", "it wants a Parquet file; see the tests of the source"),
    ("from-dir s3://", "it asks a bucket; see the tests of folders"),
    ("from-dir gs://", "it asks a bucket; see the tests of folders"),
    ("from-dir https://", "it asks a server; see the tests of folders"),
    ("adb utils keys", "it asks a server"),
    ("adb utils tokens", "it asks a server"),
];

/// The run that pages speak of.
const A_RUN: &str = "20261126-231501042-k3f9x";

/// A shell in a place, with `adb` on its path.
pub(crate) struct Shell {
    pub(crate) place: Place,
    path: String,
    server: Option<Served>,
}

impl Shell {
    pub(crate) fn new(place: Place) -> Self {
        let programs = place.file("programs");
        fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(ADB, programs.join("adb")).unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        Self { place, path, server: None }
    }

    /// With a server at the host that pages speak of.
    pub(crate) fn with_server(place: Place) -> Self {
        let server = Served::start_by(place.command(ADB), &["--init"]);
        Self { server: Some(server), ..Self::new(place) }
    }

    /// Runs commands one after the other; says which it leaves out, and why.
    pub(crate) fn run(&self, commands: &[String]) {
        for command in commands {
            if let Some((_, why)) = NOT_RUN.iter().find(|(words, _)| command.contains(words)) {
                println!("not run, because {why}: {command}");
                continue;
            }
            if command.contains("jq ") && Command::new("jq").arg("--version").output().is_err() {
                println!("not run, because there is no jq: {command}");
                continue;
            }
            // The tests' own embedder has the name of none that is known.
            let command = command
                .replace("clip-vit-b-32", "tiny-clip")
                .replace("embed clip-vit-b-16", "embed tiny-clip")
                .replace("clip-vit-b-16", "tiny-clip:24")
                .replace("starter-512", "tiny-clip")
                // Without one it would be CLIP, which a hub has.
                .replace("--set photos", "--set photos --embedder tiny-clip");
            // As above.
            let command = match command.ends_with("clip_pytorch_embeddings") {
                true => command + "=tiny-clip",
                false => command,
            };
            let command = match command.contains(A_RUN) {
                true => command.replace(A_RUN, &self.a_run()),
                false => command,
            };
            let command = match &self.server {
                Some(server) => {
                    let port = server.address.rsplit(':').next().unwrap_or_default();
                    let here = format!("--host 127.0.0.1 --port {port} --no-use-ssl");
                    command.replace("--host db.example.com", &here)
                }
                None => command,
            };
            match command.starts_with("adb serve ") && !command.starts_with("adb serve user ") {
                true => self.serve(&command),
                false => {
                    let output = self.command(&command).output().unwrap();
                    assert!(output.status.success(), "{command}\n{}", said(&output));
                }
            }
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.place.command("sh");
        command.args(["-ec", line]).env("PATH", &self.path);
        let password = self.server.as_ref().map_or("Kitchen-Window-7!", Served::password);
        command.env("PASSWORD", password);
        command
    }

    /// The first run that the place's database knows.
    fn a_run(&self) -> String {
        let runs = self.place.prints(&["runs", "--db", "my.adb"]);
        runs.split_whitespace().next().unwrap_or_default().to_owned()
    }

    /// A server runs until it is stopped: it must come to listen, and end in order.
    fn serve(&self, command: &str) {
        // On a port that is free.
        let command = match command.contains("--listen") {
            true => command.replace(":55555", ":0").replace(":8080", ":0"),
            false => command
                .replacen("adb serve ", "adb serve --listen 127.0.0.1:0 ", 1)
                .replace(":8080", ":0"),
        };
        let mut server = self
            .command(&format!("exec {command}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let listens = lines.map_while(Result::ok).any(|line| line.starts_with("listening on "));
        let pid = server.id().to_string();
        if listens {
            assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        }
        let mut log = String::new();
        server.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        let status = server.wait().unwrap();
        assert!(listens && status.success(), "{command}\n{log}");
    }
}
