"""What is observed: accounts, fine-tuning jobs, deployments, snapshots, and the changes between them. Pure nouns."""
