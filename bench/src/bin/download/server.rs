//! A web server that behaves as many do. What it does to a request depends on a seed, the address and
//! how often that was asked for: each program that takes the same pictures meets the same.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::Args;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

#[derive(Args, Clone)]
pub(crate) struct Serve {
    /// What is done to whom.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many pictures there are.
    #[arg(long, default_value_t = 2000)]
    pictures: u64,
    /// Bytes of a picture.
    #[arg(long, default_value_t = 100_000)]
    bytes: usize,
    /// Requests a second that it answers; more of them within a second are told to come back.
    #[arg(long, default_value_t = 400)]
    rate: u32,
    /// Where the list of addresses is written once it listens.
    #[arg(long, value_name = "FILE")]
    list: std::path::PathBuf,
}

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Fate {
    Well,
    /// The body comes in twenty parts, a tenth of a second apart.
    Slow,
    /// The connection ends in the middle of the body.
    Cut,
    /// 503.
    Busy,
    /// 404, whenever it is asked for.
    Gone,
    /// A page that says so, with the status of a success, whenever it is asked for.
    Page,
}

#[derive(Default)]
struct Told {
    requests: u64,
    refused: u64,
    /// Refused, and asked again before the time was over.
    too_early: u64,
}

struct Server {
    of: Serve,
    /// The second that counts, and the requests in it.
    window: Mutex<(Instant, u32)>,
    /// How often a picture was asked for, and until when it was refused.
    asked: Mutex<HashMap<u64, (u64, Option<Instant>)>>,
    told: Mutex<Told>,
}

/// The picture of a number: the first bytes of a JPEG, then what its number says.
fn picture(number: u64, bytes: usize) -> Vec<u8> {
    let mut body = b"\xff\xd8\xff\xe0\0\x10JFIF\0".to_vec();
    body.extend((body.len()..bytes - 2).map(|i| (i as u64 * 31 + number) as u8));
    body.extend(b"\xff\xd9");
    body
}

/// Whether a file is a picture of this server's, from its beginning to its end.
pub(crate) fn is_whole(file: &[u8]) -> bool {
    file.starts_with(b"\xff\xd8\xff\xe0") && file.ends_with(b"\xff\xd9")
}

impl Serve {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let list: String =
            (0..self.pictures).map(|n| format!("http://{address}/{n}.jpg\n")).collect();
        let path = self.list.clone();
        let server = Arc::new(Server {
            of: self,
            window: Mutex::new((Instant::now(), 0)),
            asked: Mutex::default(),
            told: Mutex::default(),
        });
        let serving = tokio::spawn({
            let server = server.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let server = server.clone();
                    // A client that has seen enough closes its end; that is no fault here.
                    tokio::spawn(async move { server.serve(stream).await });
                }
            }
        });
        tokio::fs::write(path, list).await?;
        let mut rest = Vec::new();
        tokio::io::stdin().read_to_end(&mut rest).await?;
        serving.abort();
        let told = lock(&server.told);
        println!(
            "{{\"requests\": {}, \"told_to_wait\": {}, \"asked_too_early\": {}}}",
            told.requests, told.refused, told.too_early
        );
        Ok(())
    }
}

impl Server {
    /// A number below 1000 that the seed, a picture and a count decide.
    fn chance(&self, what: &str, number: u64, count: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.of.seed, what, number, count).hash(&mut hasher);
        hasher.finish() % 1000
    }

    fn fate(&self, number: u64, before: u64) -> Fate {
        match self.chance("for ever", number, 0) {
            0..10 => return Fate::Gone,
            10..20 => return Fate::Page,
            _ => {}
        }
        match self.chance("now", number, before) {
            0..30 => Fate::Slow,
            30..80 => Fate::Cut,
            80..110 => Fate::Busy,
            _ => Fate::Well,
        }
    }

    /// How often a picture was answered before; nothing if whoever asks is to come back later.
    fn admit(&self, number: u64) -> Option<u64> {
        let now = Instant::now();
        let mut told = lock(&self.told);
        told.requests += 1;
        let mut asked = lock(&self.asked);
        let (before, until) = asked.entry(number).or_default();
        if until.is_some_and(|until| now < until) {
            told.too_early += 1;
        }
        let mut window = lock(&self.window);
        if now - window.0 >= Duration::from_secs(1) {
            *window = (now, 0);
        }
        window.1 += 1;
        if window.1 > self.of.rate {
            told.refused += 1;
            *until = Some(now + Duration::from_secs(1));
            return None;
        }
        (*before, *until) = (*before + 1, None);
        Some(*before - 1)
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        loop {
            let (mut line, mut first, mut from) = (String::new(), String::new(), 0);
            loop {
                line.clear();
                if stream.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                let header = line.trim_end().to_ascii_lowercase();
                if let Some(range) = header.strip_prefix("range: bytes=") {
                    from = range.trim_end_matches('-').parse().unwrap_or(0);
                }
                match header.is_empty() {
                    true => break,
                    false if first.is_empty() => first = header,
                    false => {}
                }
            }
            let name = first.split(['/', '.']).nth(1).unwrap_or_default();
            let number = name.parse().unwrap_or(u64::MAX);
            if !self.answer(stream.get_mut(), number, from).await? {
                return Ok(());
            }
        }
    }

    /// One answer; says whether the connection goes on.
    async fn answer(&self, to: &mut TcpStream, number: u64, from: usize) -> std::io::Result<bool> {
        let Some(before) = self.admit(number) else {
            let refusal =
                "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
            to.write_all(refusal.as_bytes()).await?;
            return Ok(true);
        };
        let wait = 20 + self.chance("wait", number, before) / 10;
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let fate = self.fate(number, before);
        let short = |status: &str, body: &str| {
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        };
        let text = match fate {
            Fate::Busy => short("503 Service Unavailable", ""),
            Fate::Gone => short("404 Not Found", "gone"),
            Fate::Page => short("200 OK", "<!doctype html><title>This picture is gone</title>"),
            Fate::Well | Fate::Slow | Fate::Cut => String::new(),
        };
        if !text.is_empty() {
            to.write_all(text.as_bytes()).await?;
            return Ok(true);
        }
        let body = picture(number, self.of.bytes);
        let from = from.min(body.len());
        let (size, last) = (body.len() - from, body.len() - 1);
        let status = match from {
            0 => "200 OK".to_owned(),
            _ => {
                format!("206 Partial Content\r\ncontent-range: bytes {from}-{last}/{}", body.len())
            }
        };
        let head =
            format!("HTTP/1.1 {status}\r\netag: \"{number}\"\r\ncontent-length: {size}\r\n\r\n");
        to.write_all(head.as_bytes()).await?;
        let rest = &body[from..];
        match fate {
            Fate::Cut => {
                to.write_all(&rest[..rest.len() / 2]).await?;
                return Ok(false);
            }
            Fate::Slow => {
                for part in rest.chunks(rest.len().div_ceil(20).max(1)) {
                    to.write_all(part).await?;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            _ => to.write_all(rest).await?,
        }
        Ok(true)
    }
}

/// What is guarded are plain counts.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
