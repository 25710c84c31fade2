//! One graph, run by a thread of its own.

use std::{
    path::Path,
    sync::mpsc::{self, Receiver, Sender},
    thread::JoinHandle,
};

use ort::{
    session::Session,
    value::{DynValue, Outlet, Tensor, TensorElementType, ValueType},
};

use super::runtime::Runtime;

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
pub(super) enum Values {
    F32(Vec<f32>),
    I64(Vec<i64>),
    I32(Vec<i32>),
}

/// One input of a run.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) name: String,
    pub(super) shape: Vec<i64>,
    pub(super) values: Values,
}

/// What came out: shape and values.
pub(super) type Matrix = (Vec<i64>, Vec<f32>);

struct Job {
    feeds: Vec<Feed>,
    output: String,
    reply: Sender<Result<Matrix, String>>,
}

/// Runs one graph.
///
/// A session is used by one caller at a time; a thread that owns it and takes work from a channel
/// serves all, and no lock is held while it computes.
#[derive(Debug)]
pub(super) struct GraphRunner {
    jobs: Option<Sender<Job>>,
    worker: Option<JoinHandle<()>>,
    pub(super) inputs: Vec<Port>,
    pub(super) outputs: Vec<Port>,
}

type Opened = Result<(Vec<Port>, Vec<Port>), String>;

impl GraphRunner {
    /// Loads a graph, which takes a moment, to be computed on `threads` threads.
    pub(super) fn open(
        runtime: &'static Runtime,
        file: &Path,
        threads: usize,
    ) -> Result<Self, String> {
        let (jobs, work) = mpsc::channel();
        let (opened, ready) = mpsc::channel();
        let file = file.to_owned();
        let worker = std::thread::Builder::new()
            .name("adb-embed".into())
            .spawn(move || serve(runtime, &file, threads, &opened, &work))
            .map_err(|e| format!("no thread can be started: {e}"))?;
        let mut runner = Self {
            jobs: Some(jobs),
            worker: Some(worker),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        let broken = || Err("the thread that loads it broke off".to_owned());
        (runner.inputs, runner.outputs) = ready.recv().unwrap_or_else(|_| broken())?;
        Ok(runner)
    }

    /// One run; gives the output of that name.
    pub(super) fn run(&self, feeds: Vec<Feed>, output: &str) -> Result<Matrix, String> {
        let broken = || "the thread that computes broke off".to_owned();
        let (reply, answer) = mpsc::channel();
        let job = Job { feeds, output: output.to_owned(), reply };
        self.jobs.as_ref().ok_or_else(broken)?.send(job).map_err(|_| broken())?;
        answer.recv().map_err(|_| broken())?
    }
}

impl Drop for GraphRunner {
    /// Waits for the thread: the library must not be computing when the process ends.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(worker) = self.worker.take() {
            // It returns nothing, and what made it panic was told to whoever waited for a reply.
            let _ = worker.join();
        }
    }
}

fn serve(
    runtime: &'static Runtime,
    file: &Path,
    threads: usize,
    opened: &Sender<Opened>,
    work: &Receiver<Job>,
) {
    let mut session = match load(runtime, file, threads) {
        Ok(session) => session,
        Err(message) => {
            // Whoever opens it waits for this.
            let _ = opened.send(Err(message));
            return;
        }
    };
    let ports = |all: &[Outlet]| all.iter().map(port).collect();
    if opened.send(Ok((ports(session.inputs()), ports(session.outputs())))).is_err() {
        return;
    }
    while let Ok(job) = work.recv() {
        // Nobody waits any more if the caller has gone; then the result is not wanted.
        let _ = job.reply.send(run(&mut session, job.feeds, &job.output));
    }
}

fn load(runtime: &Runtime, file: &Path, threads: usize) -> Result<Session, String> {
    let mut builder = Session::builder(runtime.environment()).map_err(|e| e.to_string())?;
    if runtime.is_native() {
        builder = builder.with_intra_threads(threads).map_err(|e| e.to_string())?;
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

fn run(session: &mut Session, feeds: Vec<Feed>, output: &str) -> Result<Matrix, String> {
    let mut inputs: Vec<(String, DynValue)> = Vec::with_capacity(feeds.len());
    for Feed { name, shape, values } in feeds {
        let tensor = match values {
            Values::F32(values) => Tensor::from_array((shape, values)).map(Tensor::into_dyn),
            Values::I64(values) => Tensor::from_array((shape, values)).map(Tensor::into_dyn),
            Values::I32(values) => Tensor::from_array((shape, values)).map(Tensor::into_dyn),
        };
        inputs.push((name, tensor.map_err(|e| e.to_string())?));
    }
    let outputs = session.run(inputs).map_err(|e| e.to_string())?;
    let value = outputs.get(output).ok_or_else(|| format!("it gave no output `{output}`"))?;
    let (shape, values) = value.try_extract_tensor::<f32>().map_err(|e| e.to_string())?;
    Ok((shape.to_vec(), values.to_vec()))
}
