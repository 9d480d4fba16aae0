"""MCP servers: where their tools come from."""
