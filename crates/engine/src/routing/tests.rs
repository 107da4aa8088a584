//! Offers written by hand or at random in; what the choice must be, or may never be, compared.

use super::*;
use DenialReason::{BreakerOpen, MarketStale};
use Manner::{Rest, Take, TakeWhole};
use Side::{Buy, Sell};
use proptest::prelude::*;

/// A venue that offers these levels (price, quantity) and takes up to 1,000 from 10 on, in tens.
fn offer(levels: &[(i64, i64)]) -> Offer {
    let level = |&(price, quantity): &(i64, i64)| Level {
        price: Price(price * 1_000),
        quantity: Quantity(quantity),
    };
    let mut all = [Level { price: Price(0), quantity: Quantity(0) }; LEVELS_MAX];
    for (kept, given) in all.iter_mut().zip(levels) {
        *kept = level(given);
    }
    Offer {
        market: MarketId(0),
        obstacle: None,
        bid: all[0],
        ask: all[0],
        limit: Price(2_000_000),
        levels: all,
        sendable: Quantity(1_000),
        least: Quantity(10),
        lot: Quantity(10),
        fee_ppm: 0,
        latency_ns: 0,
        penalty_ppm: 0,
        is_active: false,
        share: Quantity(0),
    }
}

fn shares(side: Side, quantity: i64, manner: Manner, offers: &[Offer]) -> Vec<i64> {
    let mut offers = offers.to_vec();
    choose(side, Quantity(quantity), manner, &mut offers);
    offers.iter().map(|offer| offer.share.0).collect()
}

#[test]
fn each_consideration_decides_when_the_others_are_equal() {
    let plain = offer(&[(1_000, 500)]);
    let cheap = offer(&[(999, 500)]);
    let thin = offer(&[(999, 30), (1_001, 500)]);
    let active = Offer { is_active: true, ..plain };
    let costly = Offer { fee_ppm: 2_000, ..cheap };
    let rebate = Offer { fee_ppm: -10, ..plain };
    let far = Offer { penalty_ppm: 2_000, ..cheap };
    let shut = Offer { obstacle: Some(BreakerOpen), ..cheap };
    let stale = Offer { obstacle: Some(MarketStale), ..plain };
    let full = Offer { sendable: Quantity(0), ..cheap };
    let half = Offer { sendable: Quantity(50), ..cheap };
    let picky = Offer { least: Quantity(60), ..half };
    let empty = offer(&[]);
    for (about, side, manner, offers, expected) in [
        ("price, buying", Buy, Take, [plain, cheap], [0, 100]),
        ("price, selling", Sell, Take, [plain, cheap], [100, 0]),
        ("a tie goes to the active venue", Buy, Take, [plain, active], [0, 100]),
        ("a tie without one to the first", Buy, Take, [plain, plain], [100, 0]),
        ("fee above the price difference", Buy, Take, [plain, costly], [100, 0]),
        ("fee below nothing", Buy, Take, [plain, rebate], [0, 100]),
        ("fee, selling", Sell, Take, [plain, rebate], [0, 100]),
        ("latency", Buy, Take, [plain, far], [100, 0]),
        ("depth: the cheap level first, the rest next door", Buy, Take, [plain, thin], [70, 30]),
        ("health: breaker", Buy, Take, [plain, shut], [100, 0]),
        ("health: nobody", Buy, Take, [stale, shut], [0, 0]),
        ("room: none", Buy, Take, [plain, full], [100, 0]),
        ("room: some", Buy, Take, [plain, half], [50, 50]),
        ("a part below the venue's least goes elsewhere", Buy, Take, [plain, picky], [100, 0]),
        ("an empty book", Buy, Take, [empty, plain], [0, 100]),
        ("two empty books", Buy, Take, [empty, empty], [0, 0]),
        ("whole: not where it is thin", Buy, TakeWhole, [plain, thin], [100, 0]),
        ("whole: the cheapest that has it", Buy, TakeWhole, [plain, cheap], [0, 100]),
        ("whole: never in parts", Buy, TakeWhole, [half, empty], [0, 0]),
        ("resting: fee", Buy, Rest, [plain, rebate], [0, 100]),
        ("resting: active on a tie", Sell, Rest, [plain, active], [0, 100]),
        ("resting: an empty book does not matter", Buy, Rest, [empty, shut], [100, 0]),
        ("resting: room", Buy, Rest, [half, plain], [0, 100]),
    ] {
        assert_eq!(shares(side, 100, manner, &offers), expected, "{about}");
    }
}

#[test]
fn what_no_level_was_seen_for_goes_to_the_cheapest() {
    let (one, other) = (offer(&[(1_000, 30)]), offer(&[(1_001, 30)]));
    assert_eq!(shares(Buy, 100, Take, &[one, other]), [70, 30]);
    let capped = Offer { sendable: Quantity(50), ..one };
    assert_eq!(shares(Buy, 100, Take, &[capped, other]), [50, 50]);
}

#[test]
fn cost_counts_levels_fee_and_what_lies_beyond() {
    let offer = Offer { fee_ppm: 100, ..offer(&[(1_000, 50), (1_002, 50)]) };
    let at = Price(1_000_000);
    assert_eq!(offer.cost_ppm(Buy, Take, Quantity(50), at), 100);
    assert_eq!(offer.cost_ppm(Buy, Take, Quantity(100), at), 1_100);
    assert_eq!(offer.cost_ppm(Sell, Take, Quantity(100), at), -900);
    assert_eq!(offer.cost_ppm(Buy, Take, Quantity(200), at), 500_600, "half at the limit of 2,000");
    assert_eq!(offer.cost_ppm(Buy, Rest, Quantity(100), at), 1_000_100);
}

fn any_offer() -> impl Strategy<Value = Offer> {
    let levels = proptest::collection::vec((0i64..5, 1i64..60), 0..6);
    let sizes = (0i64..40, 1i64..5, 1i64..4);
    (levels, sizes, -50i64..200, 0i64..50, any::<bool>(), 0u8..5).prop_map(
        |(steps, (sendable, least, lot), fee_ppm, penalty_ppm, is_active, shut)| {
            let mut price = 1_000;
            let levels: Vec<(i64, i64)> = steps
                .iter()
                .map(|(step, quantity)| {
                    price += step;
                    (price, *quantity)
                })
                .collect();
            Offer {
                sendable: Quantity(sendable * lot * 10),
                least: Quantity(least * 10),
                lot: Quantity(lot * 10),
                fee_ppm,
                penalty_ppm,
                is_active,
                obstacle: (shut == 0).then_some(MarketStale),
                ..offer(&levels)
            }
        },
    )
}

proptest! {
    #[test]
    fn whatever_the_venues_offer_no_share_breaks_a_rule(
        offers in proptest::collection::vec(any_offer(), 0..OFFERS_MAX),
        quantity in 1i64..100,
        manner in prop_oneof![Just(Take), Just(TakeWhole), Just(Rest)],
        buys in any::<bool>(),
    ) {
        let side = if buys { Buy } else { Sell };
        let mut offers = offers;
        choose(side, Quantity(quantity * 10), manner, &mut offers);
        let total: i64 = offers.iter().map(|offer| offer.share.0).sum();
        prop_assert!(total <= quantity * 10);
        let used = offers.iter().filter(|offer| offer.share.0 > 0);
        prop_assert!(manner == Take || used.clone().count() <= 1);
        for offer in used {
            prop_assert!(offer.obstacle.is_none());
            prop_assert!(offer.share <= offer.sendable && offer.share >= offer.least);
            if manner == Take {
                prop_assert_eq!(offer.share.0 % offer.lot.0, 0);
            } else {
                prop_assert_eq!(offer.share.0, quantity * 10);
            }
        }
    }
}
