"""MCP servers: how they are configured and started, and how their tools are offered."""
