//! Why an order intent is denied: one closed list of `CATEGORY_CONDITION` codes.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why we refuse to send an order. Denied is by us; rejected is by the venue.
        #[derive(
            Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum DenialReason {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl DenialReason {
            /// The reason of a stable code.
            pub fn of(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.code() == code)
            }

            /// Every reason, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable code, for logs, metrics and the reference page.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

reasons! {
    /// Trading is halted.
    StateHalted = "STATE_HALTED",
    /// Only orders that make the position smaller are allowed.
    StateReducing = "STATE_REDUCING",
    /// The venue's orders and positions have not been reconciled yet.
    StateNotReconciled = "STATE_NOT_RECONCILED",
    /// Market data is older than its limit, or the book is not in step.
    MarketStale = "MARKET_STALE",
    /// The venue's breaker is open.
    BreakerOpen = "BREAKER_OPEN",
    /// The user stream is down, so fills would go unseen.
    ChannelUserDown = "CHANNEL_USER_DOWN",
    /// The price is further from the reference than the collar allows.
    PriceCollar = "PRICE_COLLAR",
    /// There is no reference price to check the collar against.
    PriceNoReference = "PRICE_NO_REFERENCE",
    /// The price is not a multiple of the tick, or not positive.
    PriceTick = "PRICE_TICK",
    /// The quantity is below the minimum, above the maximum or not a multiple of the lot.
    QuantityLimit = "QUANTITY_LIMIT",
    /// Price times quantity is below the minimum or above the maximum.
    NotionalLimit = "NOTIONAL_LIMIT",
    /// The position with all working orders would pass its limit.
    PositionLimit = "POSITION_LIMIT",
    /// Too many orders in the last second.
    RateOrders = "RATE_ORDERS",
    /// Too many orders are working or of unknown fate.
    OrdersOpenLimit = "ORDERS_OPEN_LIMIT",
    /// The loss since the start of the run is at its limit.
    LossLimit = "LOSS_LIMIT",
    /// The book has too little resting within the price limit or the slippage bound.
    DepthInsufficient = "DEPTH_INSUFFICIENT",
    /// Another venue is the active one since a switch.
    RouteSwitched = "ROUTE_SWITCHED",
    /// It would trade with an order of our own.
    RouteOwnOrder = "ROUTE_OWN_ORDER",
    /// There is no position that it could make smaller.
    NothingToReduce = "NOTHING_TO_REDUCE",
    /// The strategy's own process is late, silent, flooding or gone: its breaker is open.
    StrategyUnsound = "STRATEGY_UNSOUND",
    /// The order is larger than its strategy may send.
    QuantityStrategy = "QUANTITY_STRATEGY_LIMIT",
    /// Price times quantity is more than its strategy may send.
    NotionalStrategy = "NOTIONAL_STRATEGY_LIMIT",
    /// The price is further from the reference than its strategy's collar allows.
    CollarStrategy = "PRICE_STRATEGY_COLLAR",
    /// The instrument's position over all venues, with all working orders, would pass its limit.
    PositionInstrument = "POSITION_INSTRUMENT_LIMIT",
    /// A position of the scope has no price yet, or the market's currency no rate, so exposure and
    /// loss are not known.
    ExposureUnpriced = "EXPOSURE_UNPRICED",
    /// The gross exposure of everything would pass its limit.
    GrossAccount = "EXPOSURE_GROSS_ACCOUNT_LIMIT",
    /// The gross exposure at the venue would pass its limit.
    GrossVenue = "EXPOSURE_GROSS_VENUE_LIMIT",
    /// The gross exposure in the instrument would pass its limit.
    GrossInstrument = "EXPOSURE_GROSS_INSTRUMENT_LIMIT",
    /// The gross exposure of the strategy would pass its limit.
    GrossStrategy = "EXPOSURE_GROSS_STRATEGY_LIMIT",
    /// The net exposure of everything would pass its limit.
    NetAccount = "EXPOSURE_NET_ACCOUNT_LIMIT",
    /// The net exposure at the venue would pass its limit.
    NetVenue = "EXPOSURE_NET_VENUE_LIMIT",
    /// The net exposure in the instrument would pass its limit.
    NetInstrument = "EXPOSURE_NET_INSTRUMENT_LIMIT",
    /// The net exposure of the strategy would pass its limit.
    NetStrategy = "EXPOSURE_NET_STRATEGY_LIMIT",
    /// The venue's loss since the start of the run is at its limit.
    LossVenue = "LOSS_VENUE_LIMIT",
    /// The instrument's loss since the start of the run is at its limit.
    LossInstrument = "LOSS_INSTRUMENT_LIMIT",
    /// The strategy's loss since the start of the run is at its limit.
    LossStrategy = "LOSS_STRATEGY_LIMIT",
    /// The loss since 00:00 UTC is at the account's limit.
    DailyAccount = "LOSS_DAILY_ACCOUNT_LIMIT",
    /// The loss since 00:00 UTC is at the venue's limit.
    DailyVenue = "LOSS_DAILY_VENUE_LIMIT",
    /// The loss since 00:00 UTC is at the instrument's limit.
    DailyInstrument = "LOSS_DAILY_INSTRUMENT_LIMIT",
    /// The loss since 00:00 UTC is at the strategy's limit.
    DailyStrategy = "LOSS_DAILY_STRATEGY_LIMIT",
    /// The distance from the account's highest profit is at its limit.
    DrawdownAccount = "DRAWDOWN_ACCOUNT_LIMIT",
    /// The distance from the venue's highest profit is at its limit.
    DrawdownVenue = "DRAWDOWN_VENUE_LIMIT",
    /// The distance from the instrument's highest profit is at its limit.
    DrawdownInstrument = "DRAWDOWN_INSTRUMENT_LIMIT",
    /// The distance from the strategy's highest profit is at its limit.
    DrawdownStrategy = "DRAWDOWN_STRATEGY_LIMIT",
    /// The strategy has sent too many orders in the last second.
    RateStrategy = "RATE_STRATEGY",
    /// The strategy has sent the same order too often within the window.
    RateDuplicate = "RATE_DUPLICATE",
    /// The strategy's breaker is open.
    StrategyBreakerOpen = "STRATEGY_BREAKER_OPEN",
    /// The strategy has traded the same way too often; a named person has to re-arm it.
    StrategyThrottled = "STRATEGY_THROTTLED",
    /// Only market data is taken from the venue; no order goes there.
    VenueDataOnly = "VENUE_DATA_ONLY",
}
