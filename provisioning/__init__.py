"""What goes onto boards and gateways before they serve: firmware builds, settings, labels, records."""
