//! The pool over real sockets, with a venue that answers, stalls or hangs up.

use super::*;
use crate::endpoint::{SocketOptions, Trust};
use crate::net::{Ready, wall_ns};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use values::ClientOrderId;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// Lets the pool work until `done`, for at most five seconds.
struct Rig {
    pool: Pool,
    poller: Poller,
    random: Random,
    answered: Vec<(Purpose, u16)>,
}

impl Rig {
    fn new(listener: &TcpListener, order_lines: usize) -> Rig {
        let mut rig = Rig::over(Pool::new(endpoint(listener), order_lines, 6_000, 10));
        rig.until("connected", |rig| rig.pool.is_connected());
        rig
    }

    fn over(pool: Pool) -> Rig {
        let (poller, random) = (Poller::new().unwrap(), Random::new(1));
        Rig { pool, poller, random, answered: Vec::new() }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Rig) -> bool) {
        let deadline_ns = wall_ns() + 5_000_000_000;
        let mut ready: Vec<Ready> = Vec::new();
        while !done(self) {
            assert!(wall_ns() < deadline_ns, "waited in vain until {what}");
            self.poller.wait(2_000_000, &mut ready).unwrap();
            let Rig { pool, poller, random, answered, .. } = self;
            for event in &ready {
                if event.is_writable {
                    pool.on_writable(event.token, wall_ns(), poller, random);
                }
                if event.is_readable {
                    pool.on_readable(event.token, wall_ns(), random, |answer| {
                        answered.push((answer.purpose, answer.status));
                        Ok::<_, ()>(())
                    })
                    .unwrap();
                }
            }
            pool.tick(wall_ns(), poller, random);
            pool.send_waiting(wall_ns(), poller, random, |_| false);
        }
    }

    fn request(&mut self, purpose: Purpose) {
        let bytes = format!("POST /{} HTTP/1.1\r\n\r\n", path(purpose));
        self.pool.request(wall_ns(), purpose, bytes.as_bytes(), &self.poller, &mut self.random);
    }
}

fn endpoint(listener: &TcpListener) -> Endpoint {
    let url = format!("http://{}", listener.local_addr().unwrap());
    Endpoint::parse(&url, "http", &Trust::public(), SocketOptions::default()).unwrap()
}

fn path(purpose: Purpose) -> String {
    match purpose {
        Purpose::Place(id) => format!("place/{}", id.number),
        other => format!("other/{other:?}").replace(' ', ""),
    }
}

fn id(number: u32) -> ClientOrderId {
    ClientOrderId { run: 1, number }
}

/// Accepts for ever; each whole request is told, and answered by what `answer` gives.
fn venue(answer: fn(&str) -> Option<&'static [u8]>) -> (TcpListener, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (told, requests) = channel();
    let accepting = listener.try_clone().unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = accepting.accept() {
            let told = told.clone();
            std::thread::spawn(move || serve(stream, &told, answer));
        }
    });
    (listener, requests)
}

fn serve(
    mut stream: TcpStream,
    told: &std::sync::mpsc::Sender<String>,
    answer: fn(&str) -> Option<&'static [u8]>,
) {
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        while let Some(end) = text.find("\r\n\r\n") {
            let request: String = text.drain(..end + 4).collect();
            let is_ping = request.contains("/api/v3/time");
            let found = if is_ping { Some(OK) } else { answer(&request) };
            if !is_ping {
                let _ = told.send(request);
            }
            match found {
                Some(found) => stream.write_all(found).unwrap(),
                None => return,
            }
        }
    }
}

#[test]
fn requests_beyond_the_lines_wait_and_are_answered_in_turn() {
    let (listener, _requests) = venue(|_| Some(OK));
    let mut rig = Rig::new(&listener, 1);
    for number in 1..=5 {
        rig.request(Purpose::Place(id(number)));
    }
    rig.until("all are answered", |rig| rig.answered.len() == 5);
    let expected: Vec<_> = (1..=5).map(|number| (Purpose::Place(id(number)), 200)).collect();
    assert_eq!(rig.answered, expected);
    assert_eq!(rig.pool.outcomes.ok, 5);
}

#[test]
fn request_on_a_connection_that_breaks_is_lost_and_never_sent_again() {
    let (listener, requests) = venue(|_| None);
    let mut rig = Rig::new(&listener, 2);
    rig.request(Purpose::Place(id(1)));
    rig.until("it is lost", |rig| !rig.pool.lost.is_empty());
    assert_eq!(rig.pool.lost, [Purpose::Place(id(1))]);
    rig.until("connected again", |rig| rig.pool.is_connected());
    assert_eq!(requests.try_iter().count(), 1);
    assert_eq!(rig.pool.outcomes.timeout, 1);
}

#[test]
fn order_that_is_to_be_cancelled_before_it_left_never_leaves() {
    #[expect(clippy::unnecessary_wraps, reason = "the signature that `venue` takes")]
    fn slow(request: &str) -> Option<&'static [u8]> {
        // The first order holds the only line until the others have been asked for.
        if request.contains("/place/1 ") {
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        Some(OK)
    }
    let (listener, requests) = venue(slow);
    let mut rig = Rig::new(&listener, 1);
    rig.request(Purpose::Place(id(1)));
    rig.request(Purpose::Place(id(2)));
    rig.request(Purpose::Cancel(id(2)));
    assert_eq!(rig.pool.withdrawn, [Purpose::Place(id(2))]);
    assert!(rig.pool.lost.is_empty(), "its fate is known: it never left");
    rig.until("the rest is answered", |rig| rig.answered.len() == 2);
    assert_eq!(rig.answered[1], (Purpose::Cancel(id(2)), 200));
    assert!(requests.try_iter().all(|request| !request.contains("/place/2 ")));
}

#[test]
fn late_answer_is_lost_and_cannot_be_taken_for_another_requests() {
    #[expect(clippy::unnecessary_wraps, reason = "the signature that `venue` takes")]
    fn stalling(request: &str) -> Option<&'static [u8]> {
        if request.contains("/place/1 ") {
            std::thread::sleep(std::time::Duration::from_millis(1_300));
            return Some(b"HTTP/1.1 418 Late\r\nContent-Length: 0\r\n\r\n");
        }
        Some(OK)
    }
    let (listener, _requests) = venue(stalling);
    let mut rig = Rig::new(&listener, 1);
    rig.request(Purpose::Place(id(1)));
    rig.until("it is lost", |rig| rig.pool.lost == [Purpose::Place(id(1))]);
    rig.until("connected again", |rig| rig.pool.is_connected());
    rig.request(Purpose::Place(id(2)));
    rig.until("the next is answered", |rig| !rig.answered.is_empty());
    assert_eq!(rig.answered, [(Purpose::Place(id(2)), 200)]);
}

#[test]
fn request_beyond_the_queue_is_lost_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut rig = Rig::new(&listener, 1);
    for number in 0..=QUEUE_MAX as u32 + 1 {
        rig.request(Purpose::Place(id(number)));
    }
    assert_eq!(rig.pool.lost, [Purpose::Place(id(QUEUE_MAX as u32 + 1))]);
}

#[test]
fn waiting_order_that_became_forbidden_never_leaves_and_its_cancel_does() {
    let (listener, requests) = venue(|request| {
        // The first order holds the only line until the others have been asked for.
        if request.contains("/place/1 ") {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        Some(OK)
    });
    let mut rig = Rig::new(&listener, 1);
    rig.request(Purpose::Place(id(1)));
    rig.request(Purpose::Place(id(2)));
    rig.request(Purpose::Cancel(id(9)));
    let Rig { pool, poller, random, .. } = &mut rig;
    pool.send_waiting(wall_ns(), poller, random, |purpose| purpose == Purpose::Place(id(2)));
    assert_eq!(rig.pool.withdrawn, [Purpose::Place(id(2))]);
    rig.until("the rest is answered", |rig| rig.answered.len() == 2);
    assert_eq!(rig.answered[1], (Purpose::Cancel(id(9)), 200));
    assert!(requests.try_iter().all(|request| !request.contains("/place/2 ")));
}

#[test]
fn pool_on_demand_connects_for_a_request_and_lets_go_without_trouble() {
    let (listener, requests) = venue(|_| Some(OK));
    let mut rig = Rig::over(Pool::on_demand(endpoint(&listener), 6_000, 10));
    let is_open = |rig: &Rig| rig.pool.lines[0].connection.is_some();
    rig.pool.tick(wall_ns(), &rig.poller, &mut rig.random);
    assert!(!is_open(&rig), "nothing was wanted");
    let book = Purpose::Snapshot(values::MarketId(3));
    for round in 1..=2 {
        rig.request(book);
        rig.until("answered", |rig| rig.answered.len() == round);
        assert!(requests.recv().unwrap().contains("Snapshot"));
        rig.until("closed", |rig| !is_open(rig));
    }
    assert_eq!((rig.pool.trouble.as_str(), rig.pool.lost.len()), ("", 0));
}
