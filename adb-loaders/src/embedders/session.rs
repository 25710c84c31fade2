//! One graph, and the sessions that compute it.

use std::{
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, PoisonError},
};

use adb_model::PreparedImage;
use ort::{
    session::{Session, SessionInputValue},
    value::{Outlet, Tensor, TensorElementType, TensorRef, ValueType},
};

use super::{device::Device, runtime::Runtime};

/// An input or output of a graph.
#[derive(Debug, Clone)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) kind: Option<TensorElementType>,
    /// −1 where any length will do.
    pub(super) shape: Vec<i64>,
}

/// Values for one input.
#[derive(Debug)]
pub(super) enum Values<'a> {
    /// Written one after the other into memory that its session keeps.
    Images(&'a [PreparedImage]),
    F32(Vec<f32>),
    I64(Vec<i64>),
    I32(Vec<i32>),
}

/// One input of a run.
#[derive(Debug)]
pub(super) struct Feed<'a> {
    pub(super) name: &'a str,
    pub(super) shape: Vec<i64>,
    pub(super) values: Values<'a>,
}

/// What came out: shape and values.
pub(super) type Matrix = (Vec<i64>, Vec<f32>);

/// How a graph's sessions are opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub(super) device: Device,
    /// Sessions, at most.
    pub(super) sessions: usize,
    /// Threads of each.
    pub(super) threads: usize,
}

/// Runs one graph.
///
/// A session computes for one caller at a time, on the caller's thread and those of its own. The
/// first is opened at once; another one only when all are taken and there may be more, so a search
/// never loads a graph twice. No lock is held while a session is opened or computes.
#[derive(Debug)]
pub(super) struct GraphRunner {
    runtime: &'static Runtime,
    file: PathBuf,
    opening: Opening,
    pool: Mutex<Pool>,
    returned: Condvar,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
}

#[derive(Debug)]
struct Pool {
    free: Vec<Open>,
    /// All that are open or being opened, whether free or taken.
    open: usize,
}

#[derive(Debug)]
struct Open {
    session: Session,
    /// The images of a batch, kept from one run to the next.
    images: Vec<f32>,
}

impl GraphRunner {
    /// Loads a graph, which takes a moment.
    pub(super) fn open(
        runtime: &'static Runtime,
        file: &Path,
        opening: Opening,
    ) -> Result<Self, String> {
        let session = load(runtime, file, opening)?;
        let ports = |all: &[Outlet]| all.iter().map(port).collect();
        let (inputs, outputs) = (ports(session.inputs()), ports(session.outputs()));
        let free = vec![Open { session, images: Vec::new() }];
        Ok(Self {
            runtime,
            file: file.to_owned(),
            opening,
            pool: Mutex::new(Pool { free, open: 1 }),
            returned: Condvar::new(),
            inputs,
            outputs,
        })
    }

    /// One run; gives the output of that name.
    pub(super) fn run(&self, feeds: Vec<Feed>, output: &str) -> Result<Matrix, String> {
        let mut taken = self.take()?;
        // It is there until `taken` is dropped.
        let Some(open) = taken.open.as_mut() else { return Err("it has no session".to_owned()) };
        run(open, feeds, output)
    }

    fn take(&self) -> Result<Taken<'_>, String> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(open) = pool.free.pop() {
                return Ok(Taken { runner: self, open: Some(open) });
            }
            if pool.open < self.opening.sessions {
                pool.open += 1;
                drop(pool);
                // Counts down again if it can't be opened.
                let mut taken = Taken { runner: self, open: None };
                let session = load(self.runtime, &self.file, self.opening)?;
                taken.open = Some(Open { session, images: Vec::new() });
                return Ok(taken);
            }
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A session that one caller has, until it is dropped.
struct Taken<'a> {
    runner: &'a GraphRunner,
    open: Option<Open>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut pool = self.runner.pool.lock().unwrap_or_else(PoisonError::into_inner);
        match self.open.take() {
            // A session in which a run panicked is in nobody knows which state.
            Some(open) if !std::thread::panicking() => pool.free.push(open),
            _ => pool.open -= 1,
        }
        self.runner.returned.notify_one();
    }
}

fn load(runtime: &Runtime, file: &Path, opening: Opening) -> Result<Session, String> {
    let mut builder = Session::builder(runtime.environment()).map_err(|e| e.to_string())?;
    builder = opening.device.register(builder, runtime.backend())?;
    if runtime.is_native() {
        builder = builder.with_intra_threads(opening.threads).map_err(|e| e.to_string())?;
        // Threads that wait for work would otherwise spin, and take the cores that decode the next
        // batch meanwhile.
        builder = builder.with_intra_op_spinning(false).map_err(|e| e.to_string())?;
    }
    builder.commit_from_file(file).map_err(|e| e.to_string())
}

fn port(outlet: &Outlet) -> Port {
    let (kind, shape) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => (Some(*ty), shape.to_vec()),
        _ => (None, Vec::new()),
    };
    Port { name: outlet.name().to_owned(), kind, shape }
}

fn run(open: &mut Open, feeds: Vec<Feed>, output: &str) -> Result<Matrix, String> {
    let Open { session, images } = open;
    images.clear();
    for feed in &feeds {
        if let Values::Images(prepared) = feed.values {
            prepared.iter().for_each(|image| images.extend_from_slice(&image.0));
        }
    }
    let mut inputs: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(feeds.len());
    for Feed { name, shape, values } in feeds {
        let value = match values {
            // A graph has one input for images at most: `images` are its own.
            Values::Images(_) => {
                TensorRef::from_array_view((shape, images.as_slice())).map(Into::into)
            }
            Values::F32(values) => Tensor::from_array((shape, values)).map(Into::into),
            Values::I64(values) => Tensor::from_array((shape, values)).map(Into::into),
            Values::I32(values) => Tensor::from_array((shape, values)).map(Into::into),
        };
        inputs.push((name, value.map_err(|e| e.to_string())?));
    }
    let outputs = session.run(inputs).map_err(|e| e.to_string())?;
    let value = outputs.get(output).ok_or_else(|| format!("it gave no output `{output}`"))?;
    let (shape, values) = value.try_extract_tensor::<f32>().map_err(|e| e.to_string())?;
    Ok((shape.to_vec(), values.to_vec()))
}
