"""The exchanges whose calendars the package exchange_calendars has, by their market identifier code (ISO 10383)."""

from __future__ import annotations

__all__ = ["EXCHANGES", "PACKAGE"]

PACKAGE = "exchange_calendars"
"""What the extra `calendars` installs."""

_CODES = (
    "AIXK ASEX BVMF CMES IEPA XAMS XASX XBDA XBEL XBKK XBOG XBOM XBRA XBRU XBSE XBUD XBUE XCBF XCSE XCYS XDUB XDUS "
    "XEEE XETR XEUR XFRA XHAM XHEL XHKG XICE XIDX XIST XJSE XKAR XKLS XKRX XLIM XLIS XLIT XLJU XLON XLUX XMAD XMEX "
    "XMIL XMOS XNYS XNZE XOSL XPAR XPHS XPRA XRIS XSAU XSES XSGO XSHG XSTO XSTU XSWX XTAE XTAI XTAL XTKS XTSE XWAR "
    "XWBO XZAG"
)
EXCHANGES = frozenset(_CODES.split())
