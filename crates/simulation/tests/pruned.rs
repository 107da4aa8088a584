//! A life's journal without its oldest segments in; the same core out of what is left.

use feed::hot_loop::replay;
use journal::retain::{self, Keep};
use journal::{Durability, SystemDisk, verify};
use simulation::disk::VirtualDisk;
use simulation::life::Life;
use simulation::venue::MS;

#[test]
fn pruned_journal_replays_to_the_same_state() {
    let mut life = Life::new(5, Durability::Process, VirtualDisk::leaked());
    while retain::list(life.dir()).expect("whole").len() < 8 {
        life.run(6_000 * MS);
    }
    life.settle();
    let whole = |from_snapshot| {
        let (core, told) = replay(life.dir(), from_snapshot).expect("replays").expect("not empty");
        (core.engine().encode(), told)
    };
    let (state, all) = whole(false);
    assert_eq!(all.from_seq, 0);
    let keep = Keep { bytes: Some(0), since_ns: None };
    let pruned = retain::prune(life.dir(), &SystemDisk, keep).expect("prunes");
    assert!(pruned.segments > 0, "there was something to remove");
    // What used to begin with the first entry begins with the oldest snapshot.
    let (later_state, later) = whole(false);
    assert_eq!(later_state, state);
    assert!(later.from_seq + 1 >= pruned.first_seq && later.last_seq == all.last_seq);
    assert_eq!(whole(true).0, state);
    let verified = verify(life.dir(), |_| true).expect("whole").expect("not ended early");
    assert_eq!((verified.first_seq, verified.problems.len()), (pruned.first_seq, 0));
}
