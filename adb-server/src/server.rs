//! Listens, accepts, and stops in order.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use adb_model::Database;
use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument as _, info_span};

use crate::{
    Access, Error, Options,
    connection::{self, Setup},
    pace::{Answers, Heads},
    rest,
};

/// Sockets that listen, before there is anything to serve: for whoever makes a database or accounts only
/// when nothing stands in the way of serving them. Clients that come meanwhile wait.
#[derive(Debug)]
pub struct Listener {
    framed: TcpListener,
    rest: Option<TcpListener>,
}

impl Listener {
    /// Begins to listen for the framed protocol, and for REST if there is an address for it.
    ///
    /// # Errors
    /// When an address is taken, or other machines could reach it past the guards.
    pub async fn bind(
        listen: SocketAddr,
        rest: Option<SocketAddr>,
        guards: Guards,
    ) -> Result<Self, Error> {
        for address in [Some(listen), rest].into_iter().flatten() {
            guards.check(address)?;
        }
        let framed = self::listen(listen).await?;
        let rest = match rest {
            Some(address) => Some(self::listen(address).await?),
            None => None,
        };
        Ok(Self { framed, rest })
    }

    /// Where the framed protocol is spoken.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.framed.local_addr()
    }

    /// A server on these sockets. The addresses of the options are not looked at.
    ///
    /// # Errors
    /// When other machines could reach it without TLS or without accounts, or the system does not say
    /// where it listens.
    pub fn serve(self, db: Arc<dyn Database>, options: Options) -> Result<Server, Error> {
        for socket in std::iter::once(&self.framed).chain(&self.rest) {
            let address = socket
                .local_addr()
                .map_err(|source| Error::Listen { address: options.listen.to_string(), source })?;
            Guards::of(&options).check(address)?;
        }
        let connections = options.limits.connections.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Server {
            framed: self.framed,
            rest: self.rest,
            setup: Setup::new(db, options),
            connections: Arc::new(Semaphore::new(connections)),
        })
    }
}

/// A server that listens.
pub struct Server {
    framed: TcpListener,
    rest: Option<TcpListener>,
    setup: Setup,
    connections: Arc<Semaphore>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("framed", &self.framed.local_addr())
            .field("rest", &self.rest.as_ref().map(TcpListener::local_addr))
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Begins to listen; clients are answered by [`Server::run`].
    ///
    /// # Errors
    /// When an address is taken, or other machines could reach it without TLS or without accounts.
    pub async fn bind(db: Arc<dyn Database>, options: Options) -> Result<Self, Error> {
        let guards = Guards::of(&options);
        Listener::bind(options.listen, options.rest, guards).await?.serve(db, options)
    }

    /// Where the framed protocol is spoken.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.framed.local_addr()
    }

    /// Where REST is, if anywhere.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn rest_address(&self) -> io::Result<Option<SocketAddr>> {
        self.rest.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Answers clients until `stop` is done. Then no connection is accepted, silent ones are closed,
    /// and requests at work have [`Limits::drain`](crate::Limits::drain) to end. Answers whether all
    /// of them did.
    pub async fn run(self, stop: impl Future<Output = ()>) -> bool {
        let Self { framed, rest, setup, connections } = self;
        let tasks = TaskTracker::new();
        let rest = rest.map(|listener| (listener, rest::router(setup.service.clone())));
        let framed = accept(framed, &connections, &setup.stop, |stream, peer, permit| {
            let setup = setup.clone();
            let conversation = async move {
                let _open = setup.service.metrics().connected();
                if let Err(e) = connection::serve(stream, &setup).await {
                    tracing::debug!(reason = %e, "connection ended");
                }
                drop(permit);
            };
            tasks.spawn(conversation.instrument(info_span!("connection", %peer)));
        });
        let rest = async {
            let Some((listener, router)) = rest else { return };
            accept(listener, &connections, &setup.stop, |stream, peer, permit| {
                let (setup, router) = (setup.clone(), router.clone());
                let conversation = async move {
                    let _open = setup.service.metrics().connected();
                    serve_rest(stream, &setup, router).await;
                    drop(permit);
                };
                tasks.spawn(conversation.instrument(info_span!("connection", %peer, rest = true)));
            })
            .await;
        };
        tokio::select! {
            () = stop => {}
            _ = async { tokio::join!(framed, rest) } => {}
        }
        setup.stop.cancel();
        tasks.close();
        tracing::info!(connections = tasks.len(), "stopping");
        timeout(setup.service.limits().drain, tasks.wait()).await.is_ok()
    }
}

/// What a server asks of those who reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// Whether they must have an account.
    pub accounts: bool,
    /// Whether every connection is encrypted.
    pub tls: bool,
}

impl Guards {
    fn of(options: &Options) -> Self {
        Self {
            accounts: matches!(options.access, Access::Accounts(_)),
            tls: options.tls.is_some() && !options.plain_beside_tls,
        }
    }

    /// Refuses an address that other machines could reach without proof of who they are, or whose
    /// traffic could be read.
    fn check(self, address: SocketAddr) -> Result<(), Error> {
        let own = match address.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback(),
        };
        let lacks = match (self.accounts, self.tls) {
            (true, true) => return Ok(()),
            (false, false) => "TLS and accounts",
            (false, true) => "accounts",
            (true, false) => "TLS, for all connections",
        };
        if own { Ok(()) } else { Err(Error::Exposed { address: address.to_string(), lacks }) }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address: address.to_string(), source })
}

/// Accepts until it is told to stop; waits while there are too many connections.
async fn accept(
    listener: TcpListener,
    connections: &Arc<Semaphore>,
    stop: &CancellationToken,
    mut begin: impl FnMut(TcpStream, SocketAddr, Option<OwnedSemaphorePermit>),
) {
    loop {
        let next = async {
            let permit = Arc::clone(connections).acquire_owned().await.ok();
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = stop.cancelled() => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Without either it works as well.
                let _ = stream.set_nodelay(true);
                let alive = TcpKeepalive::new().with_time(Duration::from_secs(60));
                let _ = SockRef::from(&stream).set_tcp_keepalive(&alive);
                begin(stream, peer, permit);
            }
            // Too many open files, most likely: some will be closed.
            Err(e) => {
                tracing::warn!(error = %e, "can't accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_rest(stream: TcpStream, setup: &Setup, router: Router) {
    match &setup.tls {
        Some(acceptor) => {
            let arrival = setup.service.limits().arrival;
            match handshake(acceptor, stream, arrival).await {
                Some(stream) => http(stream, setup, router).await,
                None => tracing::debug!("connection ended: no TLS"),
            }
        }
        None => http(stream, setup, router).await,
    }
}

async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    arrival: Duration,
) -> Option<impl AsyncRead + AsyncWrite + Unpin + use<>> {
    timeout(arrival, acceptor.accept(stream)).await.ok()?.ok()
}

/// Answers requests over HTTP until either side hangs up.
pub(crate) async fn http<S>(stream: S, setup: &Setup, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = setup.service.limits();
    let answers = Answers::default();
    let stream = Heads::new(stream, answers.clone(), limits.arrival);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let (answers, answer) = (answers.clone(), router.call(request));
        async move { answers.count(answer).await }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.idle);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = setup.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = ended {
        tracing::debug!(reason = %e, "connection ended");
    }
}
