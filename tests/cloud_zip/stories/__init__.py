"""What happens to the deployed zip: inline work, forged alarms, data that arrives, services that fail."""
