"""What a model may call: functions and the tools of MCP servers, and who says yes to a call."""
