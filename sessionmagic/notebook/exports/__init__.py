"""Export sessions to files: as an HTML page, as a notebook, and in the formats that need no page."""
