//! Requests built by hand, byte by byte, against what the intake makes of them.

use proptest::prelude::*;
use telemetry::{Change, Intake, Label, Series};

const NOW: u64 = 1_790_000_000_000_000_000;

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3 | 2, &mut out);
    varint(content.len() as u64, &mut out);
    out.extend(content);
    out
}

fn fixed(number: u64, bits: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(number << 3 | 1, &mut out);
    out.extend(bits.to_le_bytes());
    out
}

fn number(field: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(field << 3, &mut out);
    varint(value, &mut out);
    out
}

fn attribute(field: u64, key: &str, value: &str) -> Vec<u8> {
    let value = bytes(1, value.as_bytes());
    bytes(field, &[bytes(1, key.as_bytes()), bytes(2, &value)].concat())
}

fn request(service: &str, items: &[Vec<u8>]) -> Vec<u8> {
    let resource = bytes(1, &attribute(1, "service.name", service));
    let scope: Vec<u8> = items.iter().flat_map(|item| bytes(2, item)).collect();
    bytes(1, &[resource, bytes(2, &scope)].concat())
}

fn metric(name: &str, kind: u64, data: &[Vec<u8>]) -> Vec<u8> {
    [bytes(1, name.as_bytes()), bytes(kind, &data.concat())].concat()
}

fn double(value: f64, at_ns: u64, labels: &[(&str, &str)]) -> Vec<u8> {
    let mut point = [fixed(3, at_ns), fixed(4, value.to_bits())].concat();
    for (key, text) in labels {
        point.extend(attribute(7, key, text));
    }
    bytes(1, &point)
}

fn after(intake: &mut Intake) -> Vec<(Series, f64, u64)> {
    let (_, series, changes) = intake.drain();
    let series = series.to_vec();
    changes
        .into_iter()
        .map(|Change { number, value, ts_ns }| (series[number as usize].clone(), value, ts_ns))
        .collect()
}

fn named(metric: &str, labels: &[(&str, &str)]) -> Series {
    let labels: Vec<Label> =
        labels.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    Series { entity: "shop".into(), metric: metric.into(), labels }
}

#[test]
fn labels_in_any_order_are_one_series_and_its_newest_value_counts() {
    let mut intake = Intake::new(10);
    for (value, at, labels) in [
        (1.0, 10, [("b", "2"), ("a", "1")]),
        (3.0, 30, [("a", "1"), ("b", "2")]),
        (2.0, 20, [("b", "2"), ("a", "1")]),
    ] {
        let request = request("shop", &[metric("queue.depth", 5, &[double(value, at, &labels)])]);
        let taken = intake.metrics(&request, NOW).unwrap();
        assert_eq!((taken.taken, taken.refused), (1, 0));
    }
    let expected = named("queue_depth", &[("a", "1"), ("b", "2")]);
    assert_eq!(after(&mut intake), [(expected, 3.0, 30)]);
    assert_eq!(after(&mut intake), []);
}

#[test]
fn counts_since_the_last_report_add_up_and_totals_replace_each_other() {
    for (temporality, expected) in [(1, 12.0), (2, 7.0)] {
        let mut intake = Intake::new(10);
        for value in [5.0, 7.0] {
            let data = [double(value, 1, &[]), number(2, temporality), number(3, 1)];
            let request = request("shop", &[metric("orders", 7, &data)]);
            intake.metrics(&request, NOW).unwrap();
        }
        assert_eq!(after(&mut intake), [(named("orders_total", &[]), expected, 1)]);
    }
}

#[test]
fn histograms_give_their_sum_and_their_count() {
    let mut intake = Intake::new(10);
    let point = [fixed(3, 9), fixed(4, 4), fixed(5, 2.5f64.to_bits()), attribute(9, "k", "v")];
    let data = [bytes(1, &point.concat()), number(2, 2)];
    let item = [metric("wait", 9, &data), bytes(3, b"s")].concat();
    assert_eq!(intake.metrics(&request("shop", &[item]), NOW).unwrap().taken, 1);
    let labels = [("k", "v")];
    assert_eq!(
        after(&mut intake),
        [
            (named("wait_seconds_count", &labels), 4.0, 9),
            (named("wait_seconds_sum", &labels), 2.5, 9),
        ]
    );
}

#[test]
fn without_room_points_are_refused_until_others_have_long_been_silent() {
    let mut intake = Intake::new(2);
    let gauge = |name: &str| request("shop", &[metric(name, 5, &[double(1.0, 1, &[])])]);
    for name in ["a", "b"] {
        assert_eq!(intake.metrics(&gauge(name), NOW).unwrap().taken, 1);
    }
    after(&mut intake);
    let later = NOW + 500_000_000_000;
    assert_eq!(intake.metrics(&gauge("c"), later).unwrap().refused, 1);
    assert_eq!(intake.metrics(&gauge("b"), later).unwrap().taken, 1);
    assert_eq!(intake.metrics(&gauge("c"), NOW + 700_000_000_000).unwrap().taken, 1);
    let (generation, series, changes) = intake.drain();
    assert_eq!(generation, 1);
    assert_eq!(series, [named("b", &[]), named("c", &[])]);
    assert_eq!(changes.iter().map(|one| one.number).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn spans_are_counted_with_their_time_and_failures() {
    let mut intake = Intake::new(10);
    let span = |failed| {
        let status = bytes(15, &number(3, if failed { 2 } else { 1 }));
        [bytes(5, b"GET /"), fixed(7, 1_000_000_000), fixed(8, 1_500_000_000), status].concat()
    };
    intake.traces(&request("shop", &[span(true), span(false)]), NOW).unwrap();
    let labels = [("span", "GET /")];
    let at = 1_500_000_000;
    assert_eq!(
        after(&mut intake),
        [
            (named("span_duration_seconds_count", &labels), 2.0, at),
            (named("span_duration_seconds_sum", &labels), 1.0, at),
            (named("span_errors_total", &labels), 1.0, at),
        ]
    );
}

#[test]
fn log_records_are_counted_and_a_new_template_is_told_without_what_varies() {
    let mut intake = Intake::new(10);
    let record = |text: &str| [number(2, 17), bytes(5, &bytes(1, text.as_bytes()))].concat();
    let usual: Vec<Vec<u8>> = (0..1000).map(|i| record(&format!("order {i} sent"))).collect();
    intake.logs(&request("shop", &usual), NOW).unwrap();
    intake.logs(&request("shop", &[record("disk sda1 is full")]), NOW).unwrap();
    let errors = named("log_lines_total", &[("severity", "error")]);
    let novel = named("log_novel_templates_total", &[("template", "disk <*> is full")]);
    assert_eq!(after(&mut intake), [(errors, 1001.0, NOW), (novel, 1.0, NOW)]);
}

proptest! {
    #[test]
    fn whatever_comes_is_taken_or_refused(junk in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut intake = Intake::new(4);
        let _ = intake.metrics(&junk, NOW);
        let _ = intake.logs(&junk, NOW);
        let _ = intake.traces(&junk, NOW);
        for (_, value, _) in after(&mut intake) {
            prop_assert!(value.is_finite());
        }
    }

    #[test]
    fn a_request_that_is_cut_short_is_malformed_or_short(at in 0usize..100) {
        let mut intake = Intake::new(4);
        let whole = request("shop", &[metric("m", 5, &[double(1.0, 1, &[("k", "v")])])]);
        let cut = &whole[..at.min(whole.len())];
        let taken = intake.metrics(cut, NOW);
        let complete = cut.is_empty() || cut.len() == whole.len();
        prop_assert_eq!(taken.is_ok(), complete);
    }
}
