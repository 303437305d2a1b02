"""What a symbol shows by itself: its kind, and the calendar of that kind, where there is no doubt.

A pair of currencies is ``fx``; a pair with a coin in it ``crypto``; a contract of a futures exchange, by root, month
and year or as Yahoo and TradingView write it, ``future``; the 21 letters and digits of US options are an ``option``;
what begins with a caret is an ``index``, or the yield of a bond. All else is unknown: a ticker of letters may be a
share, a fund or anything, on any exchange.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from backbone.settings.sections.instruments import Kind

__all__ = ["Shown", "shown_by"]


class Shown(NamedTuple):
    """What a symbol shows.

    Attributes:
        kind: what it is; ``unknown`` where it may be anything.
        calendar: by which it trades; None where it may be any.
    """

    kind: Kind
    calendar: str | None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TRADED_CURRENCIES = _words(
    "USD EUR JPY GBP CHF AUD CAD NZD CNH CNY HKD SGD SEK NOK DKK MXN ZAR TRY PLN HUF CZK INR KRW TWD THB ILS BRL "
    "RUB XAU XAG"
)
"""What is traded against anything (BIS Triennial Survey, and spot gold and silver); see ISO 4217 for all the codes."""
_CURRENCIES = _TRADED_CURRENCIES | _words(
    "AED AFN ALL AMD ANG AOA ARS AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BSD BTN BWP BYN BZD CDF CLF CLP COP "
    "CRC CUP CVE DJF DOP DZD EGP ERN ETB FJD FKP GEL GHS GIP GMD GNF GTQ GYD HNL HRK HTG IDR IQD IRR ISK JMD JOD "
    "KES KGS KHR KMF KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MYR MZN NAD "
    "NGN NIO NPR OMR PAB PEN PGK PHP PKR PYG QAR RON RSD RWF SAR SBD SCR SDG SHP SLE SOS SRD SSP STN SVC SYP SZL "
    "TJS TMT TND TOP TTD TZS UAH UGX UYU UZS VES VND VUV WST XAF XCD XOF XPD XPF XPT YER ZMW"
)
_STABLE = _words("USDT USDC BUSD FDUSD TUSD USDP USDD USDE DAI PYUSD UST")
_COINS = _STABLE | _words(
    "BTC XBT ETH LTC XRP BCH BSV ETC XMR ZEC DASH ADA DOT SOL DOGE SHIB PEPE BNB TRX XLM XTZ EOS NEO ATOM AVAX LINK "
    "UNI MATIC POL ALGO FIL AAVE NEAR APT ARB SUI TON ICP HBAR VET MKR COMP SUSHI SNX CRV GRT SAND MANA WBTC STETH "
    "WETH QTUM IOTA OMG ZRX BAT KSM FTM INJ TIA SEI IMX RUNE BONK WIF FLOKI LDO LUNA LUNC FTT CRO OKB KCS HYPE"
)
_JOINED_TO = _words("USDT USDC FDUSD")
"""After these a name without a sign in between can't be read otherwise; TUSD may be the end of a pair in USD."""
_QUOTED_IN = _STABLE | _words("BTC XBT ETH BNB EUR USD GBP JPY TRY BRL AUD CAD CHF KRW")
_VENUES = _words(
    "FX FX_IDC OANDA FXCM FOREXCOM SAXO PEPPERSTONE BINANCE COINBASE KRAKEN BITSTAMP BITFINEX BITMEX BYBIT OKX "
    "KUCOIN GEMINI HUOBI DERIBIT C X"
)
_ROOTS = {
    "cme": _words("ES NQ YM RTY EMD MES MNQ MYM M2K NKD NIY ZB ZN ZF ZT UB TN GE SR1 SR3 ZQ"),
    "nymex": _words("CL QM MCL NG QG HO RB BZ GC MGC QO SI SIL QI HG MHG QC PL PA"),
    "cme_fx": _words("6A 6B 6C 6E 6J 6L 6M 6N 6S M6E M6A M6B E7 J7"),
}
_OTHER_ROOTS = _words("ZC ZS ZW ZL ZM ZO ZR KE LE GF VX KC SB CC CT OJ DX BRN FDAX FESX FGBL FGBM FGBS")
_ROOT_CALENDARS = {root: name for name, roots in _ROOTS.items() for root in roots} | dict.fromkeys(_OTHER_ROOTS)
_YIELDS = _words("^IRX ^FVX ^TNX ^TYX")
_US_INDICES = _words("^GSPC ^SPX ^DJI ^IXIC ^NDX ^RUT ^OEX")

_PAIR = re.compile(r"([A-Z0-9]{2,12})([-/_.]?)([A-Z]{3,5})")
_SETTLED = re.compile(r":[A-Z0-9-]+$|[-_.](?:PERP|SWAP|PERPETUAL|P)$")
_PERPETUAL = re.compile(r"([A-Z0-9]{2,12})[-_](?:PERP|PERPETUAL|SWAP|\d{1,2}[A-Z]{3}\d\d)")
_KRAKEN = re.compile(r"X([A-Z]{3})Z([A-Z]{3})")
_CONTRACT = re.compile(r"/?([A-Z0-9]{1,4}?)[FGHJKMNQUVXZ](?:20)?\d{1,2}")
_CONTINUOUS = re.compile(r"/?([A-Z0-9]{1,6})(?:=F|[12]!|\.[CNV]\.\d)")
_OPTION = re.compile(r"(?:O:)?[A-Z]{1,6} *\d{6}[CP]\d{8}")
_NOTHING = Shown("unknown", None)


@lru_cache(maxsize=65_536)
def shown_by(symbol: str) -> Shown:
    """What a symbol shows beyond doubt, whatever its case."""
    name = symbol.strip().upper()
    venue, colon, rest = name.partition(":")
    if colon and venue in _VENUES and rest:
        name = rest
    if name.startswith("^") and len(name) > 1:
        return Shown("rate" if name in _YIELDS else "index", "us_equities" if name in _US_INDICES else None)
    if _OPTION.fullmatch(name):
        return Shown("option", None)
    return _future(name) or _forex(name) or _crypto(name) or _NOTHING


def _future(name: str) -> Shown | None:
    continuous = _CONTINUOUS.fullmatch(name)
    if continuous:
        return Shown("future", _ROOT_CALENDARS.get(continuous[1]))
    contract = _CONTRACT.fullmatch(name)
    if contract and contract[1] in _ROOT_CALENDARS:
        return Shown("future", _ROOT_CALENDARS[contract[1]])
    return Shown("future", _ROOT_CALENDARS[name[1:]]) if name[:1] == "/" and name[1:] in _ROOT_CALENDARS else None


def _forex(name: str) -> Shown | None:
    plain = name.removesuffix("=X")
    if len(plain) == 7 and plain[3] in "/-_.":
        plain = plain[:3] + plain[4:]
    one, other = plain[:3], plain[3:]
    known = one != other and {one, other} <= _CURRENCIES and bool({one, other} & _TRADED_CURRENCIES)
    return Shown("fx", "fx") if known else None


def _crypto(name: str) -> Shown | None:
    kraken = _KRAKEN.fullmatch(name)
    if kraken and kraken[1] in _COINS | {"XBT", "XDG"}:
        return Shown("crypto", "24x7")
    perpetual = _PERPETUAL.fullmatch(name)
    if perpetual and perpetual[1] in _COINS:
        return Shown("crypto", "24x7")
    return Shown("crypto", "24x7") if any(_is_coin_pair(*pair) for pair in _pairs(name)) else None


def _pairs(name: str) -> list[tuple[str, str, bool]]:
    """How a name may be read as base and quote, and whether a sign stands between them."""
    pair = _PAIR.fullmatch(_SETTLED.sub("", name))
    if pair is None:
        return []
    if pair[2]:
        return [(pair[1], pair[3], True)]
    whole = pair[1] + pair[3]
    return [(whole[:-length], whole[-length:], False) for length in (3, 4, 5) if len(whole) > length + 1]


def _is_coin_pair(base: str, quote: str, parted: bool) -> bool:
    if base == quote or quote not in _QUOTED_IN:
        return False
    # whatever is paid for in stable coins is traded where coins are, by day and night
    return base in _COINS or (quote in (_STABLE if parted else _JOINED_TO) and len(base) > 1)
