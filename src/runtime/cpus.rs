//! How many goroutines should run at once.

use std::sync::OnceLock;
use std::thread::available_parallelism;

use crate::scheduler::report;

/// The most processors a runtime may have.
pub(super) const MAX_PROCESSORS: usize = 1 << 12;

/// How many CPUs this process may use: its affinity mask and its cgroup's quota included.
///
/// ```
/// assert!(gorust::runtime::num_cpu() >= 1);
/// ```
#[doc(alias = "NumCPU")]
pub fn num_cpu() -> usize {
    // On Linux std reads the affinity mask and the quotas of cgroups v1 and v2.
    available_parallelism().map_or(1, usize::from)
}

/// How many goroutines run at once by default: the environment variable `GOMAXPROCS`, else
/// [`num_cpu`].
///
/// A value that is no positive number is reported on stderr, once, and ignored; more than 4,096 are
/// taken as that.
///
/// ```
/// assert!(gorust::runtime::gomaxprocs() >= 1);
/// ```
#[doc(alias = "GOMAXPROCS")]
pub fn gomaxprocs() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let count = match std::env::var_os("GOMAXPROCS") {
            None => num_cpu(),
            Some(value) => parse(&value.to_string_lossy()).unwrap_or_else(|| {
                let count = num_cpu();
                report(format_args!(
                    "GOMAXPROCS={value:?} is not a positive number; using {count}"
                ));
                count
            }),
        };
        count.min(MAX_PROCESSORS)
    })
}

/// `None` for what should be reported. An empty value counts as not set, as in Go.
fn parse(value: &str) -> Option<usize> {
    match value.trim() {
        "" => Some(num_cpu()),
        value => value.parse().ok().filter(|count| *count > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positive_numbers_are_taken() {
        assert_eq!(parse("3"), Some(3));
        assert_eq!(parse(" 10 "), Some(10));
    }

    #[test]
    fn nothing_means_the_default() {
        assert_eq!(parse(""), Some(num_cpu()));
    }

    #[test]
    fn zero_negatives_and_words_are_reported() {
        for bad in ["0", "-1", "two", "1.5", "99999999999999999999999"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
