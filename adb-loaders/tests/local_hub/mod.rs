//! A model hub on this machine, with a second host for the bytes as the real one has: it answers,
//! is silent, breaks off, is busy, wants a token, or gives something else.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adb_loaders::embedders::Hub;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

/// The commit that it is at.
pub(crate) const COMMIT: &str = "0123abcd";
/// The token that it takes.
pub(crate) const TOKEN: &str = "let-me-in";

pub(crate) fn fixture() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-clip"))
}

/// How the hub behaves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Mood {
    Answers,
    /// Takes connections and says nothing.
    Silent,
    /// Ends every connection after a third of the rest of a file.
    BreaksOff,
    /// Sends other bytes than it announces.
    Lies,
    /// Has no such files.
    Empty,
    /// Refuses who brings no token (401), or another one than its own (403).
    Private,
    /// Answers the first request for each thing with 429 and a time to wait.
    Busy,
    /// Wants to be left alone for a day.
    Exhausted,
    /// Answers a request for a part with another part.
    OtherParts,
    /// Gives whole files only.
    NoParts,
    /// Leads from one address to the next without end.
    Circles,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// Whether the host of the bytes was asked, and not the hub itself.
    pub(crate) storage: bool,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    pub(crate) from: Option<usize>,
}

/// A model hub with one repository: the tiny bundle's graphs under the names of CLIP's.
pub(crate) struct LocalHub {
    pub(crate) address: String,
    state: Arc<State>,
}

struct State {
    storage: String,
    mood: Mutex<Mood>,
    asked: Mutex<Vec<Asked>>,
    count: AtomicUsize,
    /// Silent connections are kept open, as a hub that hangs would.
    kept: Mutex<Vec<TcpStream>>,
}

impl LocalHub {
    pub(crate) fn start(mood: Mood) -> Self {
        let (hub, storage) = (listener(), listener());
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            storage: address(&storage),
            mood: Mutex::new(mood),
            asked: Mutex::default(),
            count: AtomicUsize::new(0),
            kept: Mutex::default(),
        });
        let address = address(&hub);
        for (listener, is_storage) in [(hub, false), (storage, true)] {
            let state = state.clone();
            // It ends with the process.
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let state = state.clone();
                    // A client that has seen enough closes its end; that is no fault here.
                    std::thread::spawn(move || state.answer(stream.unwrap(), is_storage));
                }
            });
        }
        Self { address, state }
    }

    /// A client of it, with a patience that is long enough for a busy machine; a silent hub costs
    /// that much.
    pub(crate) fn client(&self) -> Hub {
        let silent = *self.state.mood.lock().unwrap() == Mood::Silent;
        let patience = if silent { 300 } else { 20_000 };
        Hub::at(&self.address).patience(Duration::from_millis(patience))
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }

    /// How many connections it had.
    pub(crate) fn asked(&self) -> usize {
        self.state.count.load(Ordering::SeqCst)
    }

    /// What it was asked for.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// The bytes from which parts were asked for.
    pub(crate) fn parts(&self) -> Vec<usize> {
        self.requests().iter().filter_map(|asked| asked.from).collect()
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A file of the repository.
pub(crate) fn file(path: &str) -> Vec<u8> {
    match path {
        "onnx/vision_model.onnx" => fs::read(fixture().join("image.onnx")).unwrap(),
        "onnx/text_model.onnx" => fs::read(fixture().join("text.onnx")).unwrap(),
        "tokenizer.json" => tokenizer_json().into_bytes(),
        other => panic!("{other} was asked for"),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// What git calls the bytes.
pub(crate) fn git_hash(bytes: &[u8]) -> String {
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(format!("blob {}\0", bytes.len()).as_bytes());
    sha1.update(bytes);
    sha1.digest().to_string()
}

fn read_request(stream: &TcpStream, storage: bool) -> io::Result<Asked> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut asked = Asked { storage, method, path, token: None, from: None };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => {
                asked.token = value.trim().strip_prefix("Bearer ").map(str::to_owned);
            }
            "range" => {
                let from = value.trim().trim_start_matches("bytes=").trim_end_matches('-');
                asked.from = Some(from.parse().unwrap());
            }
            _ => {}
        }
    }
    Ok(asked)
}

impl State {
    /// One request, one answer.
    fn answer(&self, mut stream: TcpStream, storage: bool) -> io::Result<()> {
        self.count.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().unwrap();
        if mood == Mood::Silent {
            self.kept.lock().unwrap().push(stream);
            return Ok(());
        }
        let asked = read_request(&stream, storage)?;
        let is_first = {
            let mut all = self.asked.lock().unwrap();
            let is_first = !all.contains(&asked);
            all.push(asked.clone());
            is_first
        };
        let refuse = |mut stream: TcpStream, status: &str, more: &str| {
            write!(
                stream,
                "HTTP/1.1 {status}\r\nconnection: close\r\n{more}content-length: 0\r\n\r\n"
            )
        };
        let token = asked.token.as_deref();
        match mood {
            Mood::Empty => return refuse(stream, "404 Not Found", ""),
            Mood::Private if !storage && token.is_none() => {
                return refuse(stream, "401 Unauthorized", "");
            }
            Mood::Private if !storage && token != Some(TOKEN) => {
                return refuse(stream, "403 Forbidden", "");
            }
            Mood::Busy if is_first && !storage && !asked.path.starts_with("/moved") => {
                return refuse(stream, "429 Too Many Requests", "retry-after: 0\r\n");
            }
            Mood::Exhausted => {
                return refuse(stream, "429 Too Many Requests", "retry-after: 86400\r\n");
            }
            Mood::Circles => {
                let to = format!("location: {}\r\n", asked.path);
                return refuse(stream, "307 Temporary Redirect", &to);
            }
            _ => {}
        }
        let path = asked.path.split('?').next().unwrap_or_default();
        let path = match path.strip_prefix("/moved") {
            Some(path) => path.to_owned(),
            // Repositories that were renamed answer like this.
            None if !storage => {
                let to = format!("location: /moved{path}\r\n");
                return refuse(stream, "307 Temporary Redirect", &to);
            }
            None => path.to_owned(),
        };
        let (_, rest) = path.split_once("/resolve/").unwrap();
        let (revision, name) = rest.split_once('/').unwrap();
        let body = file(name);
        let large = name.ends_with(".onnx");
        if asked.method == "HEAD" {
            let size = body.len();
            return if large {
                // A redirection to the bytes that carries size and hash.
                refuse(
                    stream,
                    "302 Found",
                    &format!(
                        "x-repo-commit: {COMMIT}\r\nx-linked-size: {size}\r\nx-linked-etag: \"{}\"\r\nlocation: {}{path}?signed=1\r\n",
                        sha256(&body),
                        self.storage
                    ),
                )
            } else {
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nconnection: close\r\nx-repo-commit: {COMMIT}\r\netag: \"{}\"\r\ncontent-length: {size}\r\n\r\n",
                    git_hash(&body)
                )
            };
        }
        assert_eq!(revision, COMMIT, "all files are of one revision: {path}");
        if large && !storage {
            let to = format!("location: {}{path}?signed=1\r\n", self.storage);
            return refuse(stream, "302 Found", &to);
        }
        send(stream, mood, &body, asked.from)
    }
}

fn send(mut stream: TcpStream, mood: Mood, body: &[u8], from: Option<usize>) -> io::Result<()> {
    let (size, from) = (body.len(), from.filter(|_| mood != Mood::NoParts));
    let start = from.unwrap_or(0);
    let head = match from {
        None => "HTTP/1.1 200 OK".to_owned(),
        Some(from) => {
            let told = if mood == Mood::OtherParts { from - 1 } else { from };
            format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {told}-{}/{size}",
                size - 1
            )
        }
    };
    write!(stream, "{head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", size - start)?;
    let mut rest = body[start..].to_vec();
    match mood {
        Mood::BreaksOff if rest.len() > 10 => rest.truncate(rest.len() / 3),
        Mood::Lies => rest[0] ^= 1,
        _ => {}
    }
    stream.write_all(&rest)
}

/// The fixture's vocabulary in the form that a hub has.
fn tokenizer_json() -> String {
    let mut text = String::new();
    let packed = fs::File::open(fixture().join("merges.txt.gz")).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let merges: Vec<&str> = text.lines().skip(1).collect();
    let letters = (0x21..=0x7e).chain(0xa1..=0xac).chain(0xae..=0xff).chain(256..324u32);
    let letters: Vec<String> = letters.map(|c| char::from_u32(c).unwrap().to_string()).collect();
    let mut words = letters.clone();
    words.extend(letters.iter().map(|l| format!("{l}</w>")));
    words.extend(merges.iter().map(|m| m.replace(' ', "")));
    words.extend(["<|startoftext|>".to_owned(), "<|endoftext|>".to_owned()]);
    let vocab: serde_json::Map<String, Json> =
        words.into_iter().zip(0..).map(|(word, id)| (word, Json::from(id))).collect();
    serde_json::json!({"model": {
        "type": "BPE", "vocab": vocab, "merges": merges, "end_of_word_suffix": "</w>",
    }})
    .to_string()
}
