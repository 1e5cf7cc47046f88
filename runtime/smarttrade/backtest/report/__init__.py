"""One self-contained HTML page of a backtest: no network, no dependencies, light and dark.

Reading order: `page` puts the sections together, `series` takes the columns out of what was recorded,
`downsample` thins them, `charts` draws them as SVG in plot units that `report.js` reads back for its
cross-hair and its zoom; `html` is what escapes everything that came from outside.
"""

from smarttrade.backtest.report.page import build_page

__all__ = ["build_page"]
