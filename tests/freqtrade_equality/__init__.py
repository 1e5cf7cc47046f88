"""Strategies of other people under freqtrade's assumptions, compared with freqtrade itself trade by trade."""
