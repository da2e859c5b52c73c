"""The only room that speaks to Azure: what an account says becomes a `Snapshot`. It asks and never writes."""
