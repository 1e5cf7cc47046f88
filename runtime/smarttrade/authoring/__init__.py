"""For authors of strategies: a first file to begin with, and what is wrong with one before it trades."""
