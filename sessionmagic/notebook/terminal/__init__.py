"""What a terminal shows of a turn, and the questions that it asks on stdin. It knows neither widgets nor HTML."""
