//! What computes: the processor, or a card.

use std::{fmt, str::FromStr};

use ort::session::builder::SessionBuilder;
use serde::{Deserialize, Serialize};

use super::{Error, ErrorKind, runtime::Backend};

/// Where graphs are computed.
///
/// What was asked for is used, or there is an error: never the processor in place of a card. (Single
/// operations that a card has no code for still run on the processor, as ONNX Runtime has it.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA card, by its number. Needs the feature `cuda`, and an ONNX Runtime that was built
    /// with CUDA.
    Cuda(u32),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

impl TryFrom<String> for Device {
    type Error = UnknownDevice;

    fn try_from(text: String) -> Result<Self, UnknownDevice> {
        text.parse()
    }
}

/// A word that names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no device; write `cpu`, `cuda` or `cuda:1`")]
pub struct UnknownDevice(String);

impl FromStr for Device {
    type Err = UnknownDevice;

    /// `cpu`, `cuda` (the first card) or `cuda:1`.
    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice(text.to_owned());
        match text.split_once(':') {
            None if text == "cpu" => Ok(Device::Cpu),
            None if text == "cuda" => Ok(Device::Cuda(0)),
            Some(("cuda", number)) => number.parse().map(Device::Cuda).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

impl Device {
    /// What the variable `ADB_DEVICE` names; the processor if it is not set, or empty.
    ///
    /// # Errors
    /// When it names no device.
    pub fn from_env() -> Result<Self, Error> {
        match std::env::var("ADB_DEVICE") {
            Ok(name) if !name.is_empty() => {
                name.parse().map_err(|e| ErrorKind::Runtime(format!("ADB_DEVICE: {e}")).into())
            }
            _ => Ok(Self::default()),
        }
    }

    /// Has a session use it.
    pub(super) fn register(
        self,
        builder: SessionBuilder,
        backend: &Backend,
    ) -> Result<SessionBuilder, String> {
        match (self, backend) {
            (Device::Cpu, _) => Ok(builder),
            (Device::Cuda(_), Backend::Other { name }) => {
                Err(format!("{name} can't compute on the device {self}; use the device cpu"))
            }
            (Device::Cuda(number), Backend::OnnxRuntime { library, .. }) => {
                cuda(builder, number).map_err(|(what, mend)| {
                    format!(
                        "the device {self} can't be used with {}: {what}; {mend}, or use the device cpu",
                        library.display()
                    )
                })
            }
        }
    }
}

/// What is wrong, and how to mend it.
type Fault = (String, &'static str);

#[cfg(feature = "cuda")]
fn cuda(builder: SessionBuilder, number: u32) -> Result<SessionBuilder, Fault> {
    use ort::ep::{CUDA, ExecutionProvider as _, cuda::ConvAlgorithmSearch};

    const NO_CUDA: &str = "let ORT_DYLIB_PATH name a library that was built with CUDA, such as that of the Python package onnxruntime-gpu";
    const NO_CARD: &str = "see that the card is there (`nvidia-smi -L`), and that CUDA and cuDNN, of the releases that this library wants, are where libraries are looked for (LD_LIBRARY_PATH)";
    let number =
        i32::try_from(number).map_err(|_| (format!("there is no card {number}"), NO_CARD))?;
    let provider = CUDA::default()
        .with_device_id(number)
        // Trying all algorithms takes seconds for each new size of a batch, and gains little: of
        // FaceNet's convolutions nothing in batches of 64, on an H100.
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
        .build()
        // Else it would only write to the log, and compute on the processor.
        .error_on_failure();
    let mend = if CUDA::is_available().unwrap_or(false) { NO_CARD } else { NO_CUDA };
    builder
        .with_execution_providers([provider])
        .map_err(|e| (e.to_string().trim_end().to_owned(), mend))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: SessionBuilder, _: u32) -> Result<SessionBuilder, Fault> {
    Err(("adb was built without the feature `cuda`".to_owned(), "build it with `--features cuda`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_written_as_they_are_read() {
        for (text, device) in
            [("cpu", Device::Cpu), ("cuda:0", Device::Cuda(0)), ("cuda:3", Device::Cuda(3))]
        {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string(), text);
            let json = serde_json::to_string(&device).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<Device>(&json).unwrap(), device);
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
        for text in ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cpu:0", "cuda:1:2"] {
            let message = text.parse::<Device>().unwrap_err().to_string();
            assert!(message.contains("`cuda:1`"), "{message}");
        }
    }
}
