//! Names and values of others in, such as may be carried on and stored out.
//!
//! Source of the naming: OpenTelemetry, "Prometheus and `OpenMetrics` compatibility": characters that
//! a name may not have become underscores, the unit follows, counters end in `_total`.

const CHARACTERS_MAX: usize = 128;

/// A metric's name, with its unit and what kind it is.
pub fn metric(name: &str, unit: &str, counter: bool) -> String {
    let mut made = plain(name, |c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    if made.is_empty() || made.starts_with(|c: char| c.is_ascii_digit()) {
        made.insert(0, '_');
    }
    if let Some(suffix) = unit_suffix(unit)
        && !made.trim_end_matches("_total").ends_with(suffix)
    {
        let stem = made.trim_end_matches("_total").len();
        made.truncate(stem);
        made.push('_');
        made.push_str(suffix);
    }
    if counter && !made.ends_with("_total") {
        made.push_str("_total");
    }
    made
}

/// A label's name.
pub fn label(name: &str) -> String {
    plain(name, |c| c.is_ascii_alphanumeric() || c == '_')
}

/// A label's value or an entity: text from outside, which must not look like anything else.
pub fn value(text: &str) -> String {
    plain(text, |c| c.is_ascii_alphanumeric() || "_.:@%+-/<*> ".contains(c))
}

fn plain(text: &str, allowed: impl Fn(char) -> bool) -> String {
    text.chars().take(CHARACTERS_MAX).map(|c| if allowed(c) { c } else { '_' }).collect()
}

fn unit_suffix(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "min" => "minutes",
        "h" => "hours",
        "d" => "days",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "Hz" => "hertz",
        "Cel" => "celsius",
        "%" => "percent",
        "By/s" => "bytes_per_second",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for (name, unit, counter, expected) in [
            ("http.server.duration", "s", false, "http_server_duration_seconds"),
            ("bytes.sent", "By", true, "bytes_sent_bytes_total"),
            ("orders_total", "{order}", true, "orders_total"),
            ("wait_seconds_total", "s", true, "wait_seconds_total"),
            ("5xx", "1", false, "_5xx"),
            ("", "", false, "_"),
        ] {
            assert_eq!(metric(name, unit, counter), expected);
        }
    }

    #[test]
    fn text_from_outside_is_short_and_harmless() {
        assert_eq!(value("a\nb${c}`"), "a_b__c__");
        assert_eq!(value(&"x".repeat(1000)).len(), CHARACTERS_MAX);
    }
}
