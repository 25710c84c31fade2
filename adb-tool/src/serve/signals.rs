//! What asks the server to stop.

use tokio::signal;

/// How it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// SIGTERM: by whoever runs services.
    ToEnd,
    /// Ctrl-C.
    AtTheKeyboard,
}

/// Hears the requests to stop, from when it is made.
pub(super) struct Signals {
    terminate: sys::Terminate,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: sys::Terminate::new()? })
    }

    /// The next request to stop.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            () = self.terminate.next() => Asked::ToEnd,
            // Where Ctrl-C can't be heard, it ends the program anyway.
            Ok(()) = signal::ctrl_c() => Asked::AtTheKeyboard,
        }
    }
}

#[cfg(unix)]
mod sys {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Terminate(Signal);

    impl Terminate {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self(signal(SignalKind::terminate())?))
        }

        pub(super) async fn next(&mut self) {
            self.0.recv().await;
        }
    }
}

#[cfg(not(unix))]
mod sys {
    pub(super) struct Terminate;

    impl Terminate {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn next(&mut self) {
            std::future::pending().await
        }
    }
}
