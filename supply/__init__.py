"""What SmartTrade is made of: bills of materials of images and chart, and the audit of what they name.

Both work from the lock files alone, so that a check needs no network and says the same on every machine.
"""
