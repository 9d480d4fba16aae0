"""The tools that a model may call: functions and the tools of MCP servers, and which calls need approval."""
