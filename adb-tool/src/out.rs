//! What the program says, and where: results on standard output, all else on standard error.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
};

/// As the standard one, but where nobody reads any more (`adb … | head`) the program ends quietly.
macro_rules! println {
    () => { $crate::out::line(format_args!("")) };
    ($($text:tt)*) => { $crate::out::line(format_args!($($text)*)) };
}

static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on only errors are said, beside results.
pub(crate) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether only errors are to be said, beside results.
pub(crate) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Writes a line of a result.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    done(out.write_fmt(text).and_then(|()| out.write_all(b"\n")));
}

/// Writes bytes of a result as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    done(out.write_all(bytes).and_then(|()| out.flush()));
}

/// Nothing that was acknowledged is lost when the program ends here: it is on the disk.
fn done(written: io::Result<()>) {
    match written {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => {
            error(&anyhow::anyhow!("standard output: {e}"));
            std::process::exit(1);
        }
    }
}

/// Says something that a person should know and a program should not read.
pub(crate) fn notice(text: impl fmt::Display) {
    if !is_quiet() {
        // If standard error is gone, there is nobody to tell.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Says what went wrong.
pub(crate) fn error(error: &anyhow::Error) {
    let (on, off) =
        if is_coloured(io::stderr().is_terminal()) { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
    let _ = writeln!(io::stderr(), "{on}error:{off} {}", with_causes(error));
}

/// What an error says and what its causes say, each once: some say what their cause says.
fn with_causes(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.ends_with(&cause) {
            said.push_str(": ");
            said.push_str(&cause);
        }
    }
    said
}

/// Whether a stream is to have colours: a terminal has, unless `NO_COLOR` is set to anything.
pub(crate) fn is_coloured(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
