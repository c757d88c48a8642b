"""What makes Markdown and pictures of the committed results; it measures nothing."""
