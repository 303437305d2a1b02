"""What a symbol shows by itself, and what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone.quality.symbols import shown_by

KINDS = {
    "fx fx": "EURUSD eurusd EUR/USD EUR_USD USD.JPY EURUSD=X C:EURUSD OANDA:EUR_USD NOKSEK USDTRY XAUUSD USDCNH GBPPKR",
    "crypto 24x7": (
        "BTC-USD BTCUSD BTCUSDT btcusdt BTC/USD BTC/USDT BTC/USDT:USDT BTC/USD:BTC-240329 ETHBTC ETH-EUR X:BTCUSD "
        "BINANCE:BTCUSDT BTCUSDT.P BTCUSD_PERP BTC-PERPETUAL BTC-29MAR24 BTC-USDT-SWAP XBTUSD XXBTZUSD 1000SHIBUSDT "
        "NEWCOIN/USDT NEWCOINUSDC USDTUSD USDCUSDT DOGEUSD SOL-USD"
    ),
    "future nymex": "CL=F CLK0 CLM2020 CLZ24 GC=F GCQ4 NGF25 SI1! /CL BZ=F HG.c.0",
    "future cme": "ESH24 ESZ3 ES=F NQ1! /ES ES.v.0 ZNU4 MESM5 SR3H26",
    "future cme_fx": "6EM4 6E=F M6EH25",
    "future None": "ZC=F ZCZ24 KC=F VXF4 FDAXZ4 XYZ=F DX=F",
    "index None": "^VIX ^FTSE ^N225",
    "index us_equities": "^GSPC ^DJI ^IXIC",
    "rate None": "^TNX ^IRX",
    "option None": "AAPL240119C00150000 O:SPY240119P00400000",
    "unknown None": (
        "AAPL SPY BRK-B BRK.B ACME VIX BTC ETH ADA LINK SOL USD EUR 7203.T 0700.HK SIE.DE BAT.L UNI.PA CL ES CLF ESTC "
        "GCT NGG CL5 T-USD ABC-USD USD-BTC EURUSD.a EURUSD1 EUREUR USDUSD ALLTOP TOTUSD AUSDT HEX25 DGS10 A ^ : = "
        "X: =F 1! / USDT"
    ),
}


@pytest.mark.parametrize(
    ("shown", "symbol"), [(shown, name) for shown, names in KINDS.items() for name in names.split()]
)
def test_the_kind_and_the_calendar_that_a_symbol_shows(shown: str, symbol: str) -> None:
    kind, calendar = shown_by(symbol)
    assert f"{kind} {calendar}" == shown


@given(st.text(max_size=40))
def test_any_text_has_a_kind_and_the_same_in_any_case(text: str) -> None:
    assert shown_by(text).kind
    if text.isascii():
        assert shown_by(text) == shown_by(text.lower())


def test_a_long_symbol_costs_no_time() -> None:
    for text in ("A" * 100_000, "1" * 100_000, "X:" * 50_000, "BTC-" * 25_000, "^" * 100_000):
        assert shown_by(text).kind in {"unknown", "index"}
