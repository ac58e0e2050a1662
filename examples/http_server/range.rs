//! The `Range` header: one range of bytes, as RFC 9110 defines it.

use std::ops::Range;

/// Which part of the file is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Requested {
    /// All of it: no range, several, or none that makes sense.
    Whole,
    Part(Range<u64>),
    /// No byte of the file is in the range.
    Unsatisfiable,
}

/// Reads the header's value, for a file of `length` bytes.
pub fn requested(header: Option<&str>, length: u64) -> Requested {
    header
        .and_then(|value| parse(value, length))
        .unwrap_or(Requested::Whole)
}

/// `None`: not a range that we understand, to be ignored.
fn parse(value: &str, length: u64) -> Option<Requested> {
    let (unit, range) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let part = match (first, last) {
        ("", suffix) => length.saturating_sub(number(suffix)?)..length,
        (first, "") => number(first)?..length,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            first..last.saturating_add(1).min(length)
        }
    };
    Some(if part.is_empty() {
        Requested::Unsatisfiable
    } else {
        Requested::Part(part)
    })
}

/// Digits only; a number that is too large is as good as the largest.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::Requested::{Part, Unsatisfiable, Whole};
    use super::*;

    fn of_ten(value: &str) -> Requested {
        requested(Some(value), 10)
    }

    #[test]
    fn parts() {
        assert_eq!(of_ten("bytes=0-0"), Part(0..1));
        assert_eq!(of_ten("bytes=2-5"), Part(2..6));
        assert_eq!(of_ten("Bytes = 2-5".replace(' ', "").as_str()), Part(2..6));
        assert_eq!(of_ten("bytes=9-"), Part(9..10));
        assert_eq!(of_ten("bytes=0-"), Part(0..10));
        assert_eq!(of_ten("bytes=5-99999999999999999999999"), Part(5..10));
    }

    #[test]
    fn suffixes() {
        assert_eq!(of_ten("bytes=-3"), Part(7..10));
        assert_eq!(of_ten("bytes=-10"), Part(0..10));
        assert_eq!(of_ten("bytes=-99999999999999999999999"), Part(0..10));
    }

    #[test]
    fn beyond_the_end() {
        assert_eq!(of_ten("bytes=10-"), Unsatisfiable);
        assert_eq!(of_ten("bytes=10-20"), Unsatisfiable);
        assert_eq!(of_ten("bytes=99999999999999999999999-"), Unsatisfiable);
        assert_eq!(of_ten("bytes=-0"), Unsatisfiable);
        assert_eq!(requested(Some("bytes=0-"), 0), Unsatisfiable);
        assert_eq!(requested(Some("bytes=-1"), 0), Unsatisfiable);
    }

    #[test]
    fn what_is_no_single_range_is_ignored() {
        assert_eq!(requested(None, 10), Whole);
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=1-2,4-5",
            "lines=1-2",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes=1.5-2",
        ] {
            assert_eq!(of_ten(value), Whole, "{value}");
        }
    }
}
