//! What asks the server to stop.

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
    interrupt: sys::Interrupt,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: sys::Terminate::new()?, interrupt: sys::Interrupt::new()? })
    }

    /// The next request to stop.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            () = self.terminate.next() => Asked::ToEnd,
            () = self.interrupt.next() => Asked::AtTheKeyboard,
        }
    }
}

#[cfg(unix)]
mod sys {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) struct Terminate(Signal);
    pub(super) struct Interrupt(Signal);

    impl Terminate {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self(signal(SignalKind::terminate())?))
        }

        pub(super) async fn next(&mut self) {
            self.0.recv().await;
        }
    }

    impl Interrupt {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self(signal(SignalKind::interrupt())?))
        }

        pub(super) async fn next(&mut self) {
            self.0.recv().await;
        }
    }
}

#[cfg(not(unix))]
mod sys {
    pub(super) struct Terminate;
    pub(super) struct Interrupt;

    impl Interrupt {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn next(&mut self) {
            // Where Ctrl-C can't be heard, it ends the program anyway.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending().await
            }
        }
    }

    impl Terminate {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn next(&mut self) {
            std::future::pending().await
        }
    }
}
