"""Alerts and who is told of them: identity, life, routes, grouping, silences. Pure; Alertmanager's words."""
