//! Conversations without sockets: for fuzz targets, and for tests of what comes in.

use std::{fmt, sync::Arc};

use adb_model::Database;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    Options,
    connection::{self, Setup},
    rest::router,
    server::http,
};

/// A server that is handed its connections. No part of the interface that is kept.
#[doc(hidden)]
pub struct Desk(Setup);

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    /// What the options say of addresses is passed over.
    #[must_use]
    pub fn new(db: Arc<dyn Database>, options: Options) -> Self {
        Self(Setup::new(db, options))
    }

    /// Speaks the framed protocol until either side hangs up.
    pub async fn framed<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) {
        if let Err(e) = connection::serve(stream, &self.0).await {
            tracing::debug!(reason = %e, "connection ended");
        }
    }

    /// Speaks HTTP until either side hangs up.
    pub async fn rest<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) {
        http(stream, &self.0, router(self.0.service.clone())).await;
    }
}
