//! The core behind its decoders: frames that cannot be read, and journals that lie.

mod common;

use common::{MARKET, VENUE, config, frame, live};
use engine::event::{Channel, Purpose};
use engine::market::MarketStatus;
use engine::output::Output;
use feed::core::{Core, CoreError};
use feed::hot_loop::{LoopError, replay};
use feed::input::{HEADER_SIZE_MAX, Input};
use journal::{Options, Writer, snapshot};
use values::VenueId;

#[test]
fn malformed_frame_is_counted_and_heals_like_a_gap() {
    let (mut core, mut outputs) = (Core::new(config()).unwrap(), Vec::new());
    for (at, input) in live().iter().enumerate() {
        core.apply(at as i64, input, &mut outputs).unwrap();
    }
    assert_eq!(core.engine().market(MARKET).status(), MarketStatus::Live);
    outputs.clear();
    for bytes in [&b"{\"e\":\"depthUpdate\",\"U\":12"[..], b"", b"\xFF\xFE", b"[1,2"] {
        core.apply(2_000_000_000, &frame(bytes), &mut outputs).unwrap();
    }
    let market = core.engine().market(MARKET);
    assert_eq!(market.status(), MarketStatus::Buffering);
    assert_eq!(market.counters().malformed, 4);
    core.apply(3_000_000_000, &Input::Timer, &mut outputs).unwrap();
    assert!(outputs.contains(&Output::FetchSnapshot(MARKET)));
}

#[test]
fn unknown_venue_and_reply_in_garbage_do_no_harm() {
    let (mut core, mut outputs) = (Core::new(config()).unwrap(), Vec::new());
    let stranger = Input::Frame { venue: VenueId(9), channel: Channel::User, bytes: b"{}" };
    core.apply(1, &stranger, &mut outputs).unwrap();
    for status in [200, 404, 429, 503, 0] {
        let purpose = Purpose::Account(VENUE);
        let reply =
            Input::Reply { venue: VENUE, purpose, status, retry_after_ns: 0, bytes: b"<html>" };
        core.apply(2, &reply, &mut outputs).unwrap();
    }
}

fn write(dir: &std::path::Path, inputs: &[Input<'_>]) -> Core {
    let (mut writer, _) = Writer::open(dir, Options::default()).unwrap();
    let (mut core, mut outputs) = (Core::new(config()).unwrap(), Vec::new());
    for (at, input) in inputs.iter().enumerate() {
        let mut header = [0; HEADER_SIZE_MAX];
        writer.append(at as i64, input.kind(), &input.payload(&mut header)).unwrap();
        core.apply(at as i64, input, &mut outputs).unwrap();
    }
    let state = core.engine().encode();
    snapshot::write(dir, writer.last_seq(), &writer.chain(), &state).unwrap();
    core
}

#[test]
fn replay_from_the_snapshot_and_from_the_beginning_give_the_same_state() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = serde_json::to_vec(&config()).unwrap();
    let inputs: Vec<Input<'_>> = [Input::Config(&bytes)].into_iter().chain(live()).collect();
    let core = write(dir.path(), &inputs);
    for from_snapshot in [true, false] {
        let (found, told) = replay(dir.path(), from_snapshot).unwrap().unwrap();
        assert_eq!(found.engine().state_hash(), core.engine().state_hash());
        assert_eq!(told.last_seq, 4);
        assert_eq!(told.entries, if from_snapshot { 0 } else { 4 });
    }
}

#[test]
fn state_hash_that_differs_names_the_entry() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = serde_json::to_vec(&config()).unwrap();
    let (mut writer, _) = Writer::open(dir.path(), Options::default()).unwrap();
    let lie = Input::Check { state_hash: [7; 32] };
    for input in [Input::Config(&bytes), Input::Timer, lie] {
        let mut header = [0; HEADER_SIZE_MAX];
        writer.append(0, input.kind(), &input.payload(&mut header)).unwrap();
    }
    match replay(dir.path(), false) {
        Err(LoopError::Core { seq: 3, source: CoreError::Check { .. } }) => {}
        other => panic!("expected entry 3 to be named, found {:?}", other.map(|_| ())),
    }
}

#[test]
fn snapshot_of_another_history_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = serde_json::to_vec(&config()).unwrap();
    let core = write(dir.path(), &[Input::Config(&bytes), Input::Timer]);
    snapshot::write(dir.path(), 2, &[9; 32], &core.engine().encode()).unwrap();
    snapshot::write(dir.path(), 90, &[9; 32], &core.engine().encode()).unwrap();
    let (found, told) = replay(dir.path(), true).unwrap().unwrap();
    assert_eq!((told.from_seq, told.entries), (0, 2));
    assert_eq!(found.engine().state_hash(), core.engine().state_hash());
}

#[test]
fn journal_that_begins_without_its_configuration_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, _) = Writer::open(dir.path(), Options::default()).unwrap();
    writer.append(0, Input::Timer.kind(), &[]).unwrap();
    assert!(matches!(replay(dir.path(), true), Err(LoopError::Core { seq: 1, .. })));
}
