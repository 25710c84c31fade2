//! What computes: the processor, or a card.

use std::{fmt, str::FromStr};

use ort::session::builder::SessionBuilder;
use serde::{Deserialize, Serialize};

use super::runtime::Backend;

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
                cuda(builder, number).map_err(|e| {
                    format!(
                        "the device {self} can't be used with {}: {e}; let ORT_DYLIB_PATH name a library that was built with CUDA, such as that of the Python package onnxruntime-gpu, or use the device cpu",
                        library.display()
                    )
                })
            }
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda(builder: SessionBuilder, number: u32) -> Result<SessionBuilder, String> {
    let number = i32::try_from(number).map_err(|_| format!("there is no card {number}"))?;
    // Else it would only write to the log, and compute on the processor.
    let provider = ort::ep::CUDA::default().with_device_id(number).build().error_on_failure();
    builder.with_execution_providers([provider]).map_err(|e| e.to_string())
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: SessionBuilder, _: u32) -> Result<SessionBuilder, String> {
    Err("adb was built without the feature `cuda`".to_owned())
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
