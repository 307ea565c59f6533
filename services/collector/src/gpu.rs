//! GPUs: how busy NVIDIA's were over the interval, through NVML.
//!
//! No library is no GPU, and then there is no reading at all. A library that does not answer, or a GPU
//! that does not, is unknown and never idle: a GPU that nobody can ask may be computing.
//!
//! The driver looks at each GPU several times a second and keeps some hundred of these samples; the reading
//! is the mean of those that lie in the interval, as far back as they reach. A GPU whose driver keeps none
//! says only how busy it is now. The library stays loaded; once it fails, or knows no GPU, it is started
//! again now and then, since a GPU may be attached and a driver may be loaded or reset.

use crate::{Unreadable, kept::Kept};
use nvml_wrapper::{
    Device, Nvml,
    enum_wrappers::device::{Sampling, TemperatureSensor},
    enums::device::SampleValue,
    error::NvmlError,
    struct_wrappers::device::Sample,
};
use snooze_schemas::sample::Gpu;
use snooze_service_runtime::clocks::Look;
use std::{ffi::OsString, time::Duration};

/// Where NVML is by its own documentation; the loader finds it.
pub const LIBRARY: &str = "libnvidia-ml.so.1";

/// The driver samples once a second at the slowest, so an interval's edge may lie so far from a sample.
const EDGE: Duration = Duration::from_secs(1);

/// NVML, as far as it was loaded.
#[derive(Debug)]
pub(crate) struct Gpus {
    library: OsString,
    nvml: Kept<Nvml>,
}

/// What is known of the GPUs: the busiest one's percentage, or why it is unknown, and each of them.
pub(crate) type GpuLook = Option<(Result<f64, Unreadable>, Vec<Gpu>)>;

impl Gpus {
    pub(crate) fn new(library: OsString) -> Gpus {
        Gpus {
            library,
            nvml: Kept::default(),
        }
    }

    /// Looks at all GPUs over the interval that ends now; nothing where there is no library, or no GPU.
    pub(crate) fn look(&mut self, at: Look, covers: Duration) -> GpuLook {
        let library = &self.library;
        let nvml = match self.nvml.get(at.monotonic_ms, || start(library)) {
            Ok(nvml) => nvml?,
            Err(error) => return Some((Err(error), Vec::new())),
        };
        let found = all(nvml, since(at, covers));
        if !matches!(found, Some((Ok(_), _))) {
            self.nvml.is_of_no_use(at.monotonic_ms);
        }
        found
    }
}

fn start(library: &OsString) -> Result<Option<Nvml>, Unreadable> {
    match Nvml::builder().lib_path(library).init() {
        Ok(nvml) => Ok(Some(nvml)),
        Err(error) if is_no_library(&error, &library.to_string_lossy()) => Ok(None),
        Err(error) => Err(failed("its start", error)),
    }
}

fn all(nvml: &Nvml, since: u64) -> GpuLook {
    let count = match nvml.device_count() {
        Ok(0) => return None,
        Ok(count) => count,
        Err(error) => return Some((Err(failed("the number of GPUs", error)), Vec::new())),
    };
    let (mut busiest, mut gpus) = (Ok(0.0f64), Vec::new());
    for index in 0..count {
        let (gpu, percent) = one(nvml, index, since);
        busiest = match (busiest, percent) {
            (Ok(busiest), Ok(percent)) => Ok(busiest.max(percent)),
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        gpus.push(gpu);
    }
    Some((busiest, gpus))
}

fn one(nvml: &Nvml, index: u32, since: u64) -> (Gpu, Result<f64, Unreadable>) {
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
    gpu.temperature_celsius = device.temperature(TemperatureSensor::Gpu).ok().map(f64::from);
    let percent = utilization(&device, since)
        .map_err(|error| failed(&format!("the utilization of GPU {index}"), error));
    gpu.utilization_percent = percent.as_ref().ok().copied();
    (gpu, percent)
}

fn utilization(device: &Device<'_>, since: u64) -> Result<f64, NvmlError> {
    let kept = match device.samples(Sampling::GpuUtilization, since) {
        Ok(samples) => mean(&samples, since),
        // The driver keeps none of this GPU, or took none in this interval.
        Err(NvmlError::NotSupported | NvmlError::NotFound | NvmlError::FailedToLoadSymbol(_)) => None,
        Err(error) => return Err(error),
    };
    match kept {
        Some(percent) => Ok(percent),
        None => Ok(f64::from(device.utilization_rates()?.gpu)),
    }
}

/// The time of day at which the interval began, in µs since 1970, which is how NVML dates its samples.
fn since(at: Look, covers: Duration) -> u64 {
    let back = i64::try_from((covers + EDGE).as_micros()).unwrap_or(i64::MAX);
    u64::try_from(at.wall.as_microsecond().saturating_sub(back)).unwrap_or(0)
}

/// The mean of the samples after this time; nothing where there is none that is a percentage.
fn mean(samples: &[Sample], since: u64) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for sample in samples.iter().filter(|sample| sample.timestamp > since) {
        if let Some(percent) = percent(&sample.value) {
            sum += percent;
            count += 1.0;
        }
    }
    (count > 0.0).then(|| sum / count)
}

fn percent(value: &SampleValue) -> Option<f64> {
    let percent = match *value {
        SampleValue::F64(value) => value,
        SampleValue::U32(value) => f64::from(value),
        SampleValue::U64(value) => f64::from(u32::try_from(value).ok()?),
        SampleValue::I64(value) => f64::from(u32::try_from(value).ok()?),
    };
    (0.0..=100.0).contains(&percent).then_some(percent)
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

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn without_the_library_there_is_no_gpu_and_no_reading() {
        let mut gpus = Gpus::new("libno-such-nvml.so.1".into());
        assert!(gpus.look(Clocks::real().look(), MINUTE).is_none());
    }

    #[test]
    fn a_library_that_cannot_be_loaded_is_unknown_and_not_idle() {
        let file = tempfile::NamedTempFile::with_suffix(".so").expect("a file");
        std::fs::write(file.path(), "not a library").expect("writes");
        let mut gpus = Gpus::new(file.path().into());
        let (percent, _) = gpus
            .look(Clocks::real().look(), MINUTE)
            .expect("there is a library");
        assert!(percent.is_err());
    }

    /// One sample a second that ends at a time of day, the oldest first.
    fn samples(until: u64, percents: &[u32]) -> Vec<Sample> {
        let ages = (0..percents.len()).rev();
        ages.zip(percents)
            .map(|(age, percent)| Sample {
                timestamp: until - 1_000_000 * u64::try_from(age).expect("small"),
                value: SampleValue::U32(*percent),
            })
            .collect()
    }

    #[test]
    fn a_gpu_is_as_busy_as_over_the_whole_interval() {
        let at = Clocks::manual().clocks().look();
        let now = u64::try_from(at.wall.as_microsecond()).expect("after 1970");
        // Busy for half of the ten seconds, and quiet when it is looked at.
        let busy_before = [100, 100, 100, 100, 100, 100, 0, 0, 0, 0, 0];
        let ten = since(at, Duration::from_secs(9));
        assert_eq!(mean(&samples(now, &busy_before[1..]), ten), Some(50.0));
        // What lies before the interval is not of it.
        assert_eq!(
            mean(&samples(now, &busy_before), since(at, Duration::from_secs(4))),
            Some(0.0)
        );
    }

    #[test]
    fn samples_that_say_nothing_of_the_interval_are_none() {
        let at = Clocks::manual().clocks().look();
        let now = u64::try_from(at.wall.as_microsecond()).expect("after 1970");
        assert_eq!(mean(&[], 0), None);
        assert_eq!(mean(&samples(now - 61_000_000, &[100]), since(at, MINUTE)), None);
        let wild = [
            SampleValue::U32(101),
            SampleValue::F64(f64::NAN),
            SampleValue::I64(-1),
        ];
        let wild = wild.map(|value| Sample {
            timestamp: now,
            value,
        });
        assert_eq!(mean(&wild, 0), None);
    }
}
