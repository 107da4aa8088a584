//! Why an order intent is denied: one closed list of `CATEGORY_CONDITION` codes.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why we refuse to send an order. Denied is by us; rejected is by the venue.
        #[derive(
            Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum DenialReason {
            $($(#[$doc])* $name,)*
        }

        impl DenialReason {
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
}
