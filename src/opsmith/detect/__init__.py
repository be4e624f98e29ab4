"""detect: takes Series and Forecast, gives Anomaly. No clock, no network."""
