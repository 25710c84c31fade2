//! A database that several processes write to: one process has it open and answers the others over
//! a socket, as a server would.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
};

use adb::{BoxFuture, DbError, Fate, Refusal, Request, Response, prelude::*};
use bytes::Bytes;
use serde_json::{Value as Json, json};

fn send(stream: &mut TcpStream, text: &[u8], blobs: &[Bytes]) -> io::Result<()> {
    let mut frame = Vec::new();
    frame.extend((blobs.len() as u32).to_le_bytes());
    for part in std::iter::once(text).chain(blobs.iter().map(AsRef::as_ref)) {
        frame.extend((part.len() as u32).to_le_bytes());
        frame.extend(part);
    }
    stream.write_all(&frame)
}

fn receive(stream: &mut TcpStream) -> io::Result<(Bytes, Vec<Bytes>)> {
    let number = |stream: &mut TcpStream| {
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes).map(|()| u32::from_le_bytes(bytes) as usize)
    };
    let blobs = number(stream)?;
    let mut part = || {
        let mut bytes = vec![0; number(stream)?];
        stream.read_exact(&mut bytes).map(|()| Bytes::from(bytes))
    };
    Ok((part()?, (0..blobs).map(|_| part()).collect::<io::Result<_>>()?))
}

/// Answers requests until the process ends.
pub(crate) fn serve(db: Arc<dyn Database>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (db, runtime, mut stream) = (db.clone(), runtime.clone(), stream.unwrap());
            std::thread::spawn(move || {
                // A client that is killed ends its connection.
                while let Ok((commands, blobs)) = receive(&mut stream) {
                    let (text, blobs) =
                        match runtime.block_on(db.execute(Request { commands, blobs })) {
                            Ok(Response::Done { answers, blobs }) => (json!(answers), blobs),
                            Ok(Response::Refused(refusal)) => {
                                (json!({"info": refusal.info}), Vec::new())
                            }
                            Err(e) => (json!({"error": e.to_string()}), Vec::new()),
                        };
                    if send(&mut stream, text.to_string().as_bytes(), &blobs).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

/// A database behind a socket; a connection for each request.
pub(crate) struct Remote(pub(crate) SocketAddr);

impl Database for Remote {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        let address = self.0;
        let ask = move || {
            let mut stream = TcpStream::connect(address)?;
            send(&mut stream, &request.commands, &request.blobs)?;
            receive(&mut stream)
        };
        Box::pin(async move {
            let (text, blobs) = tokio::task::spawn_blocking(ask)
                .await
                .unwrap()
                .map_err(|e| DbError::transient(e.to_string()).with_fate(Fate::Unknown))?;
            match serde_json::from_slice(&text).unwrap() {
                Json::Array(answers) => Ok(Response::Done { answers, blobs }),
                refused => match refused["info"].as_str() {
                    Some(info) => Ok(Response::Refused(Refusal::error(None, info))),
                    None => Err(DbError::permanent(refused["error"].to_string())),
                },
            }
        })
    }
}
