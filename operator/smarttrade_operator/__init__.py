"""The SmartTrade operator: reconciles TradingAccount objects into isolated pods."""
