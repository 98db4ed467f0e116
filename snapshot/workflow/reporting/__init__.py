"""What a report tells, gathered part by part."""
