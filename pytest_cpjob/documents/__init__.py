"""One job's facts as the four documents that AWS sends, and the rules for valid values."""
