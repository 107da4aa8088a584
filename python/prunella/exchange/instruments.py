"""Settings in; `exchangeInfo` out: limits, and each instrument with its filters."""

from collections.abc import Iterable
from typing import Any

from prunella.exchange.orders import STP_MODE, decimal
from prunella.exchange.settings import ExchangeSettings, SymbolSettings

ORDER_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET")


def exchange_info(
    settings: ExchangeSettings, symbols: Iterable[SymbolSettings], now_ms: int
) -> dict[str, Any]:
    """The answer to `exchangeInfo` about these symbols."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": [
            _limit("REQUEST_WEIGHT", "MINUTE", 1, settings.weight_per_minute),
            _limit("ORDERS", "SECOND", 10, settings.orders_per_10s),
            _limit("ORDERS", "DAY", 1, settings.orders_per_day),
        ],
        "exchangeFilters": [],
        "symbols": [_symbol_info(symbol) for symbol in symbols],
    }


def _limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _symbol_info(symbol: SymbolSettings) -> dict[str, Any]:
    return {
        "symbol": symbol.name,
        "status": "TRADING",
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": decimal(symbol.tick),
                "maxPrice": decimal(symbol.price_max),
                "tickSize": decimal(symbol.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": decimal(symbol.quantity_min),
                "maxQty": decimal(symbol.quantity_max),
                "stepSize": decimal(symbol.lot),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": decimal(symbol.notional_min),
                "applyMinToMarket": True,
                "maxNotional": decimal(symbol.notional_max),
                "applyMaxToMarket": False,
                "avgPriceMins": 0,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": STP_MODE,
        "allowedSelfTradePreventionModes": [STP_MODE],
    }
