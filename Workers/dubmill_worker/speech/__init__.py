"""Text made speakable, and clips made ready."""
