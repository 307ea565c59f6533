//! GPUs: how busy NVIDIA's are, through NVML.
//!
//! No library is no GPU, and then there is no reading at all. A library that does not answer, or a GPU
//! that does not, is unknown and never idle: a GPU that nobody can ask may be computing. The library is
//! loaded once and stays loaded.

use crate::Unreadable;
use nvml_wrapper::{Nvml, error::NvmlError};
use snooze_schemas::sample::Gpu;
use snooze_service_runtime::clocks::Look;
use std::ffi::OsString;

/// Where NVML is by its own documentation; the loader finds it.
pub const LIBRARY: &str = "libnvidia-ml.so.1";

/// A driver may be installed while the collector runs; until then the loader searches this rarely.
const SEARCH_AGAIN_MS: u64 = 300_000;

/// NVML, as far as it was loaded.
#[derive(Debug)]
pub(crate) struct Gpus {
    library: OsString,
    nvml: Option<Nvml>,
    absent_since: Option<u64>,
}

/// What is known of the GPUs: the busiest one's percentage, or why it is unknown, and each of them.
pub(crate) type GpuLook = Option<(Result<f64, Unreadable>, Vec<Gpu>)>;

impl Gpus {
    pub(crate) fn new(library: OsString) -> Gpus {
        Gpus {
            library,
            nvml: None,
            absent_since: None,
        }
    }

    /// Looks at all GPUs; nothing where there is no library, or no GPU.
    pub(crate) fn look(&mut self, at: Look) -> GpuLook {
        if self.nvml.is_none() {
            let searched = self
                .absent_since
                .is_some_and(|since| at.monotonic_ms.saturating_sub(since) < SEARCH_AGAIN_MS);
            if searched {
                return None;
            }
            match Nvml::builder().lib_path(&self.library).init() {
                Ok(nvml) => self.nvml = Some(nvml),
                Err(error) if is_no_library(&error, &self.library.to_string_lossy()) => {
                    self.absent_since = Some(at.monotonic_ms);
                    return None;
                }
                Err(error) => return Some((Err(failed("its start", error)), Vec::new())),
            }
        }
        let nvml = self.nvml.as_ref()?;
        let count = match nvml.device_count() {
            Ok(0) => return None,
            Ok(count) => count,
            Err(error) => return Some((Err(failed("the number of GPUs", error)), Vec::new())),
        };
        let (mut busiest, mut gpus) = (Ok(0.0f64), Vec::new());
        for index in 0..count {
            let (gpu, percent) = one(nvml, index);
            busiest = match (busiest, percent) {
                (Ok(busiest), Ok(percent)) => Ok(busiest.max(percent)),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            gpus.push(gpu);
        }
        Some((busiest, gpus))
    }
}

fn one(nvml: &Nvml, index: u32) -> (Gpu, Result<f64, Unreadable>) {
    let mut gpu = Gpu {
        index,
        uuid: None,
        name: None,
        utilization_percent: None,
        memory_used_bytes: None,
        memory_total_bytes: None,
        temperature_celsius: None,
    };
    let device = match nvml.device_by_index(index) {
        Ok(device) => device,
        Err(error) => return (gpu, Err(failed(&format!("GPU {index}"), error))),
    };
    gpu.uuid = device.uuid().ok();
    gpu.name = device.name().ok();
    if let Ok(memory) = device.memory_info() {
        gpu.memory_used_bytes = Some(memory.used);
        gpu.memory_total_bytes = Some(memory.total);
    }
    let sensor = nvml_wrapper::enum_wrappers::device::TemperatureSensor::Gpu;
    gpu.temperature_celsius = device.temperature(sensor).ok().map(f64::from);
    match device.utilization_rates() {
        Ok(rates) => {
            let percent = f64::from(rates.gpu);
            gpu.utilization_percent = Some(percent);
            (gpu, Ok(percent))
        }
        Err(error) => (
            gpu,
            Err(failed(&format!("the utilization of GPU {index}"), error)),
        ),
    }
}

fn failed(what: &str, error: NvmlError) -> Unreadable {
    Unreadable::Nvml {
        what: what.to_owned(),
        source: Box::new(error),
    }
}

/// Whether the loader found no such library, which is not the same as one that it could not load.
fn is_no_library(error: &NvmlError, library: &str) -> bool {
    let NvmlError::LibloadingError(error) = error else {
        return false;
    };
    let text = error.to_string();
    text.contains(library) && text.contains("No such file or directory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use snooze_service_runtime::Clocks;

    #[test]
    fn without_the_library_there_is_no_gpu_and_no_reading() {
        let mut gpus = Gpus::new("libno-such-nvml.so.1".into());
        assert!(gpus.look(Clocks::real().look()).is_none());
    }

    #[test]
    fn a_library_that_cannot_be_loaded_is_unknown_and_not_idle() {
        let file = tempfile::NamedTempFile::with_suffix(".so").expect("a file");
        std::fs::write(file.path(), "not a library").expect("writes");
        let mut gpus = Gpus::new(file.path().into());
        let (percent, _) = gpus.look(Clocks::real().look()).expect("there is a library");
        assert!(percent.is_err());
    }
}
