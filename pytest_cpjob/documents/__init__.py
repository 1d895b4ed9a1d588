"""One job's facts as the four documents AWS sends, and what makes a value valid."""
