"""forecast: takes Series, gives Forecast. No clock, no network."""
