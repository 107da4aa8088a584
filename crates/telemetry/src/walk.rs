//! The walk over a request: raw bytes in, values entered into the table out.
//!
//! Field numbers are those of opentelemetry-proto. Fields may stand in any order, so whatever is
//! needed before the points (a name, whether they add up) is looked for in a pass of its own, which
//! skips over the points without reading them.

use std::hash::{BuildHasher, Hasher};

use crate::intake::{Intake, Taken};
use crate::name;
use crate::series::{Join, Label, Series};
use crate::wire::{Fields, Malformed, Value};

const LABELS_MAX: usize = 16;
const SERVICE: &str = "service.name";
const INSTANCE: &str = "service.instance.id";
const NO_VALUE: u64 = 1;
const DELTA: u64 = 1;
const ERROR: u64 = 2;

/// Whose points these are.
struct Resource {
    entity: String,
    instance: Option<String>,
    fingerprint: u64,
}

/// One metric's points and what is common to them.
struct Metric<'a> {
    name: &'a [u8],
    unit: &'a [u8],
    data: Option<(u64, &'a [u8])>,
}

/// What of one point is needed, whatever its kind.
#[derive(Default)]
struct Point {
    ts_ns: u64,
    value: Option<f64>,
    count: u64,
    flags: u64,
}

/// The layout of a kind of point: where its attributes and flags stand.
#[derive(Clone, Copy)]
struct Shape {
    attributes: u64,
    flags: u64,
    summed: bool,
}

/// What one metric, record or span is read with.
type Read = fn(&mut Intake, &Resource, &[u8], u64, &mut Taken) -> Result<(), Malformed>;

pub fn metrics(intake: &mut Intake, request: &[u8], now_ns: u64) -> Result<Taken, Malformed> {
    each_item(intake, request, now_ns, metric)
}

pub fn logs(intake: &mut Intake, request: &[u8], now_ns: u64) -> Result<Taken, Malformed> {
    each_item(intake, request, now_ns, record)
}

pub fn traces(intake: &mut Intake, request: &[u8], now_ns: u64) -> Result<Taken, Malformed> {
    each_item(intake, request, now_ns, span)
}

/// Every metric, record or span with its resource: the three requests are built alike.
fn each_item(
    intake: &mut Intake,
    request: &[u8],
    now_ns: u64,
    read: Read,
) -> Result<Taken, Malformed> {
    let mut taken = Taken::default();
    let mut fields = Fields::of(request);
    while let Some((number, value)) = fields.next()? {
        if number != 1 {
            continue;
        }
        let group = value.bytes()?;
        let resource = resource(intake, group)?;
        let mut scopes = Fields::of(group);
        while let Some((number, value)) = scopes.next()? {
            if number != 2 {
                continue;
            }
            let mut items = Fields::of(value.bytes()?);
            while let Some((number, value)) = items.next()? {
                if number == 2 {
                    read(intake, &resource, value.bytes()?, now_ns, &mut taken)?;
                }
            }
        }
    }
    Ok(taken)
}

fn resource(intake: &Intake, group: &[u8]) -> Result<Resource, Malformed> {
    let (mut entity, mut instance) = (None, None);
    let mut hasher = intake.hasher.build_hasher();
    let mut fields = Fields::of(group);
    while let Some((number, value)) = fields.next()? {
        if number != 1 {
            continue;
        }
        let bytes = value.bytes()?;
        hasher.write(bytes);
        let mut attributes = Fields::of(bytes);
        while let Some((number, value)) = attributes.next()? {
            if number != 1 {
                continue;
            }
            let (key, text) = attribute(value.bytes()?)?;
            match key {
                SERVICE => entity = Some(name::value(&text)),
                INSTANCE => instance = Some(name::value(&text)),
                _ => {}
            }
        }
    }
    let entity = entity.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown_service".into());
    Ok(Resource { entity, instance, fingerprint: hasher.finish() })
}

/// A key and its value as text; lists and the like have none.
fn attribute(bytes: &[u8]) -> Result<(&str, String), Malformed> {
    let (mut key, mut text) = ("", String::new());
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => key = utf8(value.bytes()?)?,
            2 => text = any_value(value.bytes()?)?,
            _ => {}
        }
    }
    Ok((key, text))
}

fn any_value(bytes: &[u8]) -> Result<String, Malformed> {
    let mut text = String::new();
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        text = match (number, value) {
            (1, Value::Bytes(bytes)) => utf8(bytes)?.to_owned(),
            (2, Value::Varint(truth)) => (truth != 0).to_string(),
            (3, Value::Varint(bits)) => (bits as i64).to_string(),
            (4, Value::Fixed64(bits)) => f64::from_bits(bits).to_string(),
            _ => String::new(),
        };
    }
    Ok(text)
}

fn utf8(bytes: &[u8]) -> Result<&str, Malformed> {
    core::str::from_utf8(bytes).map_err(|_| Malformed("text that is not UTF-8"))
}

fn metric(
    intake: &mut Intake,
    resource: &Resource,
    bytes: &[u8],
    now_ns: u64,
    taken: &mut Taken,
) -> Result<(), Malformed> {
    let mut metric = Metric { name: b"", unit: b"", data: None };
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => metric.name = value.bytes()?,
            3 => metric.unit = value.bytes()?,
            5 | 7 | 9 | 10 | 11 => metric.data = Some((number, value.bytes()?)),
            _ => {}
        }
    }
    let Some((kind, data)) = metric.data else { return Ok(()) };
    let (mut delta, mut monotonic) = (false, false);
    let mut fields = Fields::of(data);
    while let Some((number, value)) = fields.next()? {
        match number {
            2 if kind != 11 => delta = value.varint()? == DELTA,
            3 if kind == 7 => monotonic = value.varint()? != 0,
            _ => {}
        }
    }
    let shape = match kind {
        5 | 7 => Shape { attributes: 7, flags: 8, summed: false },
        9 => Shape { attributes: 9, flags: 10, summed: true },
        10 => Shape { attributes: 1, flags: 10, summed: true },
        _ => Shape { attributes: 7, flags: 8, summed: true },
    };
    let join = if delta { Join::Add } else { Join::Last };
    let mut fields = Fields::of(data);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            point(
                intake,
                resource,
                &metric,
                value.bytes()?,
                shape,
                join,
                monotonic,
                now_ns,
                taken,
            )?;
        }
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)] // The way down of one value; a struct would be as long.
fn point(
    intake: &mut Intake,
    resource: &Resource,
    metric: &Metric<'_>,
    bytes: &[u8],
    shape: Shape,
    join: Join,
    monotonic: bool,
    now_ns: u64,
    taken: &mut Taken,
) -> Result<(), Malformed> {
    let mut hasher = intake.hasher.build_hasher();
    hasher.write_u64(resource.fingerprint);
    hasher.write_usize(metric.name.len());
    hasher.write(metric.name);
    hasher.write_usize(metric.unit.len());
    hasher.write(metric.unit);
    hasher.write_u8(u8::from(shape.summed) | u8::from(monotonic) << 1);
    let mut point = Point::default();
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        if number == shape.attributes {
            hasher.write(value.bytes()?);
        } else if number == shape.flags {
            point.flags = value.varint()?;
        } else {
            match number {
                3 => point.ts_ns = value.fixed64()?,
                4 if shape.summed => point.count = value.fixed64()?,
                4 => point.value = Some(value.double()?),
                5 if shape.summed => point.value = Some(value.double()?),
                6 if !shape.summed => point.value = Some(value.fixed64()? as i64 as f64),
                _ => {}
            }
        }
    }
    if point.flags & NO_VALUE != 0 {
        return Ok(()); // it says that there is none
    }
    let ts_ns = if point.ts_ns == 0 { now_ns } else { point.ts_ns };
    let fingerprint = hasher.finish();
    let mut enter =
        |suffix: &str, salt: u64, counter: bool, value: f64| -> Result<bool, Malformed> {
            if !value.is_finite() {
                return Ok(true);
            }
            let known = intake.table.known_number(fingerprint ^ salt);
            let number = if known.is_some() {
                known
            } else {
                let series = named(resource, metric, suffix, bytes, shape.attributes, counter)?;
                intake.table.number(fingerprint ^ salt, now_ns, series)
            };
            if let Some(number) = number {
                intake.table.set(number, join, value, ts_ns, now_ns);
            }
            Ok(number.is_some())
        };
    let had_room = if shape.summed {
        let count = enter("_count", 1, false, point.count as f64)?;
        point.value.map_or(Ok(true), |sum| enter("_sum", 2, false, sum))? && count
    } else {
        point.value.map_or(Ok(true), |value| enter("", 0, monotonic, value))?
    };
    taken.taken += u64::from(had_room);
    taken.refused += u64::from(!had_room);
    Ok(())
}

/// The names of a point's series.
fn named(
    resource: &Resource,
    metric: &Metric<'_>,
    suffix: &str,
    point: &[u8],
    attributes: u64,
    counter: bool,
) -> Result<Series, Malformed> {
    let mut labels: Vec<Label> = Vec::new();
    let mut fields = Fields::of(point);
    while let Some((number, value)) = fields.next()? {
        if number == attributes {
            let (key, text) = attribute(value.bytes()?)?;
            labels.push((name::label(key), name::value(&text)));
        }
    }
    let metric = name::metric(utf8(metric.name)?, utf8(metric.unit)?, counter) + suffix;
    Ok(series(resource, metric, labels))
}

fn series(resource: &Resource, metric: String, mut labels: Vec<Label>) -> Series {
    labels.extend(resource.instance.iter().map(|each| ("instance".to_owned(), each.clone())));
    labels.sort();
    labels.dedup_by(|one, other| one.0 == other.0);
    labels.truncate(LABELS_MAX);
    Series { entity: resource.entity.clone(), metric, labels }
}

/// Adds to a counter that is ours; says whether there was room.
fn count(
    intake: &mut Intake,
    resource: &Resource,
    metric: &str,
    label: Option<(&str, &str)>,
    amount: f64,
    at: (u64, u64),
) -> bool {
    let (ts_ns, now_ns) = at;
    let mut hasher = intake.hasher.build_hasher();
    hasher.write_u64(resource.fingerprint);
    hasher.write(metric.as_bytes());
    hasher.write(label.map_or("", |(_, value)| value).as_bytes());
    let fingerprint = hasher.finish();
    let number = intake.table.known_number(fingerprint).or_else(|| {
        let labels =
            label.iter().map(|(key, text)| ((*key).to_owned(), name::value(text))).collect();
        intake.table.number(fingerprint, now_ns, series(resource, metric.to_owned(), labels))
    });
    if let Some(number) = number {
        intake.table.set(number, Join::Add, amount, ts_ns, now_ns);
    }
    number.is_some()
}

fn record(
    intake: &mut Intake,
    resource: &Resource,
    bytes: &[u8],
    now_ns: u64,
    taken: &mut Taken,
) -> Result<(), Malformed> {
    let (mut ts_ns, mut severity, mut body) = (now_ns, 0, String::new());
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => ts_ns = value.fixed64()?,
            2 => severity = value.varint()?,
            5 => body = any_value(value.bytes()?)?,
            _ => {}
        }
    }
    let ts_ns = if ts_ns == 0 { now_ns } else { ts_ns };
    let severity = match severity {
        1..=4 => "trace",
        5..=8 => "debug",
        9..=12 => "info",
        13..=16 => "warn",
        17..=20 => "error",
        21..=24 => "fatal",
        _ => "unset",
    };
    let at = (ts_ns, now_ns);
    let had_room =
        count(intake, resource, "log_lines_total", Some(("severity", severity)), 1.0, at);
    if !body.is_empty() {
        let (template, is_new) = intake.templates.update(&body);
        if is_new {
            let label = Some(("template", template.as_str()));
            count(intake, resource, "log_novel_templates_total", label, 1.0, at);
        }
    }
    taken.taken += u64::from(had_room);
    taken.refused += u64::from(!had_room);
    Ok(())
}

fn span(
    intake: &mut Intake,
    resource: &Resource,
    bytes: &[u8],
    now_ns: u64,
    taken: &mut Taken,
) -> Result<(), Malformed> {
    let (mut operation, mut began_ns, mut ended_ns, mut failed) = ("", 0, 0, false);
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match number {
            5 => operation = utf8(value.bytes()?)?,
            7 => began_ns = value.fixed64()?,
            8 => ended_ns = value.fixed64()?,
            15 => failed = status_is_error(value.bytes()?)?,
            _ => {}
        }
    }
    let at = (if ended_ns == 0 { now_ns } else { ended_ns }, now_ns);
    let label = Some(("span", operation));
    let seconds = ended_ns.saturating_sub(began_ns) as f64 / 1e9;
    let had_room = count(intake, resource, "span_duration_seconds_count", label, 1.0, at)
        && count(intake, resource, "span_duration_seconds_sum", label, seconds, at)
        && count(intake, resource, "span_errors_total", label, f64::from(u8::from(failed)), at);
    taken.taken += u64::from(had_room);
    taken.refused += u64::from(!had_room);
    Ok(())
}

fn status_is_error(bytes: &[u8]) -> Result<bool, Malformed> {
    let mut fields = Fields::of(bytes);
    let mut code = 0;
    while let Some((number, value)) = fields.next()? {
        if number == 3 {
            code = value.varint()?;
        }
    }
    Ok(code == ERROR)
}
