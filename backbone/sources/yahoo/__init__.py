"""Yahoo: bars, dividends and splits of the chart endpoint."""
