"""The only room that sends: notifications as messages and payloads, and one notifier for each medium."""
