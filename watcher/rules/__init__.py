"""What deserves attention: pure checks of what was observed. Each finds, finds nothing, or cannot know and says so."""
