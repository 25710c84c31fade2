//! A web server on this machine that answers as a script says: well, late, half, or not at all.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(dead_code, reason = "not every test needs all of it")]

use std::{
    collections::HashMap,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    /// How often this path had been asked for before.
    pub(crate) before: usize,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// From which byte on it asks.
    pub(crate) fn from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
    }
}

pub(crate) enum Answer {
    /// A status, headers and a body whose size is told.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The same, but after so many bytes of the body the connection ends.
    Cut(u16, Vec<(&'static str, String)>, Vec<u8>, usize),
    /// A body whose size is not told; it ends with the connection.
    Untold(Vec<u8>),
    /// Bytes without end.
    Endless,
    /// A byte now and then, of a great many.
    Drips,
    /// Nothing, and the connection stays.
    Silent,
}

pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Answer::Whole(200, vec![], body.into())
}

pub(crate) fn status(code: u16) -> Answer {
    Answer::Whole(code, vec![], b"no".to_vec())
}

pub(crate) fn to(place: impl Into<String>) -> Answer {
    Answer::Whole(302, vec![("location", place.into())], vec![])
}

/// What a server says that can do parts, of a body with a tag.
pub(crate) fn part(asked: &Asked, body: &[u8], etag: &str) -> Answer {
    let tag = ("etag", etag.to_owned());
    let modified = ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT".to_owned());
    let same = asked.header("if-range").is_none_or(|tag| tag == etag);
    match asked.from().filter(|_| same) {
        Some(from) if from < body.len() => {
            let range = format!("bytes {from}-{}/{}", body.len() - 1, body.len());
            Answer::Whole(206, vec![tag, modified, ("content-range", range)], body[from..].to_vec())
        }
        Some(_) => Answer::Whole(416, vec![], vec![]),
        None => Answer::Whole(200, vec![tag, modified], body.to_vec()),
    }
}

/// The same, and the connection ends after so many bytes.
pub(crate) fn cut(answer: Answer, after: usize) -> Answer {
    match answer {
        Answer::Whole(code, headers, body) if body.len() > after => {
            Answer::Cut(code, headers, body, after)
        }
        other => other,
    }
}

type Script = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;

pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    script: Script,
    asked: Mutex<Vec<Asked>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    /// Silent connections are kept open, as a server that hangs would.
    kept: Mutex<Vec<TcpStream>>,
}

impl Web {
    pub(crate) fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Box::new(script),
            asked: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            kept: Mutex::default(),
        });
        let shared = state.clone();
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = shared.clone();
                // A client that has seen enough closes its end; that is no fault here.
                thread::spawn(move || state.serve(&stream.unwrap()));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was asked for.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// From which bytes on it was asked, of requests for parts.
    pub(crate) fn parts(&self) -> Vec<usize> {
        self.asked().iter().filter_map(Asked::from).collect()
    }

    /// How many requests it answered at the same time, at most.
    pub(crate) fn most_at_once(&self) -> usize {
        self.state.most_at_once.load(Ordering::SeqCst)
    }
}

impl State {
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some((path, headers)) = read_request(&mut reader)? {
            let asked = {
                let mut all = self.asked.lock().unwrap();
                let before = all.iter().filter(|a| a.path == path).count();
                all.push(Asked { path, headers, before });
                all[all.len() - 1].clone()
            };
            let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(now, Ordering::SeqCst);
            let answer = (self.script)(&asked);
            // Before the answer: who has it may ask for the next thing at once.
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            if !self.answer(stream, answer)? {
                break;
            }
        }
        Ok(())
    }

    /// Answers; says whether the connection goes on.
    fn answer(&self, mut stream: &TcpStream, answer: Answer) -> io::Result<bool> {
        let head = |code: u16, headers: &[(&str, String)]| {
            let headers: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
            format!("HTTP/1.1 {code} Said\r\n{headers}")
        };
        match answer {
            Answer::Whole(code, headers, body) => {
                let length = if code == 304 {
                    String::new()
                } else {
                    format!("content-length: {}\r\n", body.len())
                };
                let head = head(code, &headers);
                stream.write_all(format!("{head}{length}\r\n").as_bytes())?;
                stream.write_all(&body)?;
                Ok(true)
            }
            Answer::Cut(code, headers, body, after) => {
                let (head, length) = (head(code, &headers), body.len());
                stream.write_all(format!("{head}content-length: {length}\r\n\r\n").as_bytes())?;
                stream.write_all(&body[..after])?;
                Ok(false)
            }
            Answer::Untold(body) => {
                stream
                    .write_all(format!("{}connection: close\r\n\r\n", head(200, &[])).as_bytes())?;
                stream.write_all(&body)?;
                Ok(false)
            }
            Answer::Endless => {
                stream
                    .write_all(format!("{}connection: close\r\n\r\n", head(200, &[])).as_bytes())?;
                loop {
                    stream.write_all(&[0; 4096])?;
                }
            }
            Answer::Drips => {
                let head = head(200, &[]);
                stream.write_all(format!("{head}content-length: 100000\r\n\r\n").as_bytes())?;
                loop {
                    stream.write_all(b".")?;
                    thread::sleep(Duration::from_millis(20));
                }
            }
            Answer::Silent => {
                self.kept.lock().unwrap().push(stream.try_clone()?);
                Ok(false)
            }
        }
    }
}

fn read_request(
    reader: &mut BufReader<TcpStream>,
) -> io::Result<Option<(String, HashMap<String, String>)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Some((path, headers)))
}
